"""One judge for the notebook, the terminal and the grading of a class. The student's code runs in children only."""

import re
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NoReturn

from pydantic import BaseModel

from labkit.crash import CrashLabError
from labkit.crash.client import CLIENT
from labkit.crash.under_test import without_addresses
from labkit.grading.judge.cells_as_written import explained
from labkit.grading.judge.criteria import Case, Exercise, Judge, read_submission
from labkit.grading.judge.printable import printable
from labkit.grading.judge.program import Program
from labkit.grading.judge.rebuild import answer_file, rebuild
from labkit.grading.notebook.submission import Submission

PATIENCE = 4.0
"""Seconds of processor time that one process of an answer may take; where it waits for a database, the lab's own."""
BY_HAND = "show this answer to your instructor"
"""What a verdict ends with that is none."""


class Status(StrEnum):
    """How a case stands."""

    PASS = "PASS"  # noqa: S105
    FAIL = "FAIL"
    TODO = "TODO"
    NOT_JUDGED = "----"


class Verdict(BaseModel):
    """What the judge found for one case."""

    case: str
    criterion: str
    title: str
    marks: int
    status: Status
    score: str = ""
    """How many crash points break it, where a sweep says so."""
    what: str = ""
    where: str = ""
    next: str = ""
    timeline: list[tuple[str, bool]] = []
    """For each crash point, in order: the effect that follows it, and whether the answer survives a crash there."""


class Result(BaseModel):
    """What the judge found for one exercise. Plain data, with all that is needed to repeat it."""

    stem: str
    title: str
    seed: int
    verdicts: list[Verdict]
    notes: list[str] = []

    @property
    def met(self) -> int:
        """How many cases are met."""
        return sum(verdict.status is Status.PASS for verdict in self.verdicts)


def judge_notebook(exercise: Exercise, path: Path, cases: Iterable[Case], seed: int = 0) -> Result:
    """Judge the notebook at `path`. UsageError if it cannot be read."""
    return judge(exercise, read_submission(exercise, path), cases, seed)


def judge(
    exercise: Exercise,
    submission: Submission,
    cases: Iterable[Case],
    seed: int = 0,
    seconds: float | None = None,
    known: dict[str, Verdict] | None = None,
) -> Result:
    """Judge `cases`, in the order of the exercise, and what they depend on. The seed draws the cases' inputs.

    A case that takes more than `seconds` of real time fails; then this must be the main thread of a process. `known`
    holds verdicts, by case, that were reached before for the same submission and seed, and takes in new ones.
    """
    wanted = {case.id for case in cases}
    needed = set(wanted)
    for case in reversed(exercise.cases):  # a case stands below those that it depends on
        needed |= set(case.depends_on) if case.id in needed else set()
    program, judges = rebuild(exercise, submission), exercise.judges()
    verdicts = {} if known is None else known
    with _patience(exercise):
        for case in exercise.cases:
            if case.id in needed and case.id not in verdicts:
                judge_case = partial(_within, seconds, judges[case.id], program, Random(f"{seed} {case.id}"))
                verdicts[case.id] = _verdict(exercise, submission, program, case, judge_case, verdicts)
    shown = [verdicts[case.id] for case in exercise.cases if case.id in wanted]
    return Result(stem=exercise.stem, title=exercise.title, seed=seed, verdicts=shown, notes=submission.notes)


@contextmanager
def _patience(exercise: Exercise) -> Iterator[None]:
    """Answers are small: one that works for long is endless. A database may keep a right one waiting."""
    before = CLIENT.seconds
    CLIENT.seconds = before if exercise.database else min(before, PATIENCE)
    try:
        yield
    finally:
        CLIENT.seconds = before


def _verdict(
    exercise: Exercise,
    submission: Submission,
    program: Program,
    case: Case,
    judge_case: Callable[[], None],
    earlier: dict[str, Verdict],
) -> Verdict:
    verdict = Verdict(case=case.id, criterion=case.criterion, title=case.title, marks=case.marks, status=Status.FAIL)
    stubs = {name: stub.source.strip() for name, stub in exercise.stubs.items()}
    missing = [name for name in case.answers if name not in submission.answers]
    unmet = [name for name in case.depends_on if earlier[name].status is not Status.PASS]
    errors = program.errors()
    broken = [name for name in stubs if answer_file(name) in errors]
    if missing:
        verdict.what = f"The cell `# answer: {missing[0]}` is missing: run it, or copy it back from exercises/."
    elif any(submission.answers[name].strip() == stubs[name] for name in case.answers):
        verdict.status = Status.TODO
    elif broken:
        verdict.what = f"{broken[0]}: {errors[answer_file(broken[0])]}"
    elif unmet:
        verdict.status, verdict.what = Status.NOT_JUDGED, f"not judged: needs {', '.join(unmet)}"
    else:
        try:
            judge_case()
            verdict.status = Status.PASS
        except (AssertionError, CrashLabError) as error:
            verdict.what = _explain(getattr(error, "what", str(error)), submission, case)
            verdict.where = getattr(error, "where", "")
            verdict.score = getattr(error, "score", "")
            verdict.timeline = [(printable(effect), survives) for effect, survives in getattr(error, "timeline", ())]
            verdict.next = case.next
        except Exception as error:  # noqa: BLE001 - whatever an answer made the judge do, it costs this case alone
            verdict.what = f"the judge itself failed ({type(error).__name__}): {BY_HAND}"
    return verdict


def _within(seconds: float | None, judge_case: Judge, program: Program, rng: Random) -> None:
    if seconds is None:
        return judge_case(program, rng)

    def give_up(*_: Any) -> NoReturn:
        raise AssertionError(f"it had not ended after {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return judge_case(program, rng)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _explain(what: str, submission: Submission, case: Case) -> str:
    """What happened, or what is plainly wrong with a cell: then what happened is a riddle."""
    if sentence := explained(what, submission.answers, case.answers):
        return sentence
    for name in re.findall(r"name '(\w+)' is not defined", what):
        if name in submission.elsewhere:
            return f"`{name}` is defined outside the answer cells: move it into the answer cell that uses it."
    return printable(without_addresses(what))
