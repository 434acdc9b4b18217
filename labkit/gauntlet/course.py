"""The gauntlet: the agent with a student's answers in it, against everything that the course has taught to survive.

It ends in the checklist of the course. A row of it is a criterion: the chapters' own cases of it, and a run of the
agent that was made for it. Each run has the student's answers of the chapters so far and labkit's own for the rest, so
no answer can break a row before its own. Everything that is judged runs in children.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

from labkit.course.answers import Answers, load_all
from labkit.crash import CrashLabError, Report
from labkit.crash.race.report import RaceReport
from labkit.gauntlet.alone import idempotent, persists, resumes
from labkit.gauntlet.checklist import Checklist, Row
from labkit.gauntlet.outside import retries, run_deadline, step_deadline
from labkit.gauntlet.parts import Parts
from labkit.gauntlet.reasons import reason
from labkit.gauntlet.systems import compensates
from labkit.gauntlet.together import transactions
from labkit.gauntlet.whole import everything
from labkit.gauntlet.window import context
from labkit.grading.judge.criteria import criteria
from labkit.grading.judge.judge import Sitting, Status, Verdict
from labkit.grading.judge.orders import assert_no_order_breaks

__all__ = ["Checklist", "Gauntlet", "Row"]

GIVEN = {
    "TaskFiles": "01_file_storage",
    "Step": "06_saga",
    "Log": "06_saga",
    "Held": "09_queue",
    "Answer": "10_events",
    "signature": "10_events",
}
"""What the runs use of the given cells, and whose cells those are."""


class Run(NamedTuple):
    """The sweeps and races that try one criterion on the whole agent."""

    reports: Callable[[Parts], Iterator[Report | RaceReport]]
    adds: tuple[str, ...] = ()
    """The student's answers that this run and all later ones use."""
    counts: tuple[str, ...] = ()
    """The criteria whose cases count in this row; its own, if none is named."""
    title: str = "all of it, with all that can go wrong, at once"
    """What is met, if the row is no criterion of the course."""


RUNS = {
    "persists": Run(persists, ("save_task", "load_task")),
    "resumes": Run(resumes, ("resume",)),
    "idempotent": Run(idempotent, ("step_key", "execute_task_if_not_done")),
    "retries": Run(retries, ("delays", "full_jitter", "execute_with_retry")),
    "run_deadline": Run(run_deadline, ("step_timeout", "run_steps")),
    "step_deadline": Run(step_deadline),
    "transactions": Run(transactions, ("finish_step", "execute_step")),
    "compensates": Run(compensates, ("undo_order", "run_saga")),
    "context": Run(context, ("apply", "select_context")),
    "everything": Run(everything),
}


def answers_for(runs: Mapping[str, Run] = RUNS) -> dict[str, Answers]:
    """To the exercises that these runs are made of: for the agent, not to those of the production part."""
    needed = {name for run in runs.values() for name in run.adds}
    return {stem: answers for stem, answers in load_all().items() if needed & {*answers.exercise.signatures}}


