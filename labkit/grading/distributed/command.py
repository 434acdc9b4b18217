"""`labkit grade --on`: what `labkit grade` does, with the judging done by workers."""

import argparse
from collections.abc import Sequence
from contextlib import closing

from labkit.grading.distributed import database
from labkit.grading.distributed.coordinator import Coordinator
from labkit.grading.distributed.jobs import Jobs
from labkit.grading.gradebook import command
from labkit.grading.gradebook.book import Book
from labkit.grading.gradebook.shown import Steps
from labkit.grading.gradebook.student import Student
from labkit.grading.sandbox.guarantees import Guarantee
from labkit.repository import UsageError


def main(arguments: argparse.Namespace) -> None:
    """Grade, and write the book. UsageError if the database cannot be used: then nothing was done."""
    if arguments.submissions is None:
        raise UsageError("there is nothing to grade: say where the SUBMISSIONS are, or leave --on out")
    where = database.find(arguments.on)
    database.forget_secrets()

    def grade(book: Book, students: list[Student], steps: Steps, _jobs: int) -> Sequence[Guarantee] | None:
        with closing(Jobs(where, steps.say)) as jobs:
            return Coordinator(book, jobs, steps.done, steps.say, again=arguments.again).grade(students)

    command.main(arguments, grade)
