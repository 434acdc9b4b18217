"""Wrong and right answers to every exercise, how they are judged, and a submission with some of them in it."""

import re
from collections import defaultdict
from importlib import import_module

from labkit.grading.judge.criteria import exercises, find, submission_of
from labkit.grading.judge.judge import Status, judge
from labkit.grading.notebook.cells import Cell, read_notebook
from labkit.grading.notebook.submission import Submission
from labkit.repository import root

CORPORA = {exercise.number: import_module(f"answers.a{stem}") for stem, exercise in exercises().items()}
"""By the number of the exercise."""


def wrong(kind, most=None):
    """Parameters: the exercise, the case that is broken, what must be said, the cells; of `most` cases one each."""
    rows, seen = {}, defaultdict(set)
    for number, corpus in CORPORA.items():
        for what, case, message, cells in getattr(corpus, kind, ()):
            if most is None or (case not in seen[number] and len(seen[number]) < most):
                seen[number].add(case)
                rows[f"{number}-{what}-{case}"] = number, case, message, cells
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


def submission(number: str, cells: list[str]) -> Submission:
    """The solution of an exercise, with these cells in it."""
    exercise, _ = find(number)
    given = [Cell(source.lstrip()) for source in cells]
    names = {cell.answer for cell in given}
    solution = read_notebook(root() / "solutions" / f"{exercise.stem}.ipynb")
    return submission_of(exercise, [*(cell for cell in solution if cell.answer and cell.answer not in names), *given])
