"""What a grading shows while it runs, and at its end: how far it is, who has what, and what needs a human."""

from collections.abc import Collection, Sequence
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from labkit.crash.printable import printable
from labkit.grading.gradebook.results import Grade
from labkit.grading.judge.judge import Status

MOST_REASONS = 2
"""Notes of a student that the summary shows; the class's page has all."""


class Steps:
    """How far it is: a bar in a terminal, a line for each student in a log."""

    def __init__(self, console: Console, total: int) -> None:
        self._console, self._total, self._number = console, total, 0
        bar = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
        self._progress = Progress(*bar, console=console) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._progress:
            self._progress.start()
            self._bar = self._progress.add_task("Grading", total=self._total)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._progress:
            self._progress.stop()
        if kind is KeyboardInterrupt:
            self._console.print("Stopped: the same command goes on")

    def say(self, line: str) -> None:
        """Say something else."""
        self._console.print(Text(printable(line)), soft_wrap=True)

    def done(self, name: str) -> None:
        """One more student is graded."""
        self._number += 1
        if self._progress:
            self._progress.advance(self._bar)
        else:
            self._console.print(Text(f"Graded {self._number} of {self._total}: {printable(name)}"), soft_wrap=True)


def rows(grades: Sequence[Grade], names: Collection[str], asked: Sequence[str] = ()) -> list[str]:
    """A line for each of these students: their marks in what was asked for, and the status if not simply graded."""
    lines = []
    for grade in grades:
        marks = grade.part(asked) if asked else grade.total
        status = "look" if marks.undecided else grade.status
        line = f"{printable(grade.student)}: {marks.got} of {marks.of}"
        if not names or grade.student in names:
            lines.append(f"{line} ({status})" if marks.undecided or status == "nothing handed in" else line)
    return lines


def summary(grades: Sequence[Grade], asked: Sequence[str] = ()) -> list[str]:
    """How many there are of each kind, and what needs a human, by student."""
    look = [grade for grade in grades if grade.status == "look"]
    none = sum(grade.status == "nothing handed in" for grade in grades)
    number = f"{len(grades)} student{'' if len(grades) == 1 else 's'}"
    lines = [
        f"{number}: {len(grades) - len(look) - none} graded, {none} handed in nothing, {len(look)} to be looked at"
    ]
    blank = [grade for grade in look if not asked or grade.part(asked).undecided]
    if blank:
        lines.append("Look at these yourself; their marks are blank in canvas.csv and moodle.csv:")
        lines += [f"  {printable(grade.student)}: {_why(grade)}" for grade in blank]
    if others := [grade for grade in look if grade not in blank]:
        lines.append("Look at these yourself; it is about other exercises:")
        lines += [f"  {printable(grade.student)}: {_why(grade)}" for grade in others]
    if asking := [(grade, note) for grade in grades for note in grade.asks]:
        lines.append("Decide about these in policy.toml:")
        lines += [f"  {printable(grade.student)}: {note}" for grade, note in asking]
    return lines


def _why(grade: Grade) -> str:
    """Which exercises, and the first reasons."""
    numbers = [number for number, marks in grade.exercises.items() if marks.undecided]
    verdicts = [(result.stem[:2], verdict) for result in grade.results for verdict in result.verdicts]
    unjudged = [f"{number}.{each.case}: {each.what}" for number, each in verdicts if each.status is Status.LOOK]
    reasons = [*(note for note in grade.notes if note not in grade.asks), *unjudged, *grade.runs]
    more = [f"and {len(reasons) - MOST_REASONS} more"] if len(reasons) > MOST_REASONS else []
    return f"{', '.join(numbers)}: {'; '.join([*reasons[:MOST_REASONS], *more])}"
