"""The judge as a process of its own: a submission on standard input, a result on standard output, both JSON.

A notebook's kernel asks it this way, so that nothing a student did to the kernel reaches the verdict. So does whoever
grades a class; then the student's code runs enclosed.
"""

import os
import sys
from pathlib import Path

from pydantic import BaseModel

from labkit.crash.client import CLIENT
from labkit.grading import sandbox
from labkit.grading.answers import Submission
from labkit.grading.criteria import find
from labkit.grading.judge import judge


class Request(BaseModel):
    """What to judge."""

    name: str
    submission: Submission
    seed: int = 0
    criteria: Path | None = None
    """A folder of an instructor's own exercises."""
    slot: int | None = None
    """Where to enclose the student's code; None: not at all."""
    environment: dict[str, str] = {}
    """What it is told there beside the least."""
    seconds: float | None = None
    """Real time that each case may take."""


def main() -> None:
    """Judge one submission."""
    request = Request.model_validate_json(sys.stdin.buffer.read())
    if request.slot is not None:
        _use_one_processor(request.slot)
        CLIENT.enclosure = sandbox.enclosure(request.slot, request.environment)
        sandbox.watch(lambda: CLIENT.pid, CLIENT.folder, CLIENT.end_for)
    exercise, cases = find(request.name, request.criteria)
    print(judge(exercise, request.submission, cases, request.seed, request.seconds).model_dump_json())


def _use_one_processor(slot: int) -> None:
    """Others grade beside us. Linux; elsewhere the system shares them out."""
    if hasattr(os, "sched_setaffinity"):
        ours = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {ours[slot % len(ours)]})


if __name__ == "__main__":
    main()
