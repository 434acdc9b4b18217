"""What a reader tells the grader, and the only form in which anything of a student's files gets there.

JSON, of at most so many bytes, whose every field is of the right type and not too long. Its texts are valid Unicode.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from labkit.crash.printable import LONGEST, is_printable, printable
from labkit.grading.judge.criteria import Exercise
from labkit.grading.notebook.submission import Submission
from labkit.grading.reader.tokens import MOST as MOST_TOKENS

MOST_BYTES = 8 * 2**20
"""Of all that is told of a student."""
MOST_NOTES, MOST_NAMES, LONGEST_NAME, MOST_LISTED = 40, 2000, 255, 5000
Name = Annotated[str, Field(max_length=LONGEST_NAME)]
Note = Annotated[str, Field(max_length=LONGEST + 2)]
Notes = Annotated[list[Note], Field(max_length=MOST_NOTES + 1)]


class Form(BaseModel):
    """A part of what is told: nothing is converted, and nothing more is taken."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Answers(Form):
    """The answers to an exercise."""

    file: Note
    """That they come from."""
    answers: dict[Name, str]
    elsewhere: Annotated[list[Name], Field(max_length=MOST_NAMES)]
    notes: Notes
    tokens: Annotated[list[Annotated[int, Field(ge=0, lt=2**32)]], Field(max_length=MOST_TOKENS)]
    in_doubt: bool = False
    """Whether another file of theirs may be the one that counts."""

    @property
    def submission(self) -> Submission:
        """For the judge."""
        return Submission(dict(self.answers), set(self.elsewhere), list(self.notes))


class Told(Form):
    """What a student has handed in."""

    exercises: dict[Name, Answers] = {}
    notes: Notes = []
    look: bool = False
    """Whether something of it could not be used, and must be looked at by hand."""


class Who(Form):
    """Somebody who has files in the archive of a class."""

    student: Name
    platform: Name
    id: Name


class Listed(Form):
    """All who have."""

    students: Annotated[list[Who], Field(max_length=MOST_LISTED)]


def checked(said: bytes, exercises: Mapping[str, Exercise]) -> Told:
    """What was told, if it is of the right form and answers what was asked. ValueError if not."""
    told = Told.model_validate_json(said)
    for stem, each in told.exercises.items():
        if stem not in exercises or not each.answers.keys() <= exercises[stem].stubs.keys():
            raise ValueError("it tells of answers that no exercise asks for")
    for note in (*told.notes, *(note for each in told.exercises.values() for note in (each.file, *each.notes))):
        if not is_printable(note):
            raise ValueError("it tells what cannot be shown")
    return told


def counted(notes: list[str]) -> list[str]:
    """The first notes, each fit to be shown, and how many more there are."""
    more = [f"and {len(notes) - MOST_NOTES} more notes of this kind"] if len(notes) > MOST_NOTES else []
    return [printable(note) for note in [*notes[:MOST_NOTES], *more]]
