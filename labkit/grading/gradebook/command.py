"""What `labkit grade` does: says what it can guarantee, grades, shows how far it is, and writes the book."""

import argparse
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.text import Text

from labkit.grading.gradebook import shown
from labkit.grading.gradebook.book import Book
from labkit.grading.gradebook.exports import write_all
from labkit.grading.gradebook.people import known_as, prefixes
from labkit.grading.gradebook.rows import Kept
from labkit.grading.gradebook.similar import pairs
from labkit.grading.gradebook.student import Student
from labkit.grading.judge.criteria import find
from labkit.grading.sandbox import guarantees
from labkit.grading.sandbox.guarantees import Guarantee
from labkit.isolation.process import processors
from labkit.repository import UsageError

Grading = Callable[[Book, list[Student], shown.Steps, int], Sequence[Guarantee] | None]
"""Puts students into the book, so many at a time. What was enforced where it was done; None: what is enforced here."""


def main(arguments: argparse.Namespace, grading: Grading | None = None) -> None:
    """Grade what is in `arguments.submissions`, and write the book. UsageError if it cannot be done, or not safely.

    `grading`: how, if not on this machine.
    """
    given = arguments.submissions
    jobs = processors() if arguments.jobs is None else arguments.jobs
    if jobs < 1:
        raise UsageError("--jobs must be at least 1")
    if given is None and (arguments.student or arguments.again):
        raise UsageError("there is nothing to grade: say where the SUBMISSIONS are")
    if case := next((name for name in arguments.only if "." in name), None):
        raise UsageError(f"--only {case} is a case: name an exercise, as in --only {case.partition('.')[0]}")
    enforced = [] if arguments.trust or given is None else _enforced()
    only = list(dict.fromkeys(find(name, arguments.criteria)[0].stem for name in arguments.only))
    with _nothing_left(arguments.out):
        book = Book(
            arguments.out, arguments.criteria, arguments.seed, not arguments.trust, not arguments.marks_only, only
        )
        book.forget(arguments.forget)
        names: Collection[str] = ()
        if given is not None:
            grading = grading or partial(_here, again=arguments.again)
            names, elsewhere = _grade(book, given, jobs, arguments.student, enforced, grading)
            enforced = enforced if elsewhere is None else elsewhere
        _write(book, enforced, names)


def _enforced() -> list[Guarantee]:
    if missing := guarantees.missing():
        raise UsageError(
            f"this machine does not keep students' code apart: {', '.join(missing)}. "
            "Grade on Linux 6.7 or newer, or say --trust if you would run their code yourself"
        )
    return list(guarantees.guarantees())


def _grade(
    book: Book, given: Path, jobs: int, names: Sequence[str], enforced: Sequence[Guarantee], grading: Grading
) -> tuple[set[str], Sequence[Guarantee] | None]:
    """Grade, and return what the book calls those who were graded, and what was enforced elsewhere."""
    students = book.students(given, jobs, names)
    console = Console(stderr=True, highlight=False)
    for guarantee in enforced:
        console.print(Text(str(guarantee)))
    with shown.Steps(console, len(students)) as steps:
        elsewhere = grading(book, students, steps, jobs)
    kept = book.kept.rows()
    before = prefixes(kept)
    return {n for each in students for n in (each.name, known_as(kept[each.name], book.policy, before))}, elsewhere


def _here(book: Book, students: list[Student], steps: shown.Steps, jobs: int, *, again: bool) -> None:
    book.grade(students, jobs, steps.done, again=again)


def _write(book: Book, enforced: Sequence[Guarantee], names: Collection[str]) -> None:
    rows = book.rows()
    if not any(row.entries for row in rows):
        raise UsageError(f"there is no book in {book.out}: say where the SUBMISSIONS are")
    grades = book.grades(rows)
    tokens = {
        stem: {row.student: row.entries[stem].tokens for row in rows if stem in row.entries} for stem in book.exercises
    }
    asked = [book.exercises[stem].number for stem in book.asked] if book.only else []
    write_all(book.out, grades, enforced, pairs(tokens), asked, book.policy)
    for line in [*shown.rows(grades, names, asked), *shown.summary(grades, asked)]:
        print(line)
    print(f"The book is in {book.out}: class.html, gradebook.csv, a page for each student")


@contextmanager
def _nothing_left(out: Path) -> Iterator[None]:
    """A refused command leaves no book behind that was not there before, unless it has rows, or goes on elsewhere."""
    there = out.exists()
    try:
        yield
    except UsageError:
        state = out / ".state"
        if not there and not any(state.glob("elsewhere.*")) and not Kept(state).rows():
            shutil.rmtree(out, ignore_errors=True)
        raise
