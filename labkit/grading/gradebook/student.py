"""One student of a class that is graded: what they handed in, and the steps by which it is graded."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

from labkit.grading.gradebook.handed_in import Handed
from labkit.grading.gradebook.rows import Entry
from labkit.grading.gradebook.steps import Journal, Key, Step
from labkit.grading.gradebook.times import handed_in
from labkit.grading.judge.criteria import Exercise
from labkit.grading.judge.judge import BY_HAND, Result, Status, Verdict
from labkit.grading.judge.request import Request
from labkit.grading.notebook.submission import Submission
from labkit.grading.reader.whose import Whose, short
from labkit.grading.run_through.attempt import Attempt, checks, rebuilt
from labkit.grading.sandbox.room import Room
from labkit.grading.sandbox.warm import Servers
from labkit.isolation.work import StoppedError

UNRUN = "a notebook was not run: the lab could not do it, or could not judge the exercise"
SECONDS = 120.0
"""Real time that a case may take."""


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
    files: Mapping[str, str] = field(default_factory=dict)
    """Exercise stem → the file that its answers come from."""
    in_doubt: Collection[str] = ()
    """The exercises of which another file may count."""

    @classmethod
    def of(cls, handed: Handed, exercises: Mapping[str, Exercise], seed: int = 0, asked: Collection[str] = ()) -> Self:
        """Of what was handed in; of the exercises `asked` for alone, if any are."""
        mine = {stem: each for stem, each in handed.submissions.items() if not asked or stem in asked}
        return cls(
            handed.student, mine, handed.notes, exercises, handed.look, handed.whose, seed, handed.tokens,
            handed.notebooks, handed.in_doubt,
        )  # fmt: skip

    @property
    def id(self) -> str:
        """What the student's task, row and lock are called: short, whatever the name is."""
        return short(self.name)

    @property
    def needs_database(self) -> bool:
        """Whether one of the exercises is about PostgreSQL."""
        return any(self.exercises[stem].database for stem in self.submissions)

    def told(self, stem: str) -> list[Any]:
        """All of an exercise that its grade depends on, as plain data."""
        answers = self.submissions[stem]
        return [answers.answers, sorted(answers.elsewhere), answers.notes]

    def steps(self, desk: Desk, journal: Callable[[], Journal], keys: Mapping[str, Key]) -> dict[str, Step]:
        """What is to be done: judge each exercise, then run its notebook. `journal` is what was done before.

        `keys`: exercise stem → what its two steps are called; a step without a name is left out.
        """
        judged = {keys[stem].judged: partial(self._judge, stem, desk) for stem in self.submissions}
        run = {keys[s].run: partial(self._ran, s, desk, journal, keys[s]) for s in self.submissions if keys[s].run}
        return {**judged, **run}

    def entries(self, journal: Journal, failed: Mapping[str, Exception], keys: Mapping[str, Key]) -> dict[str, Entry]:
        """What it came to, by exercise. `failed`: the steps that the lab could not do, and why."""
        return {stem: self._entry(stem, journal, failed, keys[stem]) for stem in self.submissions}

    def unread(self, error: Exception | None = None) -> Entry:
        """Of an exercise that is not there to be judged, or that the lab could not grade: then somebody must look."""
        failed = f"the grading itself failed ({type(error).__name__}): look at the files yourself"
        notes = [*self.notes, *([failed] if error else [])]
        return Entry(notes=notes, look=self.look or error is not None, **self._who())

    def _entry(self, stem: str, journal: Journal, failed: Mapping[str, Exception], key: Key) -> Entry:
        if key.judged in failed:
            result = self._unjudged(stem, failed[key.judged])
        else:
            result = Result.model_validate_json(journal[key.judged])
        runs = [UNRUN] if key.run in failed else json.loads(journal.get(key.run, "[]"))
        look, tokens = self.look or stem in self.in_doubt or key.run in failed, list(self.tokens.get(stem, ()))
        return Entry(
            result=result,
            runs=runs,
            notes=self.notes,
            look=look,
            tokens=tokens,
            **self._who(),
            **handed_in(self.files.get(stem, "")),
        )

    def _who(self) -> dict[str, str]:
        return {"platform": self.whose.platform, "id": self.whose.id} if self.whose else {}

    def _judge(self, stem: str, desk: Desk) -> str:
        """The result as JSON. NotJudgedError if some of it is the lab's own failure: that is no verdict to keep."""
        request = Request(
            name=stem, submission=self.submissions[stem], seed=self.seed, criteria=desk.criteria, seconds=SECONDS
        )  # fmt: skip
        status, said = desk.servers.judge(request, desk.room) if desk.servers else _judge_apart(request)
        if status:
            raise NotJudgedError(self.looked_at(stem, f"the judge itself failed, with exit status {status}"))
        if not desk.sound():
            raise NotJudgedError(self.looked_at(stem, "the database server ended"))
        result = Result.model_validate_json(said)
        if any(verdict.status is Status.LOOK for verdict in result.verdicts):
            raise NotJudgedError(result)
        return said.decode()

    def _unjudged(self, stem: str, error: Exception) -> Result:
        if isinstance(error, NotJudgedError):
            return error.result
        return self.looked_at(stem, f"the grading itself failed ({type(error).__name__})")

    def looked_at(self, stem: str, what: str) -> Result:
        """If nothing was judged: a human must look at every case."""
        exercise = self.exercises[stem]
        verdicts = [Verdict.of(case, Status.LOOK, f"{what}: {BY_HAND}") for case in exercise.cases]
        notes = self.submissions[stem].notes
        return Result(stem=stem, title=exercise.title, seed=self.seed, verdicts=verdicts, notes=notes)

    def _ran(self, stem: str, desk: Desk, journal: Callable[[], Journal], key: Key) -> str:
        """Which cells did not run through, as JSON. LookupError if the exercise was not judged."""
        submission, exercise = self.submissions[stem], self.exercises[stem]
        if not submission.answers:
            return "[]"
        result = Result.model_validate_json(journal()[key.judged])
        attempt = Attempt({stem: rebuilt(exercise, submission)}, {stem: checks(exercise, result)})
        return json.dumps(attempt.run(desk.room, desk.servers))


def _judge_apart(request: Request) -> tuple[int, bytes]:
    command = [sys.executable, "-P", "-m", "labkit.grading.judge.request"]
    done = subprocess.run(command, input=request.model_dump_json().encode(), capture_output=True, check=False)
    if done.returncode == -signal.SIGINT:  # whoever interrupts the grading interrupts this, too
        raise StoppedError
    return done.returncode, done.stdout
