"""One student of a class that is graded: what they handed in, and the steps by which it is graded."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from labkit.grading.gradebook.handed_in import Handed
from labkit.grading.gradebook.results import Grade
from labkit.grading.judge.criteria import Exercise
from labkit.grading.judge.judge import BY_HAND, Result, Status, Verdict
from labkit.grading.judge.request import Request
from labkit.grading.notebook.submission import Submission
from labkit.grading.reader.whose import Whose, short
from labkit.grading.run_through.attempt import Attempt, checks, rebuilt
from labkit.grading.sandbox.room import Room
from labkit.grading.sandbox.warm import Servers
from labkit.isolation.work import StoppedError

UNRUN = "the notebooks were not run: the lab could not do it, or could not judge an exercise"
SECONDS = 120.0
"""Real time that a case may take."""
Journal = Mapping[str, str]


@dataclass(frozen=True)
class Desk:
    """Where a student is graded, and how."""

    room: Room
    criteria: Path | None
    servers: Servers | None
    """None: their code is trusted, and not enclosed."""
    sound: Callable[[], bool] = lambda: True
    """Whether what the student was lent is still there."""


class NotJudgedError(Exception):
    """The lab could not judge an exercise. What it did find is in `result`."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.stem)
        self.result = result


@dataclass(frozen=True)
class Student:
    """A student with the answers to each exercise that was handed in."""

    RUN: ClassVar = "notebooks"
    """The last step: whether the notebooks run through."""

    name: str
    submissions: dict[str, Submission]
    notes: list[str]
    exercises: Mapping[str, Exercise]
    look: bool = False
    """Whether something that was handed in could not be used."""
    whose: Whose | None = None
    seed: int = 0
    """Of the grading."""
    tokens: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Exercise stem → what is compared with other students' answers."""

    @classmethod
    def of(cls, handed: Handed, exercises: Mapping[str, Exercise], seed: int = 0) -> "Student":
        """Of what was handed in."""
        return cls(
            handed.student, handed.submissions, handed.notes, exercises, handed.look, handed.whose, seed, handed.tokens
        )  # fmt: skip

    @property
    def id(self) -> str:
        """What the student's task and lock are called: short, whatever the name is."""
        return short(self.name)

    @property
    def needs_database(self) -> bool:
        """Whether one of the exercises is about PostgreSQL."""
        return any(self.exercises[stem].database for stem in self.submissions)

    def told(self) -> list[Any]:
        """All that the grade depends on, as plain data."""
        each = {stem: [s.answers, sorted(s.elsewhere), s.notes] for stem, s in self.submissions.items()}
        return [each, self.notes, self.look]

    def steps(self, desk: Desk, journal: Callable[[], Journal]) -> dict[str, Callable[[], str]]:
        """What is to be done: judge each exercise, then run the notebooks. `journal` is what was done before."""
        steps = {stem: partial(self._judge, stem, desk) for stem in self.submissions}
        return {**steps, self.RUN: lambda: json.dumps(self._run(desk, journal()))}

    def grade(self, journal: Journal, failed: Mapping[str, Exception] = MappingProxyType({})) -> Grade:
        """What it came to. `failed`: the steps that the lab could not do, and why."""
        results = [
            *self._results(journal).values(),
            *(self._unjudged(stem, failed[stem]) for stem in failed if stem != self.RUN),
        ]
        results.sort(key=lambda result: [*self.submissions].index(result.stem))
        runs = [UNRUN] if self.RUN in failed else json.loads(journal.get(self.RUN, "[]"))
        look = self.look or self.RUN in failed
        return Grade.of(self.name, results, runs, self.notes, self.exercises, self.whose, look=look)

    def ungraded(self, error: Exception) -> Grade:
        """What it came to if the lab could not grade it: somebody must look."""
        notes = [*self.notes, f"the grading itself failed ({type(error).__name__}): look at the files yourself"]
        return Grade.of(self.name, [], [], notes, self.exercises, self.whose, look=True)

    def _results(self, journal: Journal) -> dict[str, Result]:
        return {stem: Result.model_validate_json(journal[stem]) for stem in self.submissions if stem in journal}

    def _judge(self, stem: str, desk: Desk) -> str:
        """The result as JSON. NotJudgedError if some of it is the lab's own failure: that is no verdict to keep."""
        request = Request(
            name=stem, submission=self.submissions[stem], seed=self.seed, criteria=desk.criteria, seconds=SECONDS
        )  # fmt: skip
        status, said = desk.servers.judge(request, desk.room) if desk.servers else _judge_apart(request)
        if status:
            raise NotJudgedError(self._looked_at(stem, f"the judge itself failed, with exit status {status}"))
        if not desk.sound():
            raise NotJudgedError(self._looked_at(stem, "the database server ended"))
        result = Result.model_validate_json(said)
        if any(verdict.status is Status.LOOK for verdict in result.verdicts):
            raise NotJudgedError(result)
        return said.decode()

    def _unjudged(self, stem: str, error: Exception) -> Result:
        if isinstance(error, NotJudgedError):
            return error.result
        return self._looked_at(stem, f"the grading itself failed ({type(error).__name__})")

    def _looked_at(self, stem: str, what: str) -> Result:
        """If nothing was judged: a human must look at every case."""
        exercise = self.exercises[stem]
        verdicts = [Verdict.of(case, Status.LOOK, f"{what}: {BY_HAND}") for case in exercise.cases]
        notes = self.submissions[stem].notes
        return Result(stem=stem, title=exercise.title, seed=self.seed, verdicts=verdicts, notes=notes)

    def _run(self, desk: Desk, journal: Journal) -> list[str]:
        answered = {stem: each for stem, each in self.submissions.items() if each.answers}
        results = self._results(journal)
        if unjudged := answered.keys() - results:
            raise LookupError(f"not judged: {sorted(unjudged)}")
        attempt = Attempt(
            {stem: rebuilt(self.exercises[stem], each) for stem, each in answered.items()},
            {stem: checks(self.exercises[stem], results[stem]) for stem in answered},
        )
        return attempt.run(desk.room, desk.servers) if answered else []


def _judge_apart(request: Request) -> tuple[int, bytes]:
    command = [sys.executable, "-P", "-m", "labkit.grading.judge.request"]
    done = subprocess.run(command, input=request.model_dump_json().encode(), capture_output=True, check=False)
    if done.returncode == -signal.SIGINT:  # whoever interrupts the grading interrupts this, too
        raise StoppedError
    return done.returncode, done.stdout