@dataclass(frozen=True)
class Gauntlet:
    """Answers to all exercises, to be sent through the gauntlet."""

    answers: Mapping[str, Answers] = field(default_factory=answers_for)
    """By stem. Unless others are given: those in work/, and labkit's own where there is none."""
    known: dict[Any, Any] = field(default_factory=dict, repr=False)
    """A cache: verdicts and rows, by the sources of what was judged."""
    runs: Mapping[str, Run] = field(default_factory=lambda: RUNS, repr=False)
    """The rows of the checklist, in order."""
    who: str = "the agent"
    """What is sent through the runs, as the subject of a sentence."""
    blames: bool = False
    """Whether a row whose run has failed says whose answers broke it, which takes more runs."""

    def but(self, stem: str, cell: str) -> Self:
        """The same with another answer in it, given as the text of its cell. UsageError if it is none."""
        return replace(self, answers={**self.answers, stem: self.answers[stem].but(cell)})

    def whose(self) -> str:
        """Which answers are the student's, and which are labkit's: a line for each exercise."""
        return "\n".join(answers.whose() for answers in self.answers.values())

    def checklist(self) -> Checklist:
        """Every criterion in order, up to the first that is not met; those behind it are not judged."""
        rows: list[Row] = []
        failed = ""
        for criterion in self.runs:
            row = self._row(criterion, Status.NOT_JUDGED, what=f"not judged: needs {failed}")
            rows.append(row if failed else self.row(criterion))
            failed = failed or (criterion if rows[-1].status is not Status.PASS else "")
        return Checklist(tuple(rows))

    def row(self, criterion: str) -> Row:
        """One criterion, whatever becomes of the others: first the chapters' cases, then the run."""
        judged = 0
        for stem, verdict in self._verdicts(criterion):
            if verdict.status is Status.NOT_JUDGED:
                continue  # what it needs belongs to a row below, which will say so
            judged += 1
            if verdict.status is not Status.PASS:
                what, where = f"exercise {stem[:2]}, {verdict.case}: {verdict.what}", verdict.where
                status = verdict.status if verdict.status is Status.LOOK else Status.FAIL
                return self._row(criterion, status, what=what, where=where, next=verdict.next, cases=judged)
        row = replace(self.run(criterion), cases=judged)
        if self.blames and row.status is Status.FAIL and (culprit := next(self.culprits(criterion), None)):
            return replace(row, next=f"With labkit's own answers to exercise {culprit[:2]}, it survives. Begin there.")
        return row

    def run(self, criterion: str) -> Row:
        """The run of a criterion alone."""
        parts = self._parts(criterion)
        key = criterion, *(program.sources for program in parts.programs.values())
        if key not in self.known:
            self.known[key] = self._run(criterion, parts)
        return self.known[key]

    def without(self, *stems: str) -> Self:
        """The same with labkit's own answers to these exercises; to all, if none is named."""
        own = {stem: replace(self.answers[stem], yours={}) for stem in stems or self.answers}
        return replace(self, answers={**self.answers, **own})

    def culprits(self, criterion: str) -> Iterator[str]:
        """The exercises with labkit's own answers to which, one by one, a run survives; the newest first."""
        entered = self._entered(criterion)
        begun = [stem for stem, answers in self.answers.items() if answers.yours.keys() & entered]
        for stem in reversed(begun):
            if self.without(stem).run(criterion).status is Status.PASS:
                yield stem

    def _verdicts(self, criterion: str) -> Iterator[tuple[str, Verdict]]:
        """The verdicts on the student's answers in this criterion. Cases of labkit's own answers prove nothing."""
        for stem, answers in self.answers.items():
            submission = answers.submission()
            key = stem, *submission.answers.values()
            sitting = self.known[key] = self.known.get(key) or Sitting(answers.exercise, submission)
            for case in answers.exercise.cases:
                if case.criterion in (self.runs[criterion].counts or (criterion,)) and answers.yours.keys() & {
                    *case.answers
                }:
                    yield stem, sitting.verdict(case)

    def _entered(self, criterion: str) -> set[str]:
        so_far = [*self.runs][: [*self.runs].index(criterion) + 1]
        return {name for each in so_far for name in self.runs[each].adds}

    def _parts(self, criterion: str) -> Parts:
        """The programs for a run: the student's answers of the chapters so far, labkit's own for the rest."""
        entered, programs = self._entered(criterion), {}
        for stem, answers in self.answers.items():
            program = answers.program(entered)
            given = {name for name, home in GIVEN.items() if home == stem}
            programs |= dict.fromkeys({*answers.exercise.signatures, *given}, program)
        return Parts(programs)

    def _row(self, criterion: str, status: Status, **more: Any) -> Row:
        title = criteria().get(criterion, self.runs[criterion].title)
        return Row(criterion, title, status, width=max(13, *map(len, self.runs)), **more)

    def _run(self, criterion: str, parts: Parts) -> Row:
        row = self._row(criterion, Status.PASS)
        try:
            for report in self.runs[criterion].reports(parts):
                row = replace(row, reports=(*row.reports, report))
                if isinstance(report, RaceReport):
                    assert_no_order_breaks(report)
                else:
                    report.assert_survives(effects=2)
        except (AssertionError, CrashLabError) as error:
            last = row.reports[-1] if row.reports else None
            what, where = reason(last if isinstance(last, Report) else None, error, self.who)
            return replace(row, status=Status.FAIL, what=what, where=where)
        return row
