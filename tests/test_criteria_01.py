"""Exercise 1 is graded right: wrong answers fail the case they break, right answers of other shapes pass."""

import re

import pytest
from answers import a01_file_storage as answers

from labkit.grading.answers import Submission, read_notebook
from labkit.grading.criteria import find
from labkit.grading.judge import Status, judge
from labkit.repository import root

EXERCISE, CASES = find("01")


def submission(cells: list[str]) -> Submission:
    """The solution, with these cells in it."""
    made = Submission()
    for cell in read_notebook(root() / "solutions" / f"{EXERCISE.stem}.ipynb"):
        if cell.answer:
            made.add(cell.source)
    for cell in cells:
        made.add(cell.lstrip())
    return made


@pytest.mark.parametrize(
    ("case", "message", "cells"),
    [row[1:] for row in answers.WRONG],
    ids=[f"{row[0]}-{row[1]}" for row in answers.WRONG],
)
def test_a_wrong_answer_fails_the_case_it_breaks(case, message, cells):
    """The verdict is FAIL, says what happened, and shows what to look at next."""
    result = judge(EXERCISE, submission(cells), [c for c in CASES if c.id == case])
    verdict = result.verdicts[-1]
    assert verdict.status is Status.FAIL
    assert re.search(message, verdict.what), verdict.what
    assert verdict.next or "not Python" in verdict.what
    assert "Traceback" not in verdict.what


@pytest.mark.parametrize("cells", answers.RIGHT.values(), ids=answers.RIGHT)
def test_a_right_answer_of_another_shape_passes(cells):
    """Every case is met."""
    result = judge(EXERCISE, submission(cells), CASES)
    assert [(v.case, v.status, v.what) for v in result.verdicts if v.status is not Status.PASS] == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_solution_passes_whatever_the_inputs(seed):
    """Inputs drawn from another seed change nothing."""
    result = judge(EXERCISE, submission([]), CASES, seed)
    assert [(v.case, v.what) for v in result.verdicts if v.status is not Status.PASS] == []
