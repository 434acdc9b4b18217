"""The map says where a student stands, in words, in a notebook and in a terminal alike."""

import io
import re

import pytest
import rich.console

from labkit import cli, my_progress
from labkit.course import standing
from labkit.course.standing import map_of
from labkit.grading.judge.criteria import exercises
from labkit.learner import state
from labkit.learner.state import Predicted, State
from labkit.learner.tally import chapters
from labkit.repository import root


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A student's folder."""
    monkeypatch.setenv("LABKIT_WORK", str(tmp_path))
    return tmp_path


def line(text, start):
    """The one line that begins so, with single spaces."""
    (found,) = [each for each in text.splitlines() if each.startswith(start)]
    return " ".join(found.split())


def all_met():
    """The state of whoever has done everything."""
    cases = {f"{each.number}.{case.id}": "PASS" for each in exercises().values() for case in each.cases}
    asked = [question for chapter in chapters(root()) for question in chapter.questions]
    return State(cases=cases, predictions={question: Predicted(said=1, right=True) for question in asked})


def test_at_first_nothing_is_begun():
    """Every chapter and every criterion is there, and the start page is next."""
    text = str(map_of(State()))
    assert line(text, "1. File storage") == "1. File storage not begun not begun"
    assert line(text, "5b. Claims") == "5b. Claims not begun none"
    assert line(text, "persists") == "persists not begun what was saved is there after any crash"
    assert line(text, "Next") == "Next: Start here"


def test_what_was_done_is_counted():
    """Predictions of the chapter, cases of the exercise and of the criterion."""
    first, second, *_ = next(each for each in chapters(root()) if each.stem == "01_file_storage").questions
    said = {first: Predicted(said=1, right=True), second: Predicted(said=1, right=False)}
    text = str(map_of(State(predictions=said, cases={"01.saves_whole": "PASS", "01.resumes": "FAIL"})))
    assert line(text, "1. File storage") == "1. File storage 2 of 4, 1 right 1 of 6 met"
    assert line(text, "persists").startswith("persists 1 of ")
    assert line(text, "resumes").startswith("resumes 0 of ")
    assert line(text, "You were right") == "You were right 1 time of 2, most often wrong about chapter 1. File storage."


def test_whoever_has_done_it_all_is_told():
    """And one case that fails again is next."""
    kept = all_met()
    text = str(map_of(kept))
    assert "not begun" not in text
    assert "Nothing is left: you have done it all." in text
    assert line(text, "1. File storage").endswith("6 of 6 met, done")
    kept.cases["06.parks"] = "FAIL"
    assert line(str(map_of(kept)), "Next") == "Next: 6. Saga"


def test_in_a_notebook_it_is_plain_where_nobody_looks(work, monkeypatch, capsys):
    """nbval sees the same map whatever a student has done."""
    (work / state.NAME).write_text(all_met().model_dump_json(by_alias=True))
    my_progress()
    assert capsys.readouterr().out == f"{map_of(State())}\n"
    monkeypatch.setattr(state, "is_watched", lambda: True)
    shown = []
    monkeypatch.setattr(standing, "display", shown.append)
    my_progress()
    assert shown == [map_of(all_met())]
    (work / state.NAME).write_text("{")
    my_progress()
    assert "cannot be read" in capsys.readouterr().out


def test_who_looks_sees_tables_with_the_same_words():
    """They fit a narrow screen; each row has its head, and < is no markup."""
    kept = map_of(State())
    kept.last.append("a < b")
    shown = kept._repr_mimebundle_()
    assert shown["text/plain"] == str(kept)
    assert re.search('<th scope="row" [^>]*>1. File storage</th><td [^>]*>not begun</td>', shown["text/html"])
    for row in (*kept.chapters, *kept.criteria):
        assert all(text in shown["text/html"] for text in row)
    assert "<p>a &lt; b</p>" in shown["text/html"]


def test_the_command_says_the_same(work, capsys):
    """Without a terminal, word for word; with a damaged state, one line and status 2."""
    (work / state.NAME).write_text(all_met().model_dump_json(by_alias=True))
    assert cli.main(["progress"]) == 0
    assert capsys.readouterr().out == f"{map_of(all_met())}\n"
    (work / state.NAME).write_text("{")
    assert cli.main(["progress"]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert "cannot be read" in said
    assert (work / state.NAME).read_text() == "{"


@pytest.mark.usefixtures("work")
def test_a_terminal_gets_tables_with_the_same_words(monkeypatch, capsys):
    """Also one that is narrow."""
    terminal = rich.console.Console(file=io.StringIO(), force_terminal=True, width=200, color_system=None)
    monkeypatch.setattr(rich.console, "Console", lambda: terminal)
    assert cli.main(["progress"]) == 0
    shown = terminal.file.getvalue() + capsys.readouterr().out
    for words in ("1. File storage", "not begun", "persists", "what was saved is there after any crash", "Next: Start"):
        assert words in shown
