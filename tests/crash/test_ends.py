"""The clean end of a child: as Python's own, and nothing of it where the child is killed."""

import atexit
import sys
import tempfile
import threading
import time
import weakref
from pathlib import Path

import pytest

from labkit import sweep, trial


def test_what_is_registered_with_atexit_runs_at_a_clean_end_and_not_at_a_kill():
    """Its effects are crash points; killed before them, the file is still there."""

    def run() -> None:
        Path("lock").touch()
        atexit.register(Path("lock").unlink)
        Path("note").touch()

    report = sweep(run, lambda: [Path("lock").exists(), Path("note").exists()], lambda seen: None)
    assert [effect.op for effect in report.effects] == ["open", "open", "unlink", "RETURN"]
    assert trial(run).files == {"note": ""}


def fails() -> None:
    atexit.register(Path("said").touch)
    raise ValueError("no")


def leaves() -> None:
    atexit.register(Path("said").touch)
    raise SystemExit(3)


@pytest.mark.parametrize("run", [fails, leaves])
def test_it_runs_after_an_error_as_well(run):
    """As in Python."""
    seen = trial(run)
    assert (seen.how, seen.files) == ("raised", {"said": ""})


def test_a_file_that_is_still_open_is_flushed_at_a_clean_end():
    """By the interpreter, one after the other: effects like others, and crash points between them."""

    def run() -> None:
        kept = globals()["kept"] = [open(name, "w", encoding="utf-8") for name in ("a", "b")]  # noqa: SIM115 - left open
        for file in kept:
            file.write(file.name)
        Path("c").open("wb").close()

    report = sweep(run, lambda: [Path(name).exists() and Path(name).read_text() for name in "ab"], lambda seen: None)
    assert [str(effect) for effect in report.effects] == ["open a", "open b", "open c", "write a", "write b", "RETURN"]
    assert [report.replay(k).after["a"] for k in (3, 4)] == ["", "a"]
    assert trial(run).files == {"a": "a", "b": "b", "c": ""}


@pytest.mark.parametrize("code", [None, 0])
def test_who_exits_with_status_0_has_done_its_work(code):
    """As a main() that ends by sys.exit: in run and in setup, where nobody wants to know what they return."""

    def run() -> None:
        Path("note").touch()
        sys.exit(code)

    report = sweep(run, lambda: Path("note").exists(), lambda seen: None, run)
    assert [effect.op for effect in report.effects] == ["utime", "RETURN"]
    assert not report.problem


def test_who_exits_with_another_status_has_failed():
    """It is told with its line."""
    report = sweep(lambda: sys.exit(2), lambda: None, lambda seen: None)
    assert report.problem == "run raised SystemExit: 2"


def test_what_is_finalized_at_exit_is_finalized():
    """weakref.finalize, on which TemporaryDirectory stands."""

    class Thing:
        pass

    def run() -> None:
        thing = Thing()
        weakref.finalize(thing, Path("said").touch)
        globals()["thing"] = thing
        globals()["folder"] = tempfile.TemporaryDirectory(dir=".")

    assert trial(run).files == {"said": ""}


def test_a_thread_that_still_runs_is_waited_for():
    """A program is not over before its threads are; a daemon's end is nobody's business."""

    def run() -> None:
        def late() -> None:
            time.sleep(5)
            Path("late").touch()

        threading.Thread(target=late).start()

    seen = trial(run)
    assert seen.files == {"late": ""}
