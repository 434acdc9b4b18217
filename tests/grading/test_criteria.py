"""Each exercise is graded right: wrong answers fail the case they break, and its solution has all marks."""

import csv
import shutil
from pathlib import Path

import pytest
from corpora import CORPORA, assert_fails, submission, wrong
from rest import rest_is_long

from labkit.cli import main
from labkit.grading.judge.criteria import find
from labkit.grading.judge.judge import BY_HAND, Status, judge

pytestmark = pytest.mark.slow


SOLUTIONS = Path(__file__).parents[2] / "solutions"
MOST = 3
"""Cases of each exercise of which a wrong answer is judged here; `make long` takes all, and right answers."""


@pytest.mark.parametrize(**wrong("WRONG", MOST))
def test_a_wrong_answer_fails_the_case_it_breaks(number, case, message, cells):
    """The verdict is FAIL, says what happened, and shows what to look at next."""
    assert_fails(number, case, message, cells)


@pytest.mark.parametrize(**wrong("CHEATS", MOST))
def test_who_goes_for_the_judge_fails(number, case, message, cells):
    """The world has the clock and the calls, and the parent compares."""
    assert_fails(number, case, message, cells)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", rest_is_long(CORPORA, 2))
def test_the_solution_has_all_its_marks_where_it_is_enclosed(number, tmp_path):
    """As `labkit grade` judges it, and with inputs that are drawn from another seed than the notebooks'."""
    (solution,) = SOLUTIONS.glob(f"{number}_*.ipynb")
    folder = tmp_path / "class" / "Ada"
    folder.mkdir(parents=True)
    shutil.copy(solution, folder)
    given = [tmp_path / "class", "--out", tmp_path / "out", "--only", number, "--seed", "1", "--marks-only"]
    assert main(["grade", *map(str, given)]) == 0
    most, ada = csv.DictReader((tmp_path / "out" / "gradebook.csv").open())
    assert {case: ada[case] for case in ada if case.startswith(number)} == {
        case: most[case] for case in most if case.startswith(number)
    }


WITH_A_SET = """# answer: step_key
def step_key(task_id, step):
    assert {task_id, step}
    return repr((task_id, step))
"""


@pytest.mark.long
def test_an_answer_that_no_other_python_was_asked_about_is_not_judged(monkeypatch):
    """It gets no PASS, and is to be shown to the instructor: its keys may hang on the hash of a text."""
    exercise, cases = find("02")
    judges = exercise.judges()
    monkeypatch.setattr(type(exercise), "judges", lambda self: judges)
    cases = [case for case in cases if case.id == "key_survives_restart"]

    def verdict():
        return judge(exercise, submission("02", [WITH_A_SET]), cases).verdicts[0]

    assert verdict().status is Status.PASS
    judges["key_survives_restart"].__globals__["FRESH"] = "raise SystemExit(1)"
    assert verdict().status is not Status.PASS
    assert BY_HAND in verdict().what
