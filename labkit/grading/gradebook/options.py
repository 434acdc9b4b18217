"""The options of `labkit grade`. Nothing heavy is loaded here: `labkit --help` must not wait for the judge."""

import argparse
from pathlib import Path


def add_to(command: argparse.ArgumentParser) -> None:
    """Give the command its arguments."""
    add = command.add_argument
    command.description = (
        "Grades what was handed in and writes the book. What is not graded now stays in the book as it is. "
        "DIR/policy.toml, if there is one, has what people decide: late days, overrides, the roster."
    )
    add("submissions", metavar="SUBMISSIONS", nargs="?", type=Path, help=(
        "a folder or an archive with what was handed in; without it, the book is written anew from what it has"
    ))  # fmt: skip
    add("--out", metavar="DIR", type=Path, required=True, help="where the book is written, and kept")
    add("--only", metavar="03", action="append", default=[], help="grade this exercise alone; can be repeated")
    add("--student", metavar="NAME", action="append", default=[], help="grade this student alone; can be repeated")
    add("--again", action="store_true", help="grade again what was graded before, and has not changed")
    add("--forget", metavar="NAME", action="append", default=[], help="take this row out of the book; can be repeated")
    add("--criteria", metavar="FOLDER", type=Path, help="exercises and criteria of your own")
    add("--seed", metavar="N", type=int, default=0, help="draws the inputs of the cases; default 0")
    add("--jobs", metavar="N", type=int, help="students at a time; default: as many as processors")
    add("--marks-only", action="store_true", help="do not try if the notebooks run through")
    add("--trust", action="store_true", help="run students' code with all that you may do yourself")
    add("--on", metavar="DSN", help="have it judged by `labkit grade-worker --on DSN`, over this PostgreSQL")


def add_worker_to(command: argparse.ArgumentParser) -> None:
    """Give `labkit grade-worker` its arguments."""
    command.description = (
        "Judges what `labkit grade --on DSN` asks for, one submission at a time, until it is told to stop. "
        "Start as many as there are processors, on as many machines as you like. SIGTERM ends it after its submission."
    )
    command.add_argument("--on", metavar="DSN", required=True, help="the PostgreSQL that all share")


def add_status_to(command: argparse.ArgumentParser) -> None:
    """Give `labkit grade-status` its arguments."""
    command.description = "Says which gradings are under way on a PostgreSQL, how far they are, and who is at work."
    command.add_argument("--on", metavar="DSN", required=True, help="the PostgreSQL that all share")
    command.add_argument("--drop", metavar="ID", help="forget this grading, which nobody waits for any more")
