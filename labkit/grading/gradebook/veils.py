"""Names that are not shown, names of files, and whom a second grader looks at. All of it is the same each time."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import permutations
from typing import Any

from labkit.grading.gradebook.policy import Sample
from labkit.grading.gradebook.results import Grade
from labkit.grading.reader.whose import file_names

LONG = 3
"""Letters of a word that is hidden alone, where a name has several: a surname in the name of a file."""


def pseudonyms(grades: Sequence[Grade]) -> dict[str, str]:
    """Student → what pages call them. It hides a name from who reads, not from who sets out to find it."""
    digests = {grade.student: _digest("pseudonym", grade.student) for grade in grades}
    length = next(n for n in range(4, 65) if len({each[:n] for each in digests.values()}) == len(digests))
    return {student: f"Student {digest[:length]}" for student, digest in digests.items()}


def veiled(grade: Grade, veils: Mapping[str, str]) -> Grade:
    """The grade with pseudonyms wherever a name or id of the student stands, or in what people say, another one's name.

    As it is if there are no veils.
    """
    if grade.student not in veils:
        return grade
    whole = grade.model_dump(mode="json")
    shown = {key: whole[key] for key in ("overrides", "results", "runs", "notes")}
    hidden = _replaced(shown, _form(tuple(_names(grade))), veils[grade.student])
    for student in sorted(veils.keys() - {grade.student}, key=lambda each: (-len(each), each)):
        if len(student) >= LONG:
            said = {key: hidden[key] for key in ("overrides", "notes")}
            hidden |= _replaced(said, _form((student,)), veils[student])
    return Grade.model_validate_json(json.dumps({**whole, **hidden, "student": veils[grade.student]}))


def _names(grade: Grade) -> list[str]:
    """All that the student is known by, here and on platforms."""
    person = grade.person
    bare = grade.student.removesuffix(f"_{grade.id}") if grade.id else grade.student
    ids = [grade.id, str(person.canvas or ""), person.sis, person.login, person.login.partition("@")[0]]
    return [grade.student, bare, *person.names, *ids]


@cache
def _form(names: tuple[str, ...]) -> re.Pattern[str]:
    """What finds these names in any case, whatever stands between their words, and in any order of two or three."""
    found = set()
    for name in names:
        words = [re.escape(word) for word in re.findall(r"[^\W_]+", name)]
        orders = permutations(words) if len(words) in {2, 3} else [words]
        found |= {r"[\W_]*".join(order) for order in orders if order}
        found |= {word for word in words if " " in name and len(word) >= LONG}
    longest_first = sorted(found, key=lambda each: (-len(each), each))
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(longest_first)})(?![^\W_])" if found else r"(?!)", re.IGNORECASE)


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
