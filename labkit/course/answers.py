"""A student's answers, for whoever builds on them: what is there is theirs, what is not there yet is labkit's own.

They travel as text. A `Program` is made of them, and only a child runs it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from labkit.grading.judge.criteria import Exercise, exercises, read_submission
from labkit.grading.judge.program import Program
from labkit.grading.judge.rebuild import rebuild
from labkit.grading.notebook.cells import Cell
from labkit.grading.notebook.submission import Submission
from labkit.repository import UsageError, work

USES = {
    "execute_task_if_not_done": "step_key",
    "execute_with_retry": "delays",
    "run_steps": "step_timeout",
    "execute_step": "finish_step",
}
"""An answer of labkit's own → the answer that it calls, which is bound by `partial` and may be the student's."""
ASKS = ("read_region", "draw_host", "is_friday")
ON_ENGINES = {
    name: f"""from functools import partial

from labkit.course.own_engines import {name}

{name} = partial({name}, {", ".join(f"{ask}={ask}" for ask in ASKS)})
"""
    for name in ("deploy", "deploy_and_tell")
}
"""Answers of labkit's own that load an engine, and are given what the exercise gives."""


@dataclass(frozen=True)
class Answers:
    """The answers to one exercise."""

    exercise: Exercise
    yours: Mapping[str, str] = field(default_factory=dict)
    """Answer name → its cell. An unsolved stub is no answer."""
    notes: tuple[str, ...] = ()
    """What was odd about the notebook."""
    elsewhere: frozenset[str] = frozenset()
    """Names that the student's other cells define."""

    def submission(self, only: Collection[str] | None = None) -> Submission:
        """All answers, labkit's own where there is none. `only` names those of the student that count."""
        own = {name: _own(name) for name in self.exercise.signatures}
        taken = {name: cell for name, cell in self.yours.items() if only is None or name in only}
        return Submission(own | taken, set(self.elsewhere), list(self.notes))

    def program(self, only: Collection[str] | None = None) -> Program:
        """The same as a program, for a child."""
        return rebuild(self.exercise, self.submission(only))

    def but(self, cell: str) -> Self:
        """These with one more answer of the student, given as the text of its cell. UsageError if it is none."""
        name = Cell(cell).answer
        if name not in self.exercise.signatures:
            known = ", ".join(self.exercise.signatures)
            raise UsageError(f"the cell is no answer to exercise {self.exercise.number}: choose from {known}")
        return replace(self, yours={**self.yours, name: cell})

    def whose(self) -> str:
        """In a line: which answers are the student's, and which are labkit's."""
        named = {name: [] for name in ("yours", "labkit's")}
        for name in self.exercise.signatures:
            named["yours" if name in self.yours else "labkit's"].append(name)
        parts = [f"{who}: {', '.join(names)}" for who, names in named.items() if names]
        return f"{self.exercise.number}  {';  '.join(parts)}"


def _own(name: str) -> str:
    """The cell of labkit's own answer."""
    if name == "Deploy":
        return f"# answer: {name}\n{Path(__file__).with_name('own_temporal.py').read_text(encoding='utf-8')}"
    if name in ON_ENGINES:
        return f"# answer: {name}\n{ON_ENGINES[name]}"
    imported = f"# answer: {name}\nfrom labkit.course.own import {name}\n"
    if used := USES.get(name):
        return f"{imported}from functools import partial\n\n{name} = partial({name}, {used}={used})\n"
    return imported


def load(stem: str) -> Answers:
    """The answers in the student's copy, work/exercises/<stem>.ipynb; none if there is no copy.

    UsageError, in one line, if there is no such exercise, or if the copy is no notebook.
    """
    known = exercises()
    if stem not in known:
        raise UsageError(f"there is no exercise {stem!r}: choose from {', '.join(known)}")
    path = work() / "exercises" / f"{stem}.ipynb"
    return answers_in(known[stem], read_submission(known[stem], path) if path.exists() else Submission())


def load_all() -> dict[str, Answers]:
    """The answers to every exercise, by stem, in the order of the course."""
    return {stem: load(stem) for stem in exercises()}


def answers_in(exercise: Exercise, handed_in: Submission) -> Answers:
    """The answers in what was handed in, without the stubs."""
    stubs = {name: cell.source.strip() for name, cell in exercise.stubs.items()}
    solved = {name: cell for name, cell in handed_in.answers.items() if name in stubs and cell.strip() != stubs[name]}
    return Answers(exercise, solved, tuple(handed_in.notes), frozenset(handed_in.elsewhere))
