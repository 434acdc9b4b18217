"""`labkit grade --on`: what `labkit grade` does, with the judging done by workers."""

import argparse
from contextlib import closing

from labkit.grading.afar import place
from labkit.grading.afar.asker import Asker
from labkit.grading.afar.exchange import Exchange
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
    where = place.find(arguments.on)
    place.forget_secrets()

    def grade(book: Book, students: list[Student], steps: Steps, _jobs: int) -> list[Guarantee]:
        with closing(Exchange(where, steps.say)) as exchange:
            return Asker(book, exchange, steps.done, steps.say, again=arguments.again).grade(students)

    command.main(arguments, grade)
