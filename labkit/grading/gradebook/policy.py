"""What people decide about a class: `policy.toml` in the book's folder. Instructors write it, and labkit only reads it.

anonymous     pages show no names             roster      who should hand in, and under which names and ids
late          what a late day costs           due, extensions, handed_in      times, by exercise, then by student
overrides     marks by a person's judgement   sample      whom a second grader looks at
"""

import tomllib
import unicodedata
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

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
    roster_file: str = ""
    """A CSV file beside this one, whose students are on the roster, too: see `labkit.grading.gradebook.roster`."""
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


def folded(name: str) -> str:
    """A name as it is compared: case, blanks, underscores and how a system writes accents do not count."""
    return unicodedata.normalize("NFC", " ".join(name.replace("_", " ").split()).casefold())


def _plain(part: int | str) -> str:
    return str(part + 1) if isinstance(part, int) else part
