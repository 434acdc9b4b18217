"""A verdict to look at, below a check cell: each case as it is judged, its counterexample, its hints in place.

Where nobody looks (nbval, a script, a terminal) there is the text alone.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from labkit.crash.report import page
from labkit.grading.judge.as_text import as_text
from labkit.grading.judge.criteria import Case, Exercise
from labkit.grading.judge.judge import Result, Status, Verdict
from labkit.grading.judge.request import News
from labkit.grading.notebook.submission import Submission

TEMPLATES = Path(__file__).parent / "templates"
REPLAY = 3
"""A case that fails so often in a row shows its replay at once, and from the next time on a hint more each time."""
AROUND = 4
"""Lines of an answer that are shown before and after the one that a verdict names."""
LINE = re.compile(r"line (\d+): (.+)")


def live() -> bool:
    """Whether somebody looks at a notebook that this process is the kernel of."""
    from IPython import get_ipython  # noqa: PLC0415 - only a notebook has it

    under_test = os.environ.get("LABKIT_PROGRESS") == "off" or "PYTEST_VERSION" in os.environ
    return hasattr(get_ipython(), "kernel") and not under_test


@dataclass
class Row:
    """A case and where it stands: to be judged, or judged."""

    case: Case
    verdict: Verdict | None = None
    picture: str = ""
    code: Sequence[tuple[int, str, bool]] = ()
    """Lines of the answer: number, text, and whether it is the one that the verdict names."""
    hints: int = 0
    """So many of its hints are shown at once."""


class Shown:
    """The view of one check, which is renewed with each verdict."""

    def __init__(self, exercise: Exercise, cases: Sequence[Case], submission: Submission, failed: Counter[str]) -> None:
        self.exercise, self.answers, self.failed = exercise, submission.answers, failed
        self.rows = {case.id: Row(case) for case in cases}
        self.handle: Any = None

    @property
    def wanted(self) -> dict[str, Any]:
        """What the judge is asked for beside verdicts."""
        return {"pictures": True, "replayed": {case for case in self.rows if self._times(case) + 1 >= REPLAY}}

    def judged(self, judge: Callable[[Callable[[News], None]], Result]) -> Result:
        """Show the cases while they are judged, and then the result."""
        self._show()
        try:
            result = judge(self._told)
        except BaseException:
            self._show(stopped=True)
            raise
        self._show(result)
        return result

    def _told(self, news: News) -> None:
        verdict, row = news.verdict, self.rows[news.verdict.case]
        name = f"{self.exercise.number}.{verdict.case}"
        self.failed[name] = self.failed[name] + 1 if verdict.status is Status.FAIL else 0
        row.verdict, row.picture = verdict, Markup(news.page)  # noqa: S704 - the judge's, whose templates escape
        row.code, row.hints = code(verdict, row.case, self.answers), max(0, self.failed[name] - REPLAY)
        self._show()

    def _times(self, case: str) -> int:
        return self.failed[f"{self.exercise.number}.{case}"]

    def _show(self, result: Result | None = None, *, stopped: bool = False) -> None:
        from IPython.display import display  # noqa: PLC0415 - only a notebook has it

        words = as_text(result) if result else self._stopped if stopped else "judging …"
        shown = {"text/html": self.html(result, stopped=stopped), "text/plain": words}
        if self.handle is None:
            self.handle = display(shown, raw=True, display_id=True)
        else:
            self.handle.update(shown, raw=True)

    @property
    def _stopped(self) -> str:
        done = sum(row.verdict is not None for row in self.rows.values())
        return f"stopped: {done} of {len(self.rows)} cases judged"

    def html(self, result: Result | None = None, *, stopped: bool = False) -> str:
        """The view as it stands, or as it stood when the check was interrupted."""
        rows = [*self.rows.values()]
        judged = [row.verdict.status for row in rows if row.verdict]
        at = next((row for row in rows if row.verdict is None), None)
        template = page.environment(TEMPLATES).get_template("verdict.html")
        values = {"done": len(judged), "met": judged.count(Status.PASS), "at": at, "result": result, "stopped": stopped}
        return template.render(exercise=self.exercise, rows=rows, **values)


def code(verdict: Verdict, case: Case, answers: dict[str, str]) -> list[tuple[int, str, bool]]:
    """The lines of an answer around the one that a verdict names; empty if it names none that is there."""
    for number, text in LINE.findall(f"{verdict.where}\n{verdict.what}"):
        for name in case.answers:
            lines = answers.get(name, "").split("\n")
            at = int(number)
            if at <= len(lines) and (written := lines[at - 1].strip()) and text.startswith(written):
                first = max(0, at - 1 - AROUND)
                return [(n, line, n == at) for n, line in enumerate(lines[first : at + AROUND], first + 1)]
    return []
