"""What every judge of an exercise must do: wrong answers fail the case they break, right ones of any shape pass."""

import re

from labkit.grading.judge.criteria import find
from labkit.grading.judge.judge import Status, Verdict, judge
from labkit.grading.notebook.cells import read_notebook
from labkit.grading.notebook.submission import Submission
from labkit.repository import root


def wrong(rows):
    """The parameters for wrong answers: what it is, the case it breaks, what must be said, cells."""
    return {
        "argnames": ("case", "message", "cells"),
        "argvalues": [row[1:] for row in rows],
        "ids": [f"{row[0]}-{row[1]}" for row in rows],
    }


def submission(number: str, cells: list[str]) -> Submission:
    """The solution of an exercise, with these cells in it."""
    exercise, _ = find(number)
    made = Submission()
    for cell in read_notebook(root() / "solutions" / f"{exercise.stem}.ipynb"):
        if cell.answer:
            made.add(cell.source)
    for cell in cells:
        made.add(cell.lstrip())
    return made


def verdict_of(number: str, case: str, cells: list[str]) -> Verdict:
    """What the judge says to these cells in one case."""
    exercise, cases = find(number)
    return judge(exercise, submission(number, cells), [c for c in cases if c.id == case]).verdicts[-1]


def assert_fails(number: str, case: str, message: str, cells: list[str]) -> None:
    """The verdict is FAIL, says what happened in a learner's words, and what to look at next."""
    verdict = verdict_of(number, case, cells)
    assert verdict.status is Status.FAIL
    assert re.search(message, verdict.what), verdict.what
    assert verdict.next or "not Python" in verdict.what
    assert "Traceback" not in verdict.what


def assert_passes(number: str, cells: list[str], seed: int = 0) -> None:
    """Every case is met."""
    exercise, cases = find(number)
    result = judge(exercise, submission(number, cells), cases, seed)
    assert [(v.case, v.status, v.what) for v in result.verdicts if v.status is not Status.PASS] == []
