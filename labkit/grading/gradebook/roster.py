"""A roster as a platform exports it: the grades of Canvas, the participants of Moodle, the roster of GitHub Classroom.

A column is known by its name, in any order and case. What a spreadsheet does to such a file is undone: semicolons or
tabs for commas, other encodings, empty rows. Two of one name are told apart by their login.
"""

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from labkit.grading.gradebook.policy import Person, Policy
from labkit.repository import UsageError

WHOLE = ("student", "full name", "name", "student name", "identifier")
FIRST, LAST = ("first name", "firstname", "given name"), ("last name", "surname", "lastname", "family name")
LOGIN = ("sis login id", "login", "username", "email address", "email", "github username")
SIS = ("sis user id", "id number", "student id")
SECTION = ("section", "group", "groups")
OTHERS = ("username", "github username", "email address", "email", "sis login id", "identifier")
"""Columns by which a student's files may be named, too."""
NO_PERSON = {"points possible", "student, test", "test student"}
"""What Canvas puts among the students."""


def with_roster(policy: Policy, folder: Path) -> Policy:
    """The policy with the students of its CSV file, if it names one; what it says of a student itself goes first."""
    if not policy.roster_file:
        return policy
    both = read_roster(folder / policy.roster_file)
    for name, each in policy.roster.items():
        both[name] = both.get(name, Person()).model_copy(update=each.model_dump(exclude_unset=True))
    return policy.model_copy(update={"roster": both})


def read_roster(path: Path) -> dict[str, Person]:
    """Who is on it: a name → what is known of them. UsageError, naming the file, if it is no roster."""
    try:
        lines = [line for line in _text(path.read_bytes()).splitlines() if line.strip(" ,;\t")]
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    split = max(",;\t", key=lines[0].count) if lines else ","
    head, *rows = csv.reader(lines, delimiter=split, skipinitialspace=True) if lines else [[]]
    columns = [_plain(column) for column in head]
    named = [(_name(row), row) for row in (dict(zip(columns, map(str.strip, each), strict=False)) for each in rows)]
    named = [(name, row) for name, row in named if name and name.casefold() not in NO_PERSON]
    if not named:
        raise UsageError(f"{path}: it needs a column `name`, or `first name` and `last name`, with names in it")
    often = Counter(name.casefold() for name, _ in named)
    found: dict[str, Person] = {}
    for name, row in named:
        alone = often[name.casefold()] == 1
        key = name if alone else f"{name} ({_first(row, LOGIN) or row.get('id', '')})"
        if key in found:
            raise UsageError(f"{path}: two students are called {name}, and no login tells them apart")
        found[key] = _person(name if alone else "", row)
    return found


def _text(data: bytes) -> str:
    """UTF-8 or UTF-16, with or without a mark; else what Excel writes on Windows."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _plain(column: str) -> str:
    return " ".join(column.replace("_", " ").strip(' "').split()).casefold()


def _first(row: Mapping[str, str], columns: tuple[str, ...]) -> str:
    return next((row[column] for column in columns if row.get(column)), "")


def _name(row: Mapping[str, str]) -> str:
    whole = _first(row, WHOLE)
    first_and_last = f"{_first(row, FIRST)} {_first(row, LAST)}".strip()
    return first_and_last or whole


def _person(name: str, row: Mapping[str, str]) -> Person:
    last, comma, first = name.partition(", ")
    names = [f"{first} {last}"] if comma else []
    names += [row[column] for column in OTHERS if row.get(column) and not row[column].startswith("Participant ")]
    of_canvas = "sis login id" in row or "sis user id" in row
    number = row.get("id", "") if of_canvas else ""
    return Person(
        names=[each for each in dict.fromkeys(names) if each != name],
        canvas=int(number) if number.isdecimal() else None,
        sis=_first(row, SIS), login=_first(row, LOGIN), section=_first(row, SECTION),
    )  # fmt: skip
