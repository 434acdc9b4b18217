"""`labkit grade --on`: hands out what the book lacks, waits for workers, and puts what they found into the book.

    begun → handed out → found → in the book       its journal says what is done

Killed at any point, the same command goes on: the grading's id lies in the book, what was handed out is found.
When all is in the book, nothing of it stays in the database.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from labkit.grading.afar import tables
from labkit.grading.afar.exchange import Exchange
from labkit.grading.afar.memo import Memo
from labkit.grading.afar.parcels import ALL, Asked, Found, weakest
from labkit.grading.gradebook.book import Book
from labkit.grading.gradebook.grader import Grader, Keys
from labkit.grading.gradebook.steps import Journal, Step
from labkit.grading.gradebook.student import NotJudgedError, Student
from labkit.grading.sandbox.guarantees import Guarantee
from labkit.repository import UsageError

LOOK = 0.2
"""Seconds between two looks for results."""
LONELY = 10.0
"""Seconds after which it is said that there is no worker."""
DIED = "the workers that judged it have ended, twice"


@dataclass
class Asker:
    """A class that is graded elsewhere."""

    book: Book
    exchange: Exchange
    done: Callable[[str], None]
    """Is told each name."""
    say: Callable[[str], None]
    """Is told what else there is to say."""
    again: bool = False
    twice: list[str] = field(default_factory=list)
    """Who was judged twice, as a worker had ended."""

    def grade(self, students: list[Student]) -> list[Guarantee]:
        """Grade them all. What was enforced wherever one of them was judged. UsageError if it cannot be done."""
        with Memo.of(self.book.out, fresh=self.again) as memo:
            self.exchange.open(memo, self.book.criteria)
            grader = Grader(self.book, self.again)
            waiting = dict(self._handed_out(grader, students))
            grader.again = False
            self._collect(grader, waiting, memo)
            self.exchange.forget()
        if self.twice:
            self.say(f"Judged twice, as a worker ended meanwhile: {', '.join(sorted(self.twice))}")
        return weakest(memo.enforced)

    def _handed_out(self, grader: Grader, students: list[Student]) -> Iterator[tuple[str, Student]]:
        """Hand out what the book lacks: the jobs, each with whose it is."""
        for student in students:
            begun = grader.begin(student)
            if begun is None:
                self.done(student.name)
                continue
            try:
                yield self.exchange.hand_out(student.id, Asked.of(student, *begun)), student
            except tables.TooLargeError as error:
                grader.give_up(student, error)
                self.done(student.name)
        self.exchange.flush()

    def _collect(self, grader: Grader, waiting: dict[str, Student], memo: Memo) -> None:
        looked, lonely = time.monotonic(), False
        while waiting:
            for job, found in self.exchange.found(waiting):
                self._put(grader, waiting.pop(job), found, memo)
                looked, lonely = time.monotonic(), False
            if time.monotonic() > looked + LONELY:
                for job in self.exchange.ended_by_others(waiting):
                    self._put(grader, waiting.pop(job), Found(died=True), memo)
                before, lonely, looked = lonely, not self.exchange.workers(), time.monotonic()
                if lonely and not before:
                    self.say("No worker of this version is at work: `labkit grade-worker --on …` starts one")
            if waiting:
                time.sleep(LOOK)

    def _put(self, grader: Grader, student: Student, found: Found, memo: Memo) -> None:
        """Put what was found of a student into the book."""
        if found.refused:
            self.exchange.forget()  # whoever has mended it asks anew
            raise UsageError(found.refused)
        if found.enforced:
            memo.add(found.enforced)
        grader.end(student, partial(_steps, found))
        if found.attempts > 1:
            self.twice.append(student.name)
        self.done(student.name)


@contextmanager
def _steps(found: Found, student: Student, keys: Keys, _journal: Callable[[], Journal]) -> Iterator[Mapping[str, Step]]:
    """A student's steps, which were done elsewhere."""
    steps = {}
    for stem, key in keys.items():
        steps |= {name: partial(_found, found, student, stem, name) for name in (key.judged, key.run) if name}
    yield steps


def _found(found: Found, student: Student, stem: str, name: str) -> str:
    if found.died:
        raise NotJudgedError(student.looked_at(stem, DIED))
    if failed := found.failed.get(name) or found.failed.get(ALL):
        raise failed.again()
    return found.journal[name]
