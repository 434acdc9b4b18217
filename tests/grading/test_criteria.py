"""Each exercise is graded right: wrong answers fail the case they break, right answers of other shapes pass."""

import re

import pytest
from corpora import CORPORA, submission

from labkit.grading.judge.criteria import find
from labkit.grading.judge.judge import BY_HAND, Status, judge

pytestmark = pytest.mark.slow


def wrong(kind):
    """Parameters of that kind: the exercise, the case that is broken, what must be said, and the cells."""
    rows = {
        f"{number}-{what}-{case}": (number, case, message, cells)
        for number, corpus in CORPORA.items()
        for what, case, message, cells in getattr(corpus, kind, ())
    }
    return {"argnames": ("number", "case", "message", "cells"), "argvalues": rows.values(), "ids": rows}


def right():
    """Parameters: the exercise, and the cells."""
    rows = {f"{number}-{what}": (number, cells) for number in CORPORA for what, cells in CORPORA[number].RIGHT.items()}
    return {"argnames": ("number", "cells"), "argvalues": rows.values(), "ids": rows}


def assert_fails(number, case, message, cells):
    """The verdict is FAIL, says what happened in a learner's words, and what to look at next."""
    exercise, cases = find(number)
    verdict = judge(exercise, submission(number, cells), [each for each in cases if each.id == case]).verdicts[0]
    assert verdict.status is Status.FAIL
    assert re.search(message, verdict.what), verdict.what
    assert verdict.next or "not Python" in verdict.what
    assert "Traceback" not in verdict.what


def assert_passes(number, cells, seed=0):
    """Every case is met."""
    exercise, cases = find(number)
    result = judge(exercise, submission(number, cells), cases, seed)
    assert [(v.case, v.status, v.what) for v in result.verdicts if v.status is not Status.PASS] == []


@pytest.mark.parametrize(**wrong("WRONG"))
def test_a_wrong_answer_fails_the_case_it_breaks(number, case, message, cells):
    """The verdict is FAIL, says what happened, and shows what to look at next."""
    assert_fails(number, case, message, cells)


@pytest.mark.parametrize(**wrong("CHEATS"))
def test_who_goes_for_the_judge_fails(number, case, message, cells):
    """The world has the clock and the calls, and the parent compares."""
    assert_fails(number, case, message, cells)


@pytest.mark.parametrize(**right())
def test_a_right_answer_of_another_shape_passes(number, cells):
    """Every case is met."""
    assert_passes(number, cells)


@pytest.mark.parametrize("number", CORPORA)
def test_the_solution_passes_whatever_the_inputs(number):
    """Inputs drawn from another seed than the notebooks' change nothing."""
    assert_passes(number, [], seed=1)


WITH_A_SET = """# answer: step_key
def step_key(task_id, step):
    assert {task_id, step}
    return repr((task_id, step))
"""


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
