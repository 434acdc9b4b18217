"""`labkit grade --on`, `labkit grade-worker` and `labkit grade-status`: a class graded on many machines."""

import argparse
import sys
from importlib.util import find_spec

from labkit.repository import UsageError


def grade(arguments: argparse.Namespace) -> None:
    """Grade a class by workers, and write its book here."""
    _need_dbos()
    if arguments.trust:
        raise UsageError("--trust does not go with --on: a worker encloses all that it judges")
    from labkit.grading.distributed import command  # noqa: PLC0415 - `labkit --help` must not wait for the judge

    command.main(arguments)


def worker(arguments: argparse.Namespace) -> int:
    """Judge what others grade until told to stop."""
    _need_dbos()
    if sys.platform != "linux":
        raise UsageError("a worker needs Linux: nowhere else is students' code kept apart")
    from labkit.grading.distributed import worker as working  # noqa: PLC0415 - as above

    working.main(arguments.on)
    return 0


def status(arguments: argparse.Namespace) -> int:
    """Say what is under way, and who is at work."""
    _need_dbos()
    from labkit.grading.distributed import status as seen  # noqa: PLC0415 - as above

    for line in seen.main(arguments.on, arguments.drop):
        print(line)
    return 0


def _need_dbos() -> None:
    if find_spec("dbos") is None:
        raise UsageError(
            "--on needs DBOS, which is not installed: `make lab` does that, or pip install 'labkit[engines]'"
        )
