"""The judge as a process of its own: a submission on standard input, a result on standard output, both JSON.

A notebook's kernel asks it this way, so that nothing a student did to the kernel reaches the verdict.
"""

import sys
from pathlib import Path

from pydantic import BaseModel

from labkit.grading.judge.criteria import find
from labkit.grading.judge.judge import judge
from labkit.grading.notebook.submission import Submission


class Request(BaseModel):
    """What to judge."""

    name: str
    submission: Submission
    seed: int = 0
    criteria: Path | None = None
    """A folder of an instructor's own exercises."""
    seconds: float | None = None
    """Real time that each case may take."""

    def answer(self) -> bytes:
        """The result of judging it in this process."""
        exercise, cases = find(self.name, self.criteria)
        return judge(exercise, self.submission, cases, self.seed, self.seconds).model_dump_json().encode()


if __name__ == "__main__":
    sys.stdout.buffer.write(Request.model_validate_json(sys.stdin.buffer.read()).answer())
