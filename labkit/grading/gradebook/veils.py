"""Names that are not shown, names of files, and whom a second grader looks at. All of it is the same each time."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.grading.gradebook.policy import Sample
from labkit.grading.gradebook.results import Grade
from labkit.grading.reader.whose import file_names


def pseudonyms(grades: Sequence[Grade]) -> dict[str, str]:
    """Student → what pages call them. It hides a name from who reads, not from who sets out to find it."""
    digests = {grade.student: _digest("pseudonym", grade.student) for grade in grades}
    length = next(n for n in range(4, 65) if len({each[:n] for each in digests.values()}) == len(digests))
    return {student: f"Student {digest[:length]}" for student, digest in digests.items()}


def veiled(grade: Grade, veils: Mapping[str, str]) -> Grade:
    """The grade with a pseudonym wherever the student's name or id stands; as it is if there are no veils."""
    if grade.student not in veils:
        return grade
    bare = grade.student.removesuffix(f"_{grade.id}") if grade.id else grade.student
    names = sorted({grade.student, bare, *grade.person.names, grade.person.login} - {""}, key=len, reverse=True)
    form = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in names))
    shown = {"overrides", "results", "runs", "notes"}
    hidden = _replaced(grade.model_dump(mode="json", include=shown), form, veils[grade.student])
    whole = {**grade.model_dump(mode="json"), **hidden, "student": veils[grade.student]}
    return Grade.model_validate_json(json.dumps(whole))


def _replaced(value: Any, form: re.Pattern[str], name: str) -> Any:
    if isinstance(value, str):
        return form.sub(name, value)
    if isinstance(value, list):
        return [_replaced(each, form, name) for each in value]
    if isinstance(value, dict):
        return {key: _replaced(each, form, name) for key, each in value.items()}
    return value


def files_of(grades: Sequence[Grade], veils: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Student → the name of their result's file; and student → the path of their page."""
    names = file_names(grade.student for grade in grades)
    shown = file_names(veils.get(grade.student, grade.student) for grade in grades) if veils else names
    pages = {grade.student: f"students/{shown[veils.get(grade.student, grade.student)]}.html" for grade in grades}
    return names, pages


def sample(grades: Sequence[Grade], wanted: Sample | None) -> list[str]:
    """The students whom a second grader looks at: drawn by the seed among those who handed in something."""
    if wanted is None:
        return []
    handed = [grade.student for grade in grades if grade.results]
    drawn = sorted(handed, key=lambda student: _digest(f"sample {wanted.seed}", student))
    return sorted(drawn[: wanted.students])


def _digest(what: str, student: str) -> str:
    return hashlib.sha256(f"{what} {student}".encode(errors="surrogatepass")).hexdigest()
