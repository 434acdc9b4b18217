"""One judge for the notebook, the terminal and the grading of a class. The student's code runs in children only."""

import re
from collections.abc import Iterable
from enum import StrEnum
from random import Random

from pydantic import BaseModel

from labkit.crash import CrashLabError
from labkit.crash.trace import without_addresses
from labkit.grading.answers import Submission, read_notebook, submission_from
from labkit.grading.criteria import Case, Exercise, Judge
from labkit.grading.program import Program
from labkit.grading.rebuild import answer_file, rebuild


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


def judge_notebook(exercise: Exercise, path: object, cases: Iterable[Case], seed: int = 0) -> Result:
    """Judge the notebook at `path`. UsageError if it cannot be read."""
    ids = {cell.id: name for name, cell in exercise.stubs.items()}
    return judge(exercise, submission_from(read_notebook(path), ids), cases, seed)


def judge(
    exercise: Exercise,
    submission: Submission,
    cases: Iterable[Case],
    seed: int = 0,
    known: dict[str, Verdict] | None = None,
) -> Result:
    """Judge `cases`, in the order of the exercise, and what they depend on. The seed draws the cases' inputs.

    `known` holds verdicts, by case, that were reached before for the same submission and seed, and takes in new ones.
    """
    wanted = {case.id for case in cases}
    needed = set(wanted)
    for case in reversed(exercise.cases):  # a case stands below those that it depends on
        needed |= set(case.depends_on) if case.id in needed else set()
    program, judges = rebuild(exercise, submission), exercise.judges()
    verdicts = {} if known is None else known
    for case in exercise.cases:
        if case.id in needed and case.id not in verdicts:
            verdicts[case.id] = _verdict(exercise, submission, program, case, judges[case.id], verdicts, seed)
    shown = [verdicts[case.id] for case in exercise.cases if case.id in wanted]
    return Result(stem=exercise.stem, title=exercise.title, seed=seed, verdicts=shown, notes=submission.notes)


def _verdict(
    exercise: Exercise,
    submission: Submission,
    program: Program,
    case: Case,
    judge_case: Judge,
    earlier: dict[str, Verdict],
    seed: int,
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
            judge_case(program, Random(f"{seed} {case.id}"))
            verdict.status = Status.PASS
        except (AssertionError, CrashLabError) as error:
            verdict.what = _explain(getattr(error, "what", str(error)), submission)
            verdict.where = getattr(error, "where", "")
            verdict.score = getattr(error, "score", "")
            verdict.next = case.next
    return verdict


def _explain(what: str, submission: Submission) -> str:
    """A NameError about a name from another cell is no riddle: say where that name is."""
    for name in re.findall(r"name '(\w+)' is not defined", what):
        if name in submission.elsewhere:
            return f"`{name}` is defined outside the answer cells: move it into the answer cell that uses it."
    return without_addresses(what)
