"""A student's answers are found, labkit's own stand in for the rest, and neither runs outside of a child."""

import json

import pytest
from rest import rest_is_long

from labkit import trial
from labkit.course import answers
from labkit.grading.judge.criteria import exercises
from labkit.grading.judge.judge import Status, judge
from labkit.grading.judge.program import NotInAChildError
from labkit.repository import UsageError, root

STEM = "01_file_storage"
SAVE = '# answer: save_task\ndef save_task(task, path):\n    raise OSError("mine")\n'
STEMS = list(exercises())


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """Where the student's copy of exercise 1 would be."""
    monkeypatch.setenv("LABKIT_WORK", str(tmp_path))
    (tmp_path / "exercises").mkdir()
    return tmp_path / "exercises" / f"{STEM}.ipynb"


def hand_in(copy, **changed):
    """The exercise as it was handed out, with these answers in their cells."""
    notebook = json.loads((root() / "exercises" / f"{STEM}.ipynb").read_text())
    for cell in notebook["cells"]:
        name = "".join(cell["source"]).partition("\n")[0].removeprefix("# answer: ")
        cell["source"] = changed.get(name, cell["source"])
    copy.write_text(json.dumps(notebook))


def texts(program):
    """The source of a program."""
    return "\n".join(source.text for source in program.sources)


def test_without_a_copy_everything_is_labkits(copy):
    """A student can walk through the capstone before the first exercise."""
    assert not copy.exists()
    loaded = answers.load(STEM)
    assert loaded.yours == {}
    assert loaded.whose() == "01  labkit's: save_task, load_task, resume"
    assert "from labkit.course.own import save_task" in texts(loaded.program())


def test_an_unsolved_stub_is_no_answer(copy):
    """A copy that nobody has touched counts as none."""
    hand_in(copy)
    assert answers.load(STEM).yours == {}


def test_each_answer_is_taken_for_itself(copy):
    """What is solved is the student's, the rest is labkit's, and a line says which."""
    hand_in(copy, save_task=SAVE)
    loaded = answers.load(STEM)
    assert loaded.whose() == "01  yours: save_task;  labkit's: load_task, resume"
    assert SAVE in texts(loaded.program())
    assert "from labkit.course.own import load_task" in texts(loaded.program())
    assert "class TaskFiles" in texts(loaded.program())


def test_answers_can_be_left_out(copy):
    """A program can have labkit's own in the place of an answer that is there."""
    hand_in(copy, save_task=SAVE)
    assert SAVE not in texts(answers.load(STEM).program(only=["load_task"]))


def test_nothing_runs_outside_of_a_child(copy):
    """To load answers, and to make a program of them, executes none of their lines."""
    hand_in(copy, save_task="# answer: save_task\nraise SystemExit\n")
    loaded = answers.load(STEM)
    assert "raise SystemExit" in texts(loaded.program())
    program = loaded.program()
    with pytest.raises(NotInAChildError, match="call it in what sweep or trial runs"):
        program["save_task"]
    with pytest.raises(NotInAChildError):
        program.skipped()
    assert trial(lambda: program["save_task"]).error == "SystemExit"


def test_an_answer_that_is_not_python_is_one_clear_line(copy):
    """It is loaded as text, and the judge says where it ends to be Python."""
    hand_in(copy, save_task="# answer: save_task\ndef save_task(:\n    pass\n")
    loaded = answers.load(STEM)
    verdict = judge(loaded.exercise, loaded.submission(), loaded.exercise.cases).verdicts[0]
    assert verdict.status is Status.FAIL
    assert verdict.what == "save_task: line 2 is not Python: invalid syntax"


@pytest.mark.parametrize("damage", ["", "{", '{"cells": 5}', '{"colour": "blue"}'])
def test_a_damaged_notebook_is_one_clear_line(copy, damage):
    """Which file it is, and no traceback: in a terminal as in a notebook."""
    copy.write_text(damage)
    with pytest.raises(UsageError, match="is not a notebook that can be read") as raised:
        answers.load(STEM)
    assert copy.name in str(raised.value)
    assert raised.value._render_traceback_() == [str(raised.value)]
    assert "\n" not in str(raised.value)


def test_an_exercise_that_is_not_there_is_named():
    """The complaint lists those that are."""
    with pytest.raises(UsageError, match="no exercise '09_nothing': choose from 01_file_storage"):
        answers.load("09_nothing")


@pytest.mark.usefixtures("copy")
def test_a_cell_that_is_no_answer_is_refused():
    """What is given as text must be an answer to that exercise."""
    assert answers.load(STEM).but(SAVE).yours == {"save_task": SAVE}
    with pytest.raises(UsageError, match="choose from save_task, load_task, resume"):
        answers.load(STEM).but("# answer: step_key\n")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("stem", rest_is_long(reversed(STEMS), 1))
def test_labkits_own_answers_meet_every_case(stem, copy):
    """What stands in for a student is right by the judge that students face; two notebooks show it of the others."""
    assert not copy.exists()
    loaded = answers.load(stem)
    result = judge(loaded.exercise, loaded.submission(), loaded.exercise.cases)
    assert [(v.case, v.what) for v in result.verdicts if v.status is not Status.PASS] == []
