"""Marks for Canvas and Moodle. Where nobody has decided about a student's marks, their cell is blank, never 0."""

import csv
import io
from collections.abc import Iterable, Sequence

from labkit.grading.gradebook.policy import Override
from labkit.grading.gradebook.results import Grade, Marks
from labkit.grading.judge.judge import Status

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet would calculate; in some countries it takes the wide forms, too."""
NEVER = "-"
UNDECIDED = "no marks yet: your instructor looks at what you handed in"


def canvas(grades: Sequence[Grade], asked: Sequence[str] = ()) -> str:
    """For Canvas, Grades → Import. It leaves as it is what is blank, and skips who is not of Canvas.

    The ids are the roster's, else that in the names of what Canvas hands out; else the name is a login.
    """
    title = f"labkit {', '.join(asked)}" if asked else "labkit"
    rows = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", title]]
    rows += [["    Points Possible", "", "", "", "", str(_marks(grades[0], asked).of)]]
    for grade in grades:
        of_canvas, person = grade.platform == "Canvas", grade.person
        number = str(person.canvas or (grade.id if of_canvas else ""))  # an anonymous one has no login either
        login = person.login or ("" if of_canvas or number or person.sis else grade.student)
        rows.append([_name(grade), number, person.sis, login, person.section, told(grade, asked)])
    return as_csv(rows)


def moodle(grades: Sequence[Grade], asked: Sequence[str] = ()) -> str:
    """For Moodle, an assignment's Upload grading worksheet. Who is not of Moodle has no identifier, and is passed over.

    "-" is when a grade was changed that never was.
    """
    rows = [["Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)", "Feedback comments"]]
    for grade in grades:
        number = f"Participant {grade.id}" if grade.platform == "Moodle" else ""
        marks = _marks(grade, asked)
        rows.append([number, _name(grade), told(grade, asked), str(marks.of), NEVER, _feedback(grade, asked)])
    return as_csv(rows)


def told(grade: Grade, asked: Sequence[str] = ()) -> str:
    """The marks as a platform is told them: nothing if somebody must decide first."""
    marks = _marks(grade, asked)
    return "" if marks.undecided else str(marks.got)


def decided(grade: Grade, asked: Sequence[str] = ()) -> list[str]:
    """What people have decided about a student, a line each."""
    overrides = [each for each in grade.overrides if not asked or each.of[:2] in {"", *asked}]
    lines = [f"{each.of or 'all'}: {_marks_of(each)}, by {each.by}: {each.comment}" for each in overrides]
    late = [each for each in grade.late if not asked or each.exercise in asked]
    days = [f"{each.days} day{'' if each.days == 1 else 's'}" for each in late]
    return [*lines, *(f"{e.exercise}: {d} late, -{e.share:.0%}" for e, d in zip(late, days, strict=True))]


def _marks_of(override: Override) -> str:
    return "as judged" if override.marks is None else f"{override.marks:g} marks"


def _marks(grade: Grade, asked: Sequence[str]) -> Marks:
    return grade.part(asked) if asked else grade.part(list(grade.exercises))


def _feedback(grade: Grade, asked: Sequence[str]) -> str:
    if _marks(grade, asked).undecided:
        return UNDECIDED
    results = [each for each in grade.results if not asked or each.stem.partition("_")[0] in asked]
    unmet = [f"{r.stem[:2]}.{v.case}" for r in results for v in r.verdicts if v.status is not Status.PASS]
    judged = f"not met: {', '.join(unmet)}" if unmet else "all cases met" if results else "nothing handed in"
    return "; ".join([judged, *decided(grade, asked)])


def _name(grade: Grade) -> str:
    return grade.student.removesuffix(f"_{grade.id}") if grade.id else grade.student


def as_csv(rows: Iterable[Iterable[object]]) -> str:
    """A CSV file in which no spreadsheet finds a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        writer.writerow(
            [
                f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) and cell != NEVER else cell
                for cell in row
            ]
        )
    return text.getvalue()
