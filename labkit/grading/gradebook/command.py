"""What `labkit grade` does: says what it can guarantee, grades, shows how far it is, and writes the book."""

import argparse

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from labkit.crash.printable import printable
from labkit.grading.gradebook.book import Book
from labkit.grading.gradebook.exports import write_all
from labkit.grading.gradebook.similar import pairs
from labkit.grading.sandbox import guarantees
from labkit.isolation.process import processors
from labkit.repository import UsageError


def main(arguments: argparse.Namespace) -> None:
    """Grade the class in `arguments.submissions`. UsageError if it cannot be, or not without trust."""
    jobs = processors() if arguments.jobs is None else arguments.jobs
    if jobs < 1:
        raise UsageError("--jobs must be at least 1")
    enforced = [] if arguments.trust else list(guarantees.guarantees())
    if missing := [] if arguments.trust else guarantees.missing():
        raise UsageError(
            f"this machine does not keep students' code apart: {', '.join(missing)}. "
            "Grade on Linux 6.7 or newer, or say --trust if you would run their code yourself"
        )
    out = arguments.out
    book = Book(out, arguments.criteria, arguments.seed, not arguments.trust, not arguments.marks_only)
    students = book.students(arguments.submissions, jobs)
    console = Console(stderr=True, highlight=False)
    for guarantee in enforced:
        console.print(Text(str(guarantee)))
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console) as progress:
        bar = progress.add_task("Grading", total=len(students))
        try:
            grades = book.grade(students, jobs, lambda name: progress.advance(bar))
        except KeyboardInterrupt:
            console.print("Stopped: the same command goes on")
            raise
    tokens = {
        stem: {each.name: each.tokens[stem] for each in students if stem in each.tokens} for stem in book.exercises
    }
    write_all(out, grades, enforced, pairs(tokens))
    for grade in grades:
        line = f"{printable(grade.student)}: {grade.total.got} of {grade.total.of}"
        print(line if grade.status == "graded" else f"{line} ({grade.status})")
    print(f"The book is in {out}: class.html, gradebook.csv, a page for each student")
