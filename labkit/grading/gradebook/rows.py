"""What a book keeps of a class: a row for each student, with what was found of each exercise when it was last graded.

A row is a record of the book's state store. What was not graded stays in it as it was.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field

from labkit.files import FileStateStore
from labkit.grading.gradebook.policy import Person, Policy
from labkit.grading.gradebook.results import Grade
from labkit.grading.gradebook.ruling import Ruling, late
from labkit.grading.judge.criteria import Exercise
from labkit.grading.judge.judge import Result, Status
from labkit.grading.reader.whose import Whose
from labkit.store import paged

OFF_ROSTER = "not on the roster in policy.toml"
WHEN = "{number} was handed in late, says the platform, but not when: say so under [handed_in] in policy.toml"


class Entry(BaseModel):
    """What was found of an exercise, and of what was handed in with it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    result: Result | None = None
    runs: list[str] = []
    notes: list[str] = []
    look: bool = False
    """Whether something must be looked at by hand."""
    platform: str = ""
    id: str = ""
    handed_in: datetime | None = None
    """As the platform says."""
    late: bool = False
    """As the platform says, without a time."""
    tokens: list[int] = []
    """What is compared with other students' answers."""

    @property
    def undecided(self) -> bool:
        """Whether there are marks that nobody has decided."""
        looks = any(verdict.status is Status.LOOK for verdict in self.result.verdicts) if self.result else False
        return self.look or looks


class Row(BaseModel):
    """A student of the book, under the name that they handed in with."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str] = "row"

    id: str
    student: str
    entries: dict[str, Entry] = {}
    """Exercise stem → what was found."""
    called: list[str] = []
    """Other names that the student has handed in with."""
    state: str = "kept"
    version: int = 0
    updated_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    may_follow: ClassVar[Collection[str] | None] = None

    def check_follows(self, stored: "Row") -> None:
        """Any row may follow any other one."""

    def grade(self, exercises: Mapping[str, Exercise], asked: Iterable[str], policy: Policy | None = None) -> Grade:
        """What it comes to. `asked`: the exercises whose files say whom an export means."""
        policy = policy or Policy()
        entries = {stem: self.entries[stem] for stem in exercises if stem in self.entries}
        named = [entries[stem] for stem in [*asked, *entries] if stem in entries and entries[stem].platform]
        return Grade.of(
            self.student,
            [each.result for each in entries.values() if each.result],
            list(dict.fromkeys(line for each in entries.values() for line in each.runs)),
            list(dict.fromkeys(note for each in entries.values() for note in each.notes)),
            exercises,
            Whose(self.student, named[0].platform, named[0].id) if named else None,
            look=[stem for stem, each in entries.items() if each.look],
            ruling=self._ruling(policy, exercises),
        )

    def _ruling(self, policy: Policy, exercises: Mapping[str, Exercise]) -> Ruling:
        found, notes = [], []
        for stem, each in self.entries.items():
            number = exercises[stem].number
            when = late(policy, self.student, number, each.handed_in)
            found += [when] if when else []
            known = each.handed_in or policy.handed_in.get(number, {}).get(self.student)
            notes += [WHEN.format(number=number)] if policy.late and each.late and not known else []
        if policy.roster and self.student not in policy.roster:
            notes.append(OFF_ROSTER)
        mine = [each for each in policy.overrides if each.student == self.student]
        person = policy.roster.get(self.student, Person())
        names = [*person.names, *(name for name in self.called if name not in person.names)]
        return Ruling(mine, found, notes, person.model_copy(update={"names": names}))


class Named(Protocol):
    """Somebody who has a row."""

    @property
    def id(self) -> str:
        """What the row is called."""

    @property
    def name(self) -> str:
        """Under which they hand in."""


class Kept:
    """The rows in a folder's store. It is made when the first one is kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unkept: dict[str, Row] = {}
        """What the store did not take."""

    @cached_property
    def _store(self) -> FileStateStore:
        return FileStateStore(self._folder)

    def rows(self) -> dict[str, Row]:
        """All rows, by student. StoreError if one cannot be read."""
        ids = paged(self._store.list_ids, Row) if self._folder.is_dir() else ()
        rows = [self._store.get(Row, each) for each in ids]
        return {**{row.student: row for row in rows}, **self._unkept}

    def forget(self, student: str) -> None:
        """Take a student's row out, if there is one."""
        for row in self.rows().values():
            if row.student == student:
                self._store.delete(Row, row.id)

    def put(self, student: Named, entries: Mapping[str, Entry], others: Mapping[str, Entry]) -> None:
        """Keep these entries, and of the `others` those of which nothing was found before.

        Whoever calls holds the student's lock.
        """
        try:
            old = self._store.get(Row, student.id)
            row = old or self._store.insert(Row(id=student.id, student=student.name))
            found = {stem for stem, each in row.entries.items() if each.result}
            new = {**row.entries, **{stem: others[stem] for stem in others if stem not in found}, **entries}
            if new != row.entries:
                self._store.save(row.model_copy(update={"entries": new}))
        except Exception:  # noqa: BLE001 - whatever it is, it costs this student alone, who is in today's book
            self._unkept[student.name] = Row(id=student.name, student=student.name, entries={**others, **entries})
