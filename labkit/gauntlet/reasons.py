"""Why a run was not survived, for whoever wrote an answer: what happened to the agent, and at which line of theirs.

A learner knows neither the functions that a sweep is made of nor labkit's lines: neither is told.
"""

from dataclasses import replace

from labkit.crash import KILLED, Line, Report, Trial
from labkit.crash.under_test import without_addresses

ANSWER = "<answer "
"""How the file names of answers begin. Children load this module, and not the judge, which makes those names."""
LONGEST = 600
"""Characters of a row's reason: a sweep that was not deterministic lists both runs in full."""
ROLES = {
    "on restart, recovery ": "after the restart, the agent ",
    "recovery ": "after the restart, the agent ",
    "setup ": "the agent ",
    "run ": "the agent ",
}
"""How a reason of the crash lab begins → how it begins for a learner."""


def reason(report: Report | None, error: Exception) -> tuple[str, str]:
    """What broke a run, and the line of an answer after which it did; "" if it was at no line of an answer."""
    if report is None or not (report.problem or report.broken):
        return short(str(error)), ""
    if report.problem:
        return short(f"{report.name}: {_told(report.problem)}"), str(theirs(report.problem_line) or "")
    point = report.broken[0]
    found = point.broken()[0]
    told = replace(found, reason=_told(found.reason))
    if point.k == 0 and found.model == KILLED and not found.again:  # nothing had been done: what follows is a whole run
        return short(f"{report.name}, even without a kill: {told.reason.removeprefix('after the restart, ')}"), ""
    seen = replace(report, effects=[replace(effect, line=theirs(effect.line)) for effect in report.effects])
    line = seen.effects[point.k - 1].line if point.k else None
    return short(f"{report.name}: {seen.words(point.k, told)}"), str(line or "")


def did(seen: Trial) -> str:
    """How a trial ended, as the predicate of a sentence, with the line of the answer."""
    line = theirs(seen.line) if seen.how != "returned" else None
    return f"{seen.failure}{f' at {line}' if line else ''}"


def theirs(line: Line | None) -> Line | None:
    """A line, if an answer has it."""
    return line if line and line.file.startswith(ANSWER) else None


def short(text: str) -> str:
    """Cut to LONGEST, without memory addresses."""
    text = without_addresses(text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def _told(text: str) -> str:
    for role, who in ROLES.items():
        if text.startswith(role):
            return who + text.removeprefix(role)
    return text
