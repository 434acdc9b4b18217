"""`labkit grade --on`: submits what the book lacks, waits for workers, and puts the outcomes into the book.

    begun → submitted → ended → in the book       the book's journal says what is done

Killed at any point, the same command goes on: the grading's id lies in the book, what was submitted is found.
When all is in the book, nothing of it stays in the database.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from labkit.grading.distributed.checkpoint import Checkpoint, weakest
from labkit.grading.distributed.jobs import DROPPED, Jobs
from labkit.grading.distributed.messages import Outcome
from labkit.grading.gradebook.book import Book
from labkit.grading.gradebook.grader import Grader, Keys
from labkit.grading.gradebook.steps import FOR_ALL, Journal, Step
from labkit.grading.gradebook.student import NotJudgedError, Student
from labkit.grading.sandbox.guarantees import Guarantee
from labkit.repository import UsageError

LOOK = 0.2
"""Seconds between two looks for results."""
LONELY = 10.0
"""Seconds without any after which it is looked what keeps them."""
TWICE = "Begun twice, as the first worker ended or could not judge"
CANCELLED = "its job was cancelled in the database, or failed there"


@dataclass
class Coordinator:
    """Of a class that is graded elsewhere."""

    book: Book
    jobs: Jobs
    done: Callable[[str], None]
    """Is told each name."""
    say: Callable[[str], object]
    """Is told what else there is to say."""
    again: bool = False

    def grade(self, students: list[Student]) -> list[Guarantee] | None:
        """Grade them all. What was enforced wherever one of them was judged; None if none was. UsageError."""
        with Checkpoint.of(self.book.out) as checkpoint:
            self.jobs.open(checkpoint, self.book.criteria, fresh=self.again)
            grader = Grader(self.book, self.again)
            waiting = dict(self._submit(grader, students))
            grader.again = False
            self._collect(grader, waiting, checkpoint)
            self.jobs.drop()
            if checkpoint.twice:
                self.say(f"{TWICE}: {', '.join(sorted(checkpoint.twice))}")
                checkpoint.told()
            return weakest(checkpoint.enforced) or None

    def _submit(self, grader: Grader, students: list[Student]) -> Iterator[tuple[str, Student]]:
        """Submit what the book lacks: the jobs, each with whose it is."""
        for student in students:
            if self.jobs.full:
                self.jobs.flush()
            try:
                if begun := grader.begin(student):
                    yield self.jobs.submit(student, *begun), student
                    continue
            except FOR_ALL:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, it costs this student alone
                grader.give_up(student, error)
            self.done(student.name)
        self.jobs.flush()

    def _collect(self, grader: Grader, waiting: dict[str, Student], checkpoint: Checkpoint) -> None:
        looked, lonely, refused = time.monotonic(), False, ""
        while waiting or refused:
            if found := self.jobs.results():
                for job, result, attempt in found:
                    if student := waiting.pop(job, None):
                        outcome = self.jobs.outcome(result)
                        refused = refused or outcome.refused
                        self._put(grader, student, outcome, attempt, checkpoint)
                self.jobs.take([job for job, *_ in found])
                looked, lonely = time.monotonic(), False
            elif refused:
                self.jobs.drop()  # whoever has mended it asks anew
                raise UsageError(refused)
            elif time.monotonic() > looked + LONELY:
                if self.jobs.dropped():
                    raise UsageError(DROPPED)
                for job in self.jobs.cancelled() & set(waiting):
                    self._put(grader, waiting.pop(job), Outcome(unjudged=CANCELLED), 1, checkpoint)
                before, lonely, looked = lonely, not self.jobs.workers(), time.monotonic()
                if lonely and not before:
                    self.say("No worker of this version is at work: `labkit grade-worker --on …` starts one")
            else:
                time.sleep(LOOK)

    def _put(self, grader: Grader, student: Student, outcome: Outcome, attempt: int, checkpoint: Checkpoint) -> None:
        """Put what was found of a student into the book."""
        if outcome.refused:
            return
        checkpoint.add(outcome.enforced, student.name if attempt > 1 else None)
        if outcome.given_up:
            grader.give_up(student, outcome.given_up.again())
        else:
            grader.end(student, partial(_steps, outcome))
        self.done(student.name)


@contextmanager
def _steps(
    outcome: Outcome, student: Student, keys: Keys, _journal: Callable[[], Journal]
) -> Iterator[Mapping[str, Step]]:
    """A student's steps, which were done elsewhere."""
    steps = {}
    for stem, key in keys.items():
        steps |= {name: partial(_done, outcome, student, stem, name) for name in (key.judged, key.run) if name}
    yield steps


def _done(outcome: Outcome, student: Student, stem: str, name: str) -> str:
    if outcome.unjudged:
        raise NotJudgedError(student.looked_at(stem, outcome.unjudged))
    if failed := outcome.failed.get(name):
        raise failed.again()
    return outcome.journal[name]
