"""What people decide about a class: `policy.toml` in the book's folder. Instructors write it, and labkit only reads it.

anonymous     pages show no names             roster      who should hand in, and under which names and ids
late          what a late day costs           due, extensions, handed_in      times, by exercise, then by student
overrides     marks by a person's judgement   sample      whom a second grader looks at
"""

import tomllib
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, NoReturn

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from labkit.grading.judge.criteria import Exercise
from labkit.repository import UsageError

NAME = "policy.toml"
PLAINLY = {"extra_forbidden": "there is no such key", "missing": "it is missing"}
"""Kinds of error → what is said of them."""
Mark = int | float


def _without_offset(when: datetime) -> datetime:
    if when.tzinfo:
        raise ValueError("write it without an offset, as the clock of your platform shows it")
    return when


When = Annotated[datetime, AfterValidator(_without_offset)]
Times = dict[str, When]
"""Student → a time."""
Share = Annotated[float, Field(ge=0, le=1)]
Words = Annotated[str, Field(min_length=1)]


class Form(BaseModel):
    """A part of the file: nothing is converted, and no other key is taken."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Override(Form):
    """What a person decides about a student's marks, whatever the judge says."""

    student: Words
    of: str = ""
    """A case, as in "03.gives_up", an exercise, as in "03", or all exercises."""
    marks: Annotated[Mark, Field(ge=0, multiple_of=0.5)] | None = None
    """Without them, the judge's marks stand: somebody has looked."""
    comment: Words
    by: Words


class Person(Form):
    """A student of the roster."""

    names: list[Words] = []
    """Under which they hand in, beside the one that the roster calls them."""
    canvas: int | None = None
    """Canvas's number, which is also in the names of its files."""
    sis: str = ""
    login: str = ""
    section: str = ""


class LatePenalty(Form):
    """What each day begun costs, as a share of an exercise's marks, and what all of them cost at most."""

    per_day: Share
    at_most: Share = 1.0


class Sample(Form):
    """How many students a second grader looks at."""

    students: Annotated[int, Field(ge=1)]
    seed: int = 0


class Policy(Form):
    """The whole file. Exercises are called by number, as in "03"."""

    anonymous: bool = False
    roster: dict[str, Person] = {}
    late: LatePenalty | None = None
    due: Times = {}
    extensions: dict[str, Times] = {}
    handed_in: dict[str, Times] = {}
    """Where the platform does not say it."""
    overrides: list[Override] = []
    sample: Sample | None = None

    @classmethod
    def read(cls, path: Path) -> "Policy":
        """The file's; nothing is decided if there is none. UsageError, naming file and key, if it cannot be used."""
        try:
            with path.open("rb") as file:
                return cls.model_validate(tomllib.load(file))
        except FileNotFoundError:
            return cls()
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(_plain, first["loc"]))
            said = PLAINLY.get(first["type"], first["msg"].removeprefix("Value error, "))
            raise UsageError(f"{path}: {where}: {said}") from None
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} cannot be read: {error}") from None

    def check(self, path: Path, exercises: Mapping[str, Exercise], people: Collection[str]) -> None:
        """UsageError, naming file and key, if it speaks of an exercise, a case or a student that there is not."""
        numbers = {each.number: each for each in exercises.values()}
        known = {*people, *self.roster}
        self._check_names(path)
        for table in "due", "extensions", "handed_in":
            for number, times in getattr(self, table).items():
                _named(path, f"{table}.{number}", number, numbers, "exercise")
                for student in times if table != "due" else ():
                    _named(path, f"{table}.{number}.{student}", student, known, "student")
        met: set[tuple[str, str]] = set()
        for place, override in enumerate(self.overrides, 1):
            where = f"overrides.{place}"
            _named(path, f"{where}.student", override.student, known, "student")
            most = _most(path, f"{where}.of", override.of, numbers)
            if override.marks is not None and override.marks > most:
                most_of = (
                    f"{override.of} has {most:g} marks at most" if override.of else "say in `of` what they are for"
                )
                _refuse(path, f"{where}.marks", most_of)
            if (override.student, override.of) in met:
                _refuse(path, where, f"{override.student} has another override for the same, above it")
            met.add((override.student, override.of))

    def _check_names(self, path: Path) -> None:
        """No name is that of two students."""
        called: dict[str, str] = {}
        for key, each in self.roster.items():
            for name in (key, *each.names):
                if called.setdefault(folded(name), key) != key:
                    _refuse(path, f"roster.{key}", f"{name!r} is also a name of {called[folded(name)]!r}")


def folded(name: str) -> str:
    """A name as it is compared: case, blanks and underscores do not count."""
    return " ".join(name.replace("_", " ").split()).casefold()


def _plain(part: int | str) -> str:
    return str(part + 1) if isinstance(part, int) else part


def _most(path: Path, key: str, of: str, numbers: Mapping[str, Exercise]) -> Mark:
    """How many marks an override can give."""
    number, _, case = of.partition(".")
    if not of:
        return -1
    _named(path, key, number, numbers, "exercise")
    cases = {each.id: each.marks for each in numbers[number].cases}
    if case:
        _named(path, key, case, cases, f"case of exercise {number}")
    return cases[case] if case else sum(cases.values())


def _named(path: Path, key: str, name: str, known: Iterable[str], what: str) -> None:
    if name not in known:
        close = get_close_matches(name, known, 1)
        _refuse(path, key, f"there is no {what} {name!r}" + (f": did you mean {close[0]!r}?" if close else ""))


def _refuse(path: Path, key: str, why: str) -> NoReturn:
    raise UsageError(f"{path}: {key}: {why}")
