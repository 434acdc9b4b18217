"""Wrong and right answers to every exercise, and a submission with some of them in it."""

from importlib import import_module

from labkit.grading.judge.criteria import exercises, find
from labkit.grading.notebook.cells import read_notebook
from labkit.grading.notebook.submission import Submission
from labkit.repository import root

CORPORA = {exercise.number: import_module(f"answers.a{stem}") for stem, exercise in exercises().items()}
"""By the number of the exercise."""


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
