"""`labkit grade --on`, `labkit grade-worker` and `labkit grade-status`: a class graded on many machines."""

import argparse
import sys
from importlib.util import find_spec

from labkit.repository import UsageError


def grade(arguments: argparse.Namespace) -> None:
    """Grade a class by workers, and write its book here."""
    _ready(arguments.on)
    if arguments.trust:
        raise UsageError("--trust does not go with --on: a worker encloses all that it judges")
    from labkit.grading.afar import grading  # noqa: PLC0415 - `labkit --help` must not wait for the judge

    grading.main(arguments)


def worker(arguments: argparse.Namespace) -> int:
    """Judge what others grade until told to stop."""
    _ready(arguments.on)
    if sys.platform != "linux":
        raise UsageError("a worker needs Linux: nowhere else is students' code kept apart")
    from labkit.grading.afar import worker as working  # noqa: PLC0415 - as above

    working.main(arguments.on)
    return 0


def status(arguments: argparse.Namespace) -> int:
    """Say what is under way, and who is at work."""
    _ready(arguments.on)
    from labkit.grading.afar import status as seen  # noqa: PLC0415 - as above

    for line in seen.main(arguments.on, arguments.drop):
        print(line)
    return 0


def _ready(dsn: str) -> None:
    """UsageError without what this needs. A password among our arguments is hidden from the machine's other users."""
    if find_spec("dbos") is None:
        raise UsageError(
            "--on needs DBOS, which is not installed: `make lab` does that, or pip install 'labkit[engines]'"
        )
    from labkit.grading.afar.place import hide_password  # noqa: PLC0415 - as above

    hide_password(dsn)
