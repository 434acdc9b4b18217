"""What is judged: `exercises/criteria.toml` names exercises, cases and hints; `exercises/criteria/<stem>.py` judges."""

import re
import tomllib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labkit.grading.judge.program import Program
from labkit.grading.notebook.cells import Cell, read_cells, read_notebook
from labkit.grading.notebook.names import labkit_imports
from labkit.grading.notebook.submission import Submission, submission_from
from labkit.repository import UsageError, root

Judge = Callable[[Program, Random], None]
"""Judges one case: fails by AssertionError, with the counterexample as its text."""


class Case(BaseModel):
    """One thing that is judged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    criterion: str
    title: str
    marks: int | float = Field(ge=0, multiple_of=0.5)
    answers: tuple[str, ...]
    """The answers that it needs."""
    depends_on: tuple[str, ...] = ()
    """The cases that must be met before this one says anything."""
    next: str
    """The question to look at next when it fails."""
    hints: tuple[str, ...]
    worked: str = ""
    """A small case worked through: how it is done right, and why. Shown when the case is met, or on request."""


class Exercise(BaseModel):
    """A chapter's exercise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stem: str
    folder: Path
    """Where its notebook and its criteria are."""
    title: str
    signatures: dict[str, str]
    """Answer name → its signature and promise."""
    replaces: dict[str, str]
    """Answer name → what it stands in for in labkit."""
    database: bool = False
    """Whether its cases need PostgreSQL."""
    cases: tuple[Case, ...] = ()

    @property
    def number(self) -> str:
        """As in "01"."""
        return self.stem.partition("_")[0]

    @property
    def notebook(self) -> Path:
        """The instructor's notebook."""
        return self.folder / f"{self.stem}.ipynb"

    @cached_property
    def cells(self) -> list[Cell]:
        """The instructor's cells that make up the judged program: the given ones and the unsolved answers."""
        return [cell for cell in read_notebook(self.notebook) if "given" in cell.tags or cell.answer]

    @cached_property
    def stubs(self) -> dict[str, Cell]:
        """The answers as they are before anybody solved them."""
        return {cell.answer: cell for cell in self.cells if cell.answer}

    def judges(self) -> dict[str, Judge]:
        """Case id → the function that judges it."""
        path = self.folder / "criteria" / f"{self.stem}.py"
        # A module that is not importable: its functions travel to the children by value.
        module = ModuleType("labkit.grading.cases")
        exec(compile(path.read_text(encoding="utf-8"), path, "exec"), vars(module))  # noqa: S102 - the instructor's
        return {case.id: getattr(module, case.id) for case in self.cases}


def read_submission(exercise: Exercise, path: Path) -> Submission:
    """The answers in the notebook at `path`, and notes about what was odd. UsageError if nothing can be read."""
    return submission_of(exercise, *read_cells(path))


def submission_of(exercise: Exercise, cells: Sequence[Cell], notes: Sequence[str] = ()) -> Submission:
    """The answers among these cells, and notes about what was odd, beside those of reading them."""
    submission = submission_from(cells, exercise.stubs)
    submission.notes = [*notes, *submission.notes, *_leaning(exercise, submission)]
    return submission


def _leaning(exercise: Exercise, submission: Submission) -> list[str]:
    """Whether an answer may be labkit's rather than the student's. That is for people to say: it costs no marks."""
    usual = set().union(*(labkit_imports(cell.source) for cell in exercise.cells))
    leaning = {name: labkit_imports(source) - usual for name, source in submission.answers.items()}
    meaning = "which its exercise does not: it costs no marks, and your instructor sees it"
    return [f"the answer {name} imports {', '.join(sorted(more))}, {meaning}" for name, more in leaning.items() if more]


def criteria() -> dict[str, str]:
    """The criteria of the course, each with its promise. Each depends on all those before it."""
    return _table(root() / "exercises")["criteria"]


def exercises(folder: Path | None = None) -> dict[str, Exercise]:
    """All exercises, by stem, in order: ours, or those in an instructor's `folder` of the same shape.

    UsageError if that folder cannot be read.
    """
    folder = folder or root() / "exercises"
    try:
        table = _table(folder)["exercises"]
        return {stem: _exercise(stem, folder, entry) for stem, entry in table.items()}
    except FileNotFoundError:
        raise UsageError(f"there is no criteria.toml in {folder}: it names the exercises and their cases") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{folder / 'criteria.toml'} cannot be used: {error}") from None


def _exercise(stem: str, folder: Path, entry: Any) -> Exercise:
    try:
        return Exercise(stem=stem, folder=folder, **entry)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part + 1 if isinstance(part, int) else part) for part in (stem, *first["loc"]))
        raise ValueError(f"{where}: {first['msg']}") from None


def _table(folder: Path) -> dict[str, Any]:
    with (folder / "criteria.toml").open("rb") as file:
        return tomllib.load(file)


def find(name: str, folder: Path | None = None) -> tuple[Exercise, list[Case]]:
    """The exercise and the cases that a name means: "01", "01_file_storage" or "01.saves_whole". Else UsageError."""
    wanted, _, case_id = name.partition(".")
    ready = [exercise for exercise in exercises(folder).values() if exercise.cases]
    choice = ", ".join(exercise.number for exercise in ready)
    if not re.match(r"\w+$", wanted):
        raise UsageError(f"{name!r} is not the name of an exercise: choose from {choice}")
    for exercise in ready:
        if wanted in {exercise.stem, exercise.number, exercise.number.lstrip("0")}:
            cases = [case for case in exercise.cases if case_id in {"", case.id}]
            if not cases:
                known = ", ".join(case.id for case in exercise.cases)
                raise UsageError(f"exercise {exercise.number} has no case {case_id}: choose from {known}")
            return exercise, cases
    raise UsageError(f"there is no exercise {wanted}: choose from {choice}")
