"""What a sweep of an answer found, in a learner's words: of their function, and blaming a kill only for what it did.

A learner knows neither the functions that a sweep is made of nor labkit's lines. It imports next to nothing.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from labkit.crash import KILLED, DidNotSurviveError, Line, Outcome, Point, Report, Trial
from labkit.crash.report.findings import Findings

ANSWER = "<answer"
"""How the file names of answers begin."""
WORDS = {
    "on restart, recovery ": "after the restart, {who} ",
    "recovery ": "after the restart, {who} ",
    "recover ": "after the restart, {who} ",
    "setup ": "{prepared} ",
    "run ": "{who} ",
    "the invariant raised ": "what {who} left cannot be judged: ",
    "NONDETERMINISTIC: the run, repeated with the same seed, ":
        "NONDETERMINISTIC: {who}, called again in the same circumstances, ",
}  # fmt: skip
"""How the crash lab begins to tell something → how that begins for a learner."""
AGAIN = re.compile(r"^crash point (\d+) was not reached: the (?:run|recover) ")
Moment = Callable[[Report, int], tuple[str, Line | None]]
"""A crash point of a report in words, to stand behind "Killed", and the line after which it comes."""


class Counterexample(NamedTuple):
    """What broke an answer, in words, and after which line of it."""

    what: str
    line: Line | None
    harmless: bool = False
    """Whether the kill came when nothing had been done, or all of it: then it is not to blame."""


def in_words(text: str, who: str, prepared: str = "") -> str:
    """What the crash lab says, of the function `who`; of what was `prepared` before it, by another."""
    names = {"who": who, "prepared": prepared or who}
    for ours, yours in WORDS.items():
        if text.startswith(ours):
            return yours.format(**names) + text.removeprefix(ours)
    return AGAIN.sub(rf"called again in the same circumstances, {who} did not come to crash point \1: it ", text)


def theirs(line: Line | None) -> Line | None:
    """A line, if an answer has it."""
    return line if line and line.file.startswith(ANSWER) else None


def did(seen: Trial) -> str:
    """How a trial ended, as the predicate of a sentence, with the learner's line."""
    line = theirs(seen.line)
    return f"returned {seen.value}" if seen.how == "returned" else f"{seen.failure}{f' at {line}' if line else ''}"


def counterexample(report: Report, who: str, prepared: str = "", moment: Moment | None = None) -> Counterexample | None:
    """The smallest counterexample of a sweep; None if nothing breaks."""
    if report.problem:
        return Counterexample(in_words(report.problem, who, prepared), theirs(report.problem_line))
    if not report.broken:
        return None
    unharmed = [point for point in (report.points[0], report.points[-1]) if any(map(_is_whole, point.broken()))]
    point = (unharmed or report.broken)[0]
    outcome = next(filter(_is_whole, point.broken()), point.broken()[0]) if unharmed else point.broken()[0]
    line = theirs(outcome.line)
    at = f" at {line}" if line and f"line {line.number}" not in outcome.reason else ""
    reason = f"{in_words(outcome.reason, who)}{at}"
    if unharmed:
        before = "" if point.k else "after the restart, "
        return Counterexample(reason.removeprefix(before), None, harmless=True)
    return _killed(report, point.k, replace(outcome, reason=reason), moment)


def assert_survives(report: Report, effects: int = 1, *, prepared: str = "", moment: Moment | None = None) -> None:
    """As the report's own. Its name is that of the learner's function; `prepared` says what came before that."""
    if told := counterexample(report, report.name, prepared, moment):
        score, timeline = ("", ()) if report.problem else (report.score(), report.timeline())
        what = f"{'Even without a kill: ' * told.harmless}{told.what}"
        error = DidNotSurviveError(what, str(told.line or ""), score, timeline)
        error.found = None if report.problem else as_theirs(report, report.name, prepared)
        raise error
    done = [str(effect) for effect in report.effects if effect.op not in {"ACK", "RETURN"}]
    if len(done) < effects:
        did = f"did only this: {', '.join(done)}" if done else "did nothing that lasts"
        raise DidNotSurviveError(f"{report.name} {did}. What does nothing survives any crash")


def as_theirs(report: Report, who: str, prepared: str = "") -> Findings:
    """What a sweep found, to be shown to a learner: in these words, and of lines only those of answers."""

    def outcome(seen: Outcome) -> Outcome:
        return replace(seen, reason=in_words(seen.reason, who, prepared), line=theirs(seen.line))

    effects = [replace(effect, line=theirs(effect.line)) for effect in report.effects]
    points = [Point(point.k, tuple(map(outcome, point.outcomes))) for point in report.points]
    return replace(report, effects=effects, points=points)


def _is_whole(outcome: Outcome) -> bool:
    """Whether nothing was lost by it, if it came at the first crash point or at the last."""
    return outcome.model == KILLED and not outcome.again and not outcome.stranger


def _killed(report: Report, k: int, outcome: Outcome, moment: Moment | None) -> Counterexample:
    seen = replace(report, effects=[replace(effect, line=theirs(effect.line)) for effect in report.effects])
    line = seen.effects[k - 1].line if k else None
    when, line = moment(seen, k) if moment else (_moment(seen, k), line)
    return Counterexample(seen.words(k, outcome, when), line)


def _moment(report: Report, k: int) -> str:
    """A crash point in words: what a sweep's run does when their function has returned is that return to a learner."""
    names = {"ACK": f"the return of {report.name}", "RETURN": "the end"}
    effects = [replace(each, op=names[each.op], target="") if each.op in names else each for each in report.effects]
    return replace(report, effects=effects).moment(k).removesuffix(", at the very end")
