"""One judge for the notebook, the terminal and the grading of a class. The student's code runs in children only."""

import re
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from random import Random

from pydantic import BaseModel

from labkit.crash import CrashLabError, trial
from labkit.crash.jobs import LabEndedError
from labkit.crash.printable import printable
from labkit.crash.report.findings import Findings
from labkit.crash.under_test import without_addresses
from labkit.grading.judge.cells_as_written import explained
from labkit.grading.judge.criteria import Case, Exercise, read_submission
from labkit.grading.judge.patience import impatient, within
from labkit.grading.judge.program import Program
from labkit.grading.judge.rebuild import answer_file, rebuild
from labkit.grading.judge.source import Skipped
from labkit.grading.notebook.submission import Submission

BY_HAND = "show this answer to your instructor"
"""Ends the text of a case that could not be judged."""
NOTE = "in the answer {answer}: line {line}, which tries something out, raised {error}; it does not count"
MOST_SKIPPED = 40


class Status(StrEnum):
    """How a case stands."""

    PASS = "PASS"  # noqa: S105
    FAIL = "FAIL"
    TODO = "TODO"
    NOT_JUDGED = "----"
    LOOK = "LOOK"
    """It could not be judged: a human must look."""


class Verdict(BaseModel):
    """What the judge found for one case."""

    case: str
    criterion: str
    title: str
    marks: int | float
    status: Status
    score: str = ""
    """How many crash points break it, where a sweep says so."""
    what: str = ""
    where: str = ""
    next: str = ""
    timeline: list[tuple[str, bool]] = []
    """For each crash point, in order: the effect that follows it, and whether the answer survives a crash there."""

    @classmethod
    def of(cls, case: Case, status: Status, what: str = "") -> "Verdict":
        """On this case, with nothing more to say of it."""
        return cls(case=case.id, criterion=case.criterion, title=case.title, marks=case.marks, status=status, what=what)


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


Tell = Callable[[Verdict, Findings | None], None]
"""Is called with each verdict, and with what a sweep found that failed it."""


def judge_notebook(
    exercise: Exercise, path: Path, cases: Iterable[Case], seed: int = 0, tell: Tell = lambda *_: None
) -> Result:
    """Judge the notebook at `path`. UsageError if it cannot be read."""
    return judge(exercise, read_submission(exercise, path), cases, seed, tell=tell)


def judge(
    exercise: Exercise, submission: Submission, cases: Iterable[Case], seed: int = 0, seconds: float | None = None,
    tell: Tell = lambda *_: None,
) -> Result:  # fmt: skip
    """Judge `cases`, in the order of the exercise. The seed draws their inputs.

    A case that takes more than `seconds` of real time fails; then this must be the main thread of a process.
    """
    sitting, wanted = Sitting(exercise, submission, seed, seconds), {case.id for case in cases}
    verdicts = []
    for case in exercise.cases:
        if case.id in wanted:
            verdicts.append(sitting.verdict(case))
            tell(verdicts[-1], sitting.found.get(case.id))
    notes = [*submission.notes, *_skipped(sitting.program, seconds)]
    return Result(stem=exercise.stem, title=exercise.title, seed=seed, verdicts=verdicts, notes=notes)


class Sitting:
    """A submission before the judge, with one seed: each case is judged once, however often its verdict is needed."""

    def __init__(self, exercise: Exercise, submission: Submission, seed: int = 0, seconds: float | None = None) -> None:
        self._submission, self._seed, self._seconds = submission, seed, seconds
        self._waits = exercise.database
        self._cases, self._judges = {case.id: case for case in exercise.cases}, exercise.judges()
        self._stubs = {name: stub.source.strip() for name, stub in exercise.stubs.items()}
        self.program = rebuild(exercise, submission)
        self._errors = self.program.errors()
        self._verdicts: dict[str, Verdict] = {}
        self.found: dict[str, Findings] = {}
        """Case → what the sweep found that failed it."""

    def verdict(self, case: Case) -> Verdict:
        """The verdict on a case. What the case depends on is judged first."""
        if case.id not in self._verdicts:
            self._verdicts[case.id] = self._unready(case) or self._judged(case)
        return self._verdicts[case.id]

    def _unready(self, case: Case) -> Verdict | None:
        """The verdict on a case that has nothing to run; None if it has."""
        answers = self._submission.answers
        for name in case.answers:
            if name not in answers:
                what = f"The cell `# answer: {name}` is missing: run it, or copy it back from exercises/."
                return Verdict.of(case, Status.FAIL, what)
        if any(answers[name].strip() == self._stubs[name] for name in case.answers):
            return Verdict.of(case, Status.TODO)
        for name in case.answers:
            if error := self._errors.get(answer_file(name)):
                return Verdict.of(case, Status.FAIL, f"{name}: {error}")
        needed = [self.verdict(self._cases[name]) for name in case.depends_on]
        if unmet := [verdict.case for verdict in needed if verdict.status is not Status.PASS]:
            return Verdict.of(case, Status.NOT_JUDGED, f"not judged: needs {', '.join(unmet)}")
        return None

    def _judged(self, case: Case) -> Verdict:
        try:
            with nullcontext() if self._waits else impatient():
                within(self._seconds, self._judges[case.id], self.program, Random(f"{self._seed} {case.id}"))
        except LabEndedError:
            return Verdict.of(case, Status.LOOK, f"the crash lab's own process ended: {BY_HAND}")
        except (AssertionError, CrashLabError) as error:
            what = _explain(getattr(error, "what", str(error)), self._submission, case)
            verdict = Verdict.of(case, Status.FAIL, what)
            verdict.where = printable(str(getattr(error, "where", "")))
            verdict.score = printable(str(getattr(error, "score", "")))
            verdict.timeline = [(printable(effect), survives) for effect, survives in getattr(error, "timeline", ())]
            verdict.next = case.next
            if found := getattr(error, "found", None):
                self.found[case.id] = found
            return verdict
        except Exception as error:  # noqa: BLE001 - whatever an answer made the judge do, it costs this case alone
            return Verdict.of(case, Status.LOOK, f"the judge itself failed ({type(error).__name__}): {BY_HAND}")
        return Verdict.of(case, Status.PASS)


def _skipped(program: Program, seconds: float | None) -> list[str]:
    """Notes about the lines that tried something out and failed: a child runs the answers to find them, and may lie."""
    if not any(source.tries for source in program.sources):
        return []
    found: list[str] = []

    def find(program: Program, _: Random) -> None:
        told = trial(program.skipped).value
        lines = [Skipped(**each) for each in (told if isinstance(told, list) else [])[:MOST_SKIPPED]]
        found.extend(printable(NOTE.format(**vars(each))) for each in lines)

    try:
        with impatient():
            within(seconds, find, program, Random())
    except Exception:  # noqa: BLE001 - whatever an answer made of it, it is but a note
        return ["the lines of an answer that try something out could not be run"]
    return found


def _explain(what: str, submission: Submission, case: Case) -> str:
    """What happened, or what is plainly wrong with a cell: then what happened is a riddle."""
    if sentence := explained(what, submission.answers, case.answers):
        return sentence
    for name in re.findall(r"name '(\w+)' is not defined", what):
        if name in submission.elsewhere:
            return f"`{name}` is defined outside the answer cells: move it into the answer cell that uses it."
    if "ModuleNotFoundError: No module named" in what:
        return f"{printable(what)}. A file of your own beside the notebook is not there: write it into the answer cell."
    if "EOFError: EOF when reading a line" in what:
        return f"{printable(what)}: `input()` asks for input, and nobody is there to answer."
    return printable(without_addresses(what))
