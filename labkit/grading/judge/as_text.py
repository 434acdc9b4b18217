"""The verdict as a learner reads it: what happened, at which line of theirs, and what to look at next."""

import textwrap

from labkit.grading.judge.judge import Result, Status, Verdict


def as_text(result: Result) -> str:
    """All cases of a result, one line each, and more for those that are not met."""
    number = result.stem.partition("_")[0]
    lines = [f"{number} {result.title}: {result.met} of {len(result.verdicts)} cases met"]
    width = max(len(verdict.case) for verdict in result.verdicts)
    for verdict in result.verdicts:
        lines += _lines(verdict, width, number)
    return "\n".join([*lines, *(f"Note: {note}" for note in result.notes)])


def statuses(result: Result) -> dict[str, str]:
    """The word of each case, by its name in the whole course: "01.saves_whole"."""
    number = result.stem.partition("_")[0]
    return {f"{number}.{verdict.case}": verdict.status.value for verdict in result.verdicts}


def _lines(verdict: Verdict, width: int, number: str) -> list[str]:
    head = f"{verdict.status}  {verdict.case:{width}}"
    if verdict.status is Status.NOT_JUDGED:
        return [f"{head}  {verdict.what}"]
    if verdict.status is not Status.FAIL:
        return [f"{head}  {verdict.title}"]
    following = f'{verdict.next}   hint("{number}.{verdict.case}")' if verdict.next else ""
    details = {"What": verdict.what, "Where": verdict.where, "Next": following}
    return [f"{head}  {verdict.score or verdict.title}", *(detail(*item) for item in details.items() if item[1])]


def detail(word: str, text: str) -> str:
    """A line of a report, such as "What …", folded under its word."""
    return textwrap.fill(text, 100, initial_indent=f"      {word:6} ", subsequent_indent=" " * 13)
