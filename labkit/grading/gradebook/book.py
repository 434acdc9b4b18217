"""Grades a class: every student's answers, each task kept in a state store of our own.

<out>/policy.toml   what people decide; see `labkit.grading.gradebook.policy`
<out>/.state        a task for each student, whose journal holds what was judged: killed at any point, grading goes on;
                    and a row for each student, which is what the book says of them
<out>/…             what is made of it when all are done: see `labkit.grading.gradebook.exports`
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from labkit.grading.gradebook.grader import Grader, Here
from labkit.grading.gradebook.handed_in import Reading
from labkit.grading.gradebook.people import by_roster, chosen, known_as, prefixes
from labkit.grading.gradebook.policy import NAME, Policy
from labkit.grading.gradebook.policy_check import check, meant
from labkit.grading.gradebook.results import Grade
from labkit.grading.gradebook.roster import with_roster
from labkit.grading.gradebook.rows import Kept, Row
from labkit.grading.gradebook.student import Student
from labkit.grading.judge.criteria import Exercise, exercises
from labkit.grading.sandbox.warm import Servers
from labkit.repository import UsageError

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
    only: Collection[str] = ()
    """The exercises to grade, by stem; all if there are none."""
    exercises: dict[str, Exercise] = field(init=False)

    def __post_init__(self) -> None:
        """UsageError if the criteria cannot be read, or the book has exercises that they do not have."""
        self.exercises = {stem: each for stem, each in exercises(self.criteria).items() if each.cases}
        self.kept = Kept(self.out / ".state")
        self.policy = with_roster(Policy.read(self.out / NAME), self.out)
        for row in self.kept.rows().values():
            if unknown := row.entries.keys() - self.exercises.keys():
                raise UsageError(f"the book in {self.out} has exercise {min(unknown)}: say its folder with --criteria")

    @property
    def asked(self) -> list[str]:
        """The stems of the exercises to grade."""
        return [stem for stem in self.exercises if not self.only or stem in self.only]

    def students(self, folder: Path, jobs: int = 1, names: Collection[str] = ()) -> list[Student]:
        """Who has handed in something, with what, `jobs` read at a time; of `names` alone, if any are given.

        UsageError if there is nothing, if a name is nobody's, or if the book would lie in the folder.
        """
        if self.out.resolve().is_relative_to(folder.resolve()):
            raise UsageError(f"{self.out} lies among the submissions: choose another folder with --out")
        with self._servers() as servers, ThreadPoolExecutor(jobs) as workers:
            reading = Reading(folder, self.exercises, servers)
            found = reading.bundles()
            bundles, asked = chosen(found, names, self.policy), reading.may_be_class(found)
            try:
                handed = [each.asking(asked) for each in workers.map(reading.handed, bundles, count())]
            except BaseException:
                if servers:
                    servers.stop()
                workers.shutdown(cancel_futures=True)
                raise
        students = [Student.of(each, self.exercises, self.seed, self.only) for each in handed]
        check(self.policy, self.out / NAME, self.exercises, self._people(students))
        return students

    def grade(
        self, students: list[Student], jobs: int = 1, done: Callable[[str], None] = lambda _: None, *,
        again: bool = False,
    ) -> list[Grade]:  # fmt: skip
        """Grade all students, `jobs` at a time; `done` is told each name. Another grader's students are waited for.

        `again`: also what was graded before.
        """
        slots: SimpleQueue[int] = SimpleQueue()
        for slot in range(jobs):
            slots.put(slot)

        def work(student: Student) -> None:
            slot = slots.get()
            try:
                grader.grade(student, partial(here.steps, slot))
            finally:
                slots.put(slot)
                done(student.name)

        with self._lender(students) as lender, self._servers() as servers, ThreadPoolExecutor(jobs) as workers:
            grader, here = Grader(self, again), Here(self.criteria, servers, lender)
            try:
                for task in [workers.submit(work, student) for student in students]:
                    task.result()
            except BaseException:
                if servers:
                    servers.stop()
                workers.shutdown(cancel_futures=True)
                raise
        rows = self.kept.rows()
        return [self._summed(rows[student.name]) for student in students]

    def forget(self, names: Collection[str]) -> None:
        """Take rows out, by the names that their files or the roster have. UsageError if one is nobody's."""
        kept = self.kept.rows()
        before = prefixes(kept)
        called = {row: {row, known_as(each, self.policy, before)} for row, each in kept.items()}
        found = {name: [row for row in kept if name in called[row]] for name in names}
        for name, rows in found.items():
            if not rows:
                raise UsageError(f"no row is called {name!r}{meant(name, kept)}")
        for rows in found.values():
            for row in rows:
                self.kept.forget(row)

    def rows(self) -> list[Row]:
        """Everybody of the book, by the roster's names. UsageError if the policy speaks of what there is not."""
        check(self.policy, self.out / NAME, self.exercises, self._people([]))
        return by_roster(self.kept.rows().values(), self.policy)

    def grades(self, rows: Sequence[Row]) -> list[Grade]:
        """What everybody of the book has, out of the marks of what was graded for anybody."""
        counted = {stem for each in rows for stem in each.entries}
        return [self._summed(row, counted) for row in rows]

    def _summed(self, row: Row, counted: Collection[str] = ()) -> Grade:
        known = {stem: each for stem, each in self.exercises.items() if stem in (counted or row.entries)}
        try:
            return row.grade(known, self.asked, self.policy)
        except Exception as error:  # noqa: BLE001 - whatever it is, it costs this student alone
            note = f"the grading itself failed ({type(error).__name__}): look at the files yourself"
            return Grade.of(row.student, [], [], [note], known, look=True)

    def _people(self, students: list[Student]) -> set[str]:
        """Who is in the book, and who will be when these have been graded."""
        known = self.kept.rows()
        for each in students:
            known.setdefault(each.name, Row(id=each.name, student=each.name, entries={"": each.unread()}))
        return {row.student for row in by_roster(known.values(), self.policy)}

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
