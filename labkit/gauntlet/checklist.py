"""The checklist of the course: which criteria are met, and what broke the first that is not."""

from dataclasses import dataclass

from labkit.crash import Report
from labkit.crash.race.report import RaceReport
from labkit.grading.judge.as_text import detail
from labkit.grading.judge.judge import Status


@dataclass(frozen=True)
class Row:
    """A criterion, and how it stands."""

    criterion: str
    title: str
    status: Status
    what: str = ""
    """What broke it: which case, or which crash point of which run."""
    where: str = ""
    next: str = ""
    cases: int = 0
    """How many cases of the chapters were judged."""
    reports: tuple[Report | RaceReport, ...] = ()
    """The sweeps and races of its run, in order."""
    width: int = 13
    """Characters of the longest name of a row."""

    @property
    def score(self) -> str:
        """How many cases were met, and how many crash points and orders were survived."""
        points = [point for report in self.reports if isinstance(report, Report) for point in report.points]
        orders = [order for report in self.reports if isinstance(report, RaceReport) for order in report.orders]
        tried = {"crash points": points, "orders": orders} if orders else {"crash points": points}
        told = [f"{sum(each.survives for each in found)} of {len(found)} {what}" for what, found in tried.items()]
        cases = f"{self.cases} {'case' if self.cases == 1 else 'cases'}, " if self.cases else ""
        return f"{cases}{' and '.join(told)} survived"

    def __str__(self) -> str:
        head = f"{self.status}  {self.criterion:{self.width}} "
        if self.status is Status.NOT_JUDGED:
            return f"{head} {self.what}"
        if self.status is Status.PASS:
            return f"{head} {self.title}\n{'':{self.width + 8}}{self.score}"
        details = {"What": self.what, "Where": self.where, "Next": self.next}
        return "\n".join([f"{head} {self.title}", *(detail(*item) for item in details.items() if item[1])])


@dataclass(frozen=True)
class Checklist:
    """All rows, in the order of the course."""

    rows: tuple[Row, ...]

    @property
    def ready(self) -> bool:
        """Whether every criterion is met."""
        return all(row.status is Status.PASS for row in self.rows)

    @property
    def first_failing(self) -> Row | None:
        """The row that says what to look at; None if all are met."""
        return next((row for row in self.rows if row.status is not Status.PASS), None)

    def __str__(self) -> str:
        verdict = "Ready for production" if self.ready else "Not ready for production"
        met = sum(row.status is Status.PASS for row in self.rows)
        return "\n".join([f"{verdict}: {met} of {len(self.rows)} criteria met", *map(str, self.rows)])

    __repr__ = __str__
