"""The judge as a process of its own: a submission on standard input, a result on standard output, both JSON.

A notebook's kernel asks it this way, so that nothing a student did to the kernel reaches the verdict.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel

from labkit.crash.report import page
from labkit.crash.report.findings import Findings
from labkit.grading.judge.criteria import find
from labkit.grading.judge.judge import Verdict, judge
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

    pictures: bool = False
    """Whether a picture of each counterexample is asked for."""
    replayed: set[str] = set()
    """The cases whose picture shows the crash point that breaks it at once."""

    def answer(self, tell: Callable[["News"], None] = lambda _: None) -> bytes:
        """The result of judging it in this process. Each verdict is told as it is found."""
        exercise, cases = find(self.name, self.criteria)

        def news(verdict: Verdict, found: Findings | None) -> None:
            shown = page.report(found, replayed=verdict.case in self.replayed) if self.pictures and found else ""
            tell(News(verdict=verdict, page=shown))

        return judge(exercise, self.submission, cases, self.seed, self.seconds, news).model_dump_json().encode()


class News(BaseModel):
    """A verdict, as soon as it is found."""

    verdict: Verdict
    page: str = ""
    """The picture of its counterexample, as HTML; empty if there is none."""


if __name__ == "__main__":
    sys.stdout.buffer.write(Request.model_validate_json(sys.stdin.buffer.read()).answer())
