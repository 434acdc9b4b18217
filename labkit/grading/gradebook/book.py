"""Grades a class: every student's answers, each task kept in a state store of our own.

<out>/.state    one task per student, whose journal holds what was judged: killed at any point, grading goes on
<out>/…         what is made of it when all are done: see `labkit.grading.gradebook.exports`
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from filelock import FileLock

from labkit.files import FileStateStore
from labkit.grading.gradebook.handed_in import Reading
from labkit.grading.gradebook.results import Grade
from labkit.grading.gradebook.steps import FOR_ALL, do_steps
from labkit.grading.gradebook.student import Desk, Journal, Student
from labkit.grading.judge.criteria import Exercise, exercises
from labkit.grading.sandbox import guarantees
from labkit.grading.sandbox.room import Loan, Room
from labkit.grading.sandbox.warm import Servers
from labkit.repository import UsageError
from labkit.task import Task, TaskState

if TYPE_CHECKING:
    from labkit.grading.sandbox.lending import Lender


@dataclass
class Book:
    """A class that is being graded."""

    out: Path
    criteria: Path | None = None
    """A folder of an instructor's own exercises, in place of ours."""
    seed: int = 0
    enclosed: bool = True
    """Whether students' code runs in the sandbox. If not, they are trusted with everything that we may do."""
    run_notebooks: bool = True
    """Whether it is also tried if their notebooks run through."""
    exercises: dict[str, Exercise] = field(init=False)

    def __post_init__(self) -> None:
        """UsageError if the criteria cannot be read."""
        self.exercises = {stem: each for stem, each in exercises(self.criteria).items() if each.cases}
        self.store = FileStateStore(self.out / ".state")

    def students(self, folder: Path, jobs: int = 1) -> list[Student]:
        """Who has handed in something, with what, `jobs` read at a time.

        UsageError if there is nothing, or the book would lie in it.
        """
        if self.out.resolve().is_relative_to(folder.resolve()):
            raise UsageError(f"{self.out} lies among the submissions: choose another folder with --out")
        with self._servers() as servers, ThreadPoolExecutor(jobs) as workers:
            reading = Reading(folder, self.exercises, servers)
            bundles = reading.bundles()
            try:
                handed = list(workers.map(reading.handed, bundles, count()))
            except BaseException:
                if servers:
                    servers.stop()
                workers.shutdown(cancel_futures=True)
                raise
        return [Student.of(each, self.exercises, self.seed) for each in handed]

    def grade(
        self, students: list[Student], jobs: int = 1, done: Callable[[str], None] = lambda _: None
    ) -> list[Grade]:
        """Grade all students, `jobs` at a time; `done` is told each name. Another grader's students are waited for."""
        slots: SimpleQueue[int] = SimpleQueue()
        for slot in range(jobs):
            slots.put(slot)

        def work(student: Student) -> Grade:
            slot = slots.get()
            try:
                return self._graded(student, slot, lender, servers)
            finally:
                slots.put(slot)
                done(student.name)

        with self._lender(students) as lender, self._servers() as servers, ThreadPoolExecutor(jobs) as workers:
            try:
                tasks = [workers.submit(work, student) for student in students]
                return [task.result() for task in tasks]
            except BaseException:
                if servers:
                    servers.stop()
                workers.shutdown(cancel_futures=True)
                raise

    def _graded(self, student: Student, slot: int, lender: "Lender | None", servers: Servers | None) -> Grade:
        """The student's grade. What the lab could not do is tried once more; then somebody must look."""
        for last in (False, True):
            try:
                journal, failed = self._grade(student, slot, lender, servers)
                if last or not failed:
                    return student.grade(journal, failed)
            except FOR_ALL:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, it costs this student alone
                if last:
                    return student.ungraded(error)
        raise AssertionError("unreachable")

    def _grade(
        self, student: Student, slot: int, lender: "Lender | None", servers: Servers | None
    ) -> tuple[Journal, dict[str, Exception]]:
        """Do the steps that the journal lacks, under the student's lock. The journal, and the steps that failed."""
        with self._alone(student.id):
            task = self.store.get(Task, student.id)
            if task is not None and task.user_input != self._fingerprint(student):
                self.store.delete(Task, student.id)
                task = None
            if task is None:
                task = self.store.insert(Task(id=student.id, user_input=self._fingerprint(student)))
            if task.state is TaskState.COMPLETED:
                return task.journal, {}
            borrows = lender if student.needs_database else None
            with borrows.lent() if borrows else nullcontext(Loan()) as loan:
                sound = borrows.sound if borrows else lambda: True
                desk = Desk(Room(slot, loan), self.criteria, servers, sound)
                steps = student.steps(desk, lambda: self._journal(student))
                if not self.run_notebooks:
                    del steps[Student.RUN]
                failed = do_steps(student.id, self.store, steps)
            return self._journal(student), failed

    def _journal(self, student: Student) -> Journal:
        return self.store.get(Task, student.id).journal

    @contextmanager
    def _lender(self, students: list[Student]) -> "Iterator[Lender | None]":
        if any(student.needs_database for student in students):
            from labkit.grading.sandbox.lending import Lender  # noqa: PLC0415 - no other class waits until it is loaded

            with closing(Lender()) as lender:
                yield lender
        else:
            yield None

    def _servers(self) -> AbstractContextManager[Servers | None]:
        return closing(Servers(self.criteria)) if self.enclosed else nullcontext()

    def _fingerprint(self, student: Student) -> str:
        """Of all that a grade depends on: with another one, the student is graded anew."""
        given = [student.told(), self.seed, self.enclosed, self.run_notebooks, self._code]
        return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()

    @cached_property
    def _code(self) -> str:
        """A digest of the judge: labkit, and the exercises with their criteria."""
        folder = next(iter(self.exercises.values())).folder
        paths = [folder / "criteria.toml", *(folder / "criteria").glob("*.py"), *folder.glob("*.ipynb")]
        whole = hashlib.sha256()
        for path in sorted([*paths, *guarantees.package().rglob("*.py")]):
            whole.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        return whole.hexdigest()

    @contextmanager
    def _alone(self, student: str) -> Iterator[None]:
        """A file lock for each student: of two graders, the second waits, and then finds the work done."""
        folder = self.out / ".state" / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{hashlib.sha256(student.encode()).hexdigest()[:32]}.lock"):
            yield
