"""What is kept of a student survives restarts, other kernels and damage; nothing of it is ever lost."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from filelock import FileLock

from labkit.learner import state
from labkit.learner.state import Predicted, State, UnkeptError

COUNT = """
from labkit.learner import state
for number in range(20):
    state.change(lambda kept: kept.cases.update({f"NAME.{number}": "PASS"}))
"""


def met(case):
    """A change that notes a case."""
    return lambda kept: kept.cases.update({case: "PASS"})


def test_what_was_changed_is_read_again(work):
    """In a folder that was not there, with its schema."""
    assert state.read() == State()
    assert state.change(met("01.saves_whole")) == ""
    state.change(lambda kept: kept.predictions.update(q=Predicted(said=["b", "a"], right=False)))
    assert state.read().cases == {"01.saves_whole": "PASS"}
    assert state.read().predictions["q"] == Predicted(said=["b", "a"], right=False)
    assert json.loads((work / state.NAME).read_bytes())["schema"] == 1


@pytest.mark.usefixtures("work")
def test_two_kernels_at_once_lose_nothing():
    """Each reads what the other has written before it writes."""
    commands = [[sys.executable, "-c", COUNT.replace("NAME", name)] for name in "ab"]
    both = [subprocess.Popen(command) for command in commands]
    assert [each.wait() for each in both] == [0, 0]
    assert len(state.read().cases) == 40


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"schema": "x"}', b'{"cases": 3}', b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_file_is_put_aside(work, damage):
    """Its bytes stay, beside a new file, also when it happens again; one line says so, and reading changes nothing."""
    work.mkdir()
    (work / state.NAME).write_bytes(damage)
    with pytest.raises(UnkeptError, match="cannot be read: it is no state of labkit's"):
        state.read()
    for number in (1, 2):
        (work / state.NAME).write_bytes(damage)
        said = state.change(met("01.a"))
        assert f"it is now .progress.damaged-{number}.json" in said
        assert "\n" not in said
        assert (work / f".progress.damaged-{number}.json").read_bytes() == damage
    assert state.read().cases == {"01.a": "PASS"}


def test_the_file_of_a_newer_labkit_is_left_alone(work):
    """Neither read nor written, and said in one line."""
    work.mkdir()
    newer = b'{"schema": 2, "cases": {}, "predictions": {}}'
    (work / state.NAME).write_bytes(newer)
    for act in (state.read, lambda: state.change(met("01.a"))):
        with pytest.raises(UnkeptError, match="of a newer labkit, with schema 2: it is left as it is"):
            act()
    assert (work / state.NAME).read_bytes() == newer


def test_what_it_does_not_know_it_keeps(work):
    """A field that a later labkit has added to the same schema."""
    work.mkdir()
    (work / state.NAME).write_text('{"schema": 1, "notes": [1], "predictions": {"q": {"said": 1, "why": "x"}}}')
    state.change(met("01.a"))
    kept = json.loads((work / state.NAME).read_bytes())
    assert kept["notes"] == [1]
    assert kept["predictions"]["q"]["why"] == "x"


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_after_a_failed_write_the_old_state_is_there(monkeypatch, failing):
    """And one line says why nothing is kept."""
    state.change(met("01.a"))

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, full)
        with pytest.raises(UnkeptError, match=r"written: No space left on device; your progress is not kept$"):
            state.change(met("01.b"))
    assert state.read().cases == {"01.a": "PASS"}


def test_nobody_waits_for_ever(work, monkeypatch):
    """A kernel that hangs while it writes costs the others one line."""
    work.mkdir()
    monkeypatch.setattr(state, "PATIENCE", 0.0)
    with FileLock(work / ".progress.lock"), pytest.raises(UnkeptError, match="your progress is not kept"):
        state.change(met("01.a"))


@pytest.mark.parametrize(
    ("off", "content", "watched"),
    [(None, {"allow_stdin": True}, True), ("off", {"allow_stdin": True}, False), (None, {"allow_stdin": False}, False),
     (None, {}, False), (None, None, False)],
)  # fmt: skip
def test_only_a_frontend_that_can_ask_is_watched(monkeypatch, off, content, watched):
    """nbval and nbclient say that they cannot, IPython in a terminal has no kernel, LABKIT_PROGRESS turns it off."""
    kernel = {} if content is None else {"kernel": SimpleNamespace(get_parent=lambda: {"content": content})}
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(**kernel)))
    monkeypatch.delenv("LABKIT_PROGRESS", raising=False)
    if off:
        monkeypatch.setenv("LABKIT_PROGRESS", off)
    assert state.is_watched() is watched


def test_a_verdict_is_noted_and_never_fails(work, monkeypatch, capsys):
    """The last one counts. Where nothing can be kept, one line says so; where nobody looks, nothing is kept."""
    state.note_cases({"01.a": "PASS"})
    assert not work.exists()
    monkeypatch.setattr(state, "is_watched", lambda: True)
    state.note_cases({"01.a": "FAIL", "01.b": "PASS"})
    state.note_cases({"01.a": "PASS"})
    assert state.read().cases == {"01.a": "PASS", "01.b": "PASS"}
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("LABKIT_WORK", str(work / state.NAME / "below a file"))
    state.note_cases({"01.a": "FAIL"})
    assert "your progress is not kept" in capsys.readouterr().out


@pytest.mark.parametrize(("watched", "off", "kept"), [(True, "", True), (True, "off", False), (False, "", False)])
def test_who_types_a_command_looks_on(work, monkeypatch, watched, off, kept):
    """There is no frontend to ask then; LABKIT_PROGRESS=off counts there, too."""
    monkeypatch.setenv("LABKIT_PROGRESS", off)
    state.note_cases({"01.a": "PASS"}, watched=watched)
    assert work.exists() is kept
