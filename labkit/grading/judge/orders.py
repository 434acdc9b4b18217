"""What a race of answers found, in a learner's words."""

from labkit.crash.race.columns import explained
from labkit.crash.race.report import RaceReport
from labkit.grading.judge.survival import in_words

ENOUGH = 12
"""Orders for a judge, if one of them is broken: a wrong answer may have many, and a deadlock in each."""


def assert_no_order_breaks(report: RaceReport) -> None:
    """AssertionError with the smallest counterexample. The report's name is that of the learner's function."""
    if report.problem:
        raise AssertionError(in_words(f"{report.problem}", report.name))
    if report.broken:
        worst = report.broken[0]
        raise AssertionError(". ".join(filter(None, [f"A and B: {worst.reason}", explained(worst)])))
