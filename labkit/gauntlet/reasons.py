"""Why a run was not survived, for whoever wrote an answer: what happened to the agent, and at which line of theirs."""

from labkit.crash import Report
from labkit.crash.under_test import without_addresses
from labkit.grading.judge.survival import counterexample

LONGEST = 600
"""Characters of a row's reason: a sweep that was not deterministic lists both runs in full."""


def reason(report: Report | None, error: Exception, who: str = "the agent") -> tuple[str, str]:
    """What broke a run, of whom, and the line of an answer after which it did; "" if it was at no line of an answer."""
    told = report and counterexample(report, who)
    if not told:
        return short(str(error)), ""
    killed = ", even without a kill" if told.harmless else ""
    return short(f"{report.name}{killed}: {told.what}"), str(told.line or "")


def short(text: str) -> str:
    """Cut to LONGEST, without memory addresses."""
    text = without_addresses(text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
