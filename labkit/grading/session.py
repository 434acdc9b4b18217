"""What a notebook has of the judge: `check`, `hint` and `explain`, and the memory of which answer cells were run."""

import os
from collections import Counter
from functools import partial
from typing import Any

from labkit.grading.judge.as_text import as_text, statuses
from labkit.grading.judge.beside import BESIDE, JudgeFailedError
from labkit.grading.judge.criteria import Case, find, submission_of
from labkit.grading.judge.judge import BY_HAND, Result, Status
from labkit.grading.judge.request import Request
from labkit.grading.notebook.cells import Cell
from labkit.grading.verdict_view import Shown, live
from labkit.learner.state import note_cases
from labkit.repository import UsageError

_cells: dict[str, Cell] = {}
"""The cells that were run, the last one last: by id, else by answer, else by source."""
_hints_given: Counter[str] = Counter()
_failed: Counter[str] = Counter()
"""How many checks in a row each case has failed."""


class CriteriaNotMet(AssertionError):  # noqa: N818 - the name that notebooks and graders see
    """Not every case is met. The verdict has been shown; there is nothing to trace back."""

    def _render_traceback_(self) -> list[str]:
        return [f"CriteriaNotMet: {self}"]


class BadRequest(UsageError):  # noqa: N818 - reads as a sentence in the notebook
    """A check or hint was asked for something that is not there."""


def watch(shell: Any) -> None:
    """Remember the source of every cell that this kernel runs from now on: the file may not be saved yet."""
    shell.events.register("pre_run_cell", _remember)


def _remember(info: Any) -> None:
    cell = Cell(info.raw_cell.replace("\r\n", "\n"), getattr(info, "cell_id", None) or "")
    key = cell.id or cell.answer or cell.source
    _cells.pop(key, None)
    _cells[key] = cell


def check(name: str) -> None:
    """Judge the answers in this notebook and show the verdict. CriteriaNotMet unless every case is met.

    `name` is an exercise or one of its cases: check("01"), check("01_file_storage"), check("01.saves_whole").
    """
    exercise, cases = _find(name)
    submission = submission_of(exercise, list(_cells.values()))
    request = Request(name=name, submission=submission)
    try:
        if live():
            shown = Shown(exercise, cases, submission, _failed)
            result = shown.judged(partial(BESIDE.judge, request.model_copy(update=shown.wanted)))
        else:
            result = BESIDE.judge(request)
            print(as_text(result))
    except JudgeFailedError as error:
        raise BadRequest(f"The judge itself failed, which says nothing about your answer: {error}") from None
    note_cases(statuses(result))
    if result.met < len(result.verdicts):
        raise CriteriaNotMet(summary(result))


def summary(result: Result) -> str:
    """One line: how many cases are met, and which are not."""
    parts = [f"{result.met} of {len(result.verdicts)} cases met"]
    words = {Status.FAIL: "failed", Status.LOOK: BY_HAND, Status.NOT_JUDGED: "not judged", Status.TODO: "to do"}
    for status, word in words.items():
        if names := [verdict.case for verdict in result.verdicts if verdict.status is status]:
            parts.append(f"{word}: {', '.join(names)}")
    return "; ".join(parts)


def hint(name: str) -> None:
    """Show the next hint for a case, such as "01.saves_whole". Hints never cost marks."""
    hints = _case(name, "hint").hints
    given = min(_hints_given[name], len(hints) - 1)
    if os.environ.get("LABKIT_PROGRESS") != "off":
        _hints_given[name] += 1
    print(f"Hint {given + 1} of {len(hints)}: {hints[given]}")


def explain(name: str) -> None:
    """Show a small case worked through: how a case such as "01.saves_whole" is met, and why. It costs no marks."""
    print(_case(name, "explain").worked.strip() or f"{name} has no explanation: ask for a hint")


def _case(name: str, asked: str) -> Case:
    exercise, cases = _find(name)
    if "." not in name:
        raise BadRequest(f'name a case, as in {asked}("{exercise.number}.{cases[0].id}")')
    return cases[0]


def _find(name: str) -> Any:
    if not isinstance(name, str):
        raise BadRequest(f'name an exercise or a case in quotes, as in check("01"): {name!r} is no text')
    try:
        return find(name)
    except UsageError as error:
        raise BadRequest(str(error)) from None
