"""Grades one student after another into a book: what the journal lacks is done, and the row is kept."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from filelock import FileLock

from labkit.files import FileStateStore
from labkit.grading.gradebook.fingerprints import Fingerprints
from labkit.grading.gradebook.rows import Entry
from labkit.grading.gradebook.steps import FOR_ALL, Journal, Key, Step, do_steps
from labkit.grading.gradebook.student import Desk, Student
from labkit.grading.sandbox.room import Loan, Room
from labkit.grading.sandbox.warm import Servers
from labkit.task import Task, TaskState

if TYPE_CHECKING:
    from pathlib import Path

    from labkit.grading.gradebook.book import Book
    from labkit.grading.sandbox.lending import Lender

Keys = Mapping[str, Key]
Steps = Callable[[Student, Keys, Callable[[], Journal]], AbstractContextManager[Mapping[str, Step]]]
"""Where a student's steps are done: what they are there, for as long as it is entered."""


@dataclass(frozen=True)
class Here:
    """This machine: its sandbox, and what it lends."""

    criteria: "Path | None"
    servers: Servers | None
    lender: "Lender | None"

    @contextmanager
    def steps(
        self, slot: int, student: Student, keys: Keys, journal: Callable[[], Journal]
    ) -> Iterator[Mapping[str, Step]]:
        """A student's, in a slot."""
        borrows = self.lender if student.needs_database else None
        with borrows.lent(slot) if borrows else nullcontext(Loan()) as loan:
            sound = partial(borrows.sound, slot) if borrows else lambda: True
            desk = Desk(Room(slot, loan), self.criteria, self.servers, sound)
            yield student.steps(desk, journal, keys)


@dataclass
class Grader:
    """What a grading has at hand for each student."""

    book: "Book"
    again: bool = False
    """Whether also what was graded before is to be done."""
    store: FileStateStore = field(init=False)

    def __post_init__(self) -> None:
        book = self.book
        self.store = FileStateStore(book.out / ".state")
        self.fingerprints = Fingerprints(
            book.exercises, book.seed, enclosed=book.enclosed, run_notebooks=book.run_notebooks
        )

    def grade(self, student: Student, there: Steps) -> None:
        """Put the student into the book. What the lab could not do is tried once more; then somebody must look."""
        for last in (False, True):
            try:
                failed = self._grade(student, there, again=self.again and not last, last=last)
                if last or not failed:
                    return
            except FOR_ALL:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, it costs this student alone
                if last:
                    self.give_up(student, error)

    def begin(self, student: Student) -> tuple[Keys, Journal] | None:
        """What the student's steps are called, and those done; None if all are, and then the row is kept."""
        with self._alone(student.id):
            keys = self._keys(student)
            task = self._task(student, keys, again=self.again)
            if task.state is not TaskState.COMPLETED and any(step not in task.journal for step in _names(keys)):
                return keys, task.journal
        self.end(student, lambda *_: nullcontext({}))
        return None

    def end(self, student: Student, there: Steps) -> None:
        """Put the student into the book, with what the steps come to that were begun."""
        try:
            self._grade(student, there, again=False, last=True)
        except FOR_ALL:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            self.give_up(student, error)

    def give_up(self, student: Student, error: Exception) -> None:
        """Keep that the lab could not grade the student."""
        self._keep(student, {stem: student.unread(error) for stem in student.submissions}, error)

    def _keep(self, student: Student, entries: Mapping[str, Entry], error: Exception | None = None) -> None:
        """Keep what was found. An exercise that was graded before, and was not handed in now, stays as it is."""
        others = {stem: student.unread(error) for stem in self.book.asked if stem not in entries}
        self.book.kept.put(student, entries, others)

    def _grade(self, student: Student, there: Steps, *, again: bool, last: bool) -> dict[str, Exception]:
        """Do the steps that the journal lacks, under the student's lock, and keep the row. The steps that failed."""
        with self._alone(student.id):
            keys = self._keys(student)
            task = self._task(student, keys, again=again)
            failed = {} if task.state is TaskState.COMPLETED else self._do(student, there, keys)
            if last or not failed:
                self._keep(student, student.entries(self._journal(student), failed, keys))
            return failed

    def _do(self, student: Student, there: Steps, keys: Keys) -> dict[str, Exception]:
        with there(student, keys, lambda: self._journal(student)) as steps:
            return do_steps(student.id, self.store, steps)

    def _keys(self, student: Student) -> Keys:
        return {stem: self.fingerprints.key(student, stem) for stem in student.submissions}

    def _task(self, student: Student, keys: Keys, *, again: bool) -> Task:
        """The student's task: the one there is if it is for the same steps, else another, with what it had done."""
        steps = _names(keys)
        task = self.store.get(Task, student.id)
        if task is not None and task.user_input == json.dumps(steps) and not again:
            return task
        done = task.journal if task is not None else {}
        done = {
            step: result
            for step, result in done.items()
            if step.partition(" ")[0] not in keys or (step in steps and not again)
        }
        self.store.delete(Task, student.id)
        return self.store.insert(Task(id=student.id, user_input=json.dumps(steps), journal=done))

    def _journal(self, student: Student) -> Journal:
        return self.store.get(Task, student.id).journal

    @contextmanager
    def _alone(self, student: str) -> Iterator[None]:
        """A file lock for each student: of two graders, the second waits, and then finds the work done."""
        folder = self.book.out / ".state" / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{hashlib.sha256(student.encode()).hexdigest()[:32]}.lock"):
            yield


def _names(keys: Keys) -> list[str]:
    return [step for key in keys.values() for step in (key.judged, key.run) if step]
