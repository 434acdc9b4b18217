"""The judge as a process of its own: a submission on standard input, a result on standard output, both JSON.

A notebook's kernel asks it this way, so that nothing a student did to the kernel reaches the verdict.
"""

import sys

from pydantic import BaseModel

from labkit.grading.answers import Submission
from labkit.grading.criteria import find
from labkit.grading.judge import judge


class Request(BaseModel):
    """What to judge."""

    name: str
    submission: Submission
    seed: int = 0


def main() -> None:
    """Judge one submission."""
    request = Request.model_validate_json(sys.stdin.buffer.read())
    exercise, cases = find(request.name)
    print(judge(exercise, request.submission, cases, request.seed).model_dump_json())


if __name__ == "__main__":
    main()
