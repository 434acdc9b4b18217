"""Who is in a class's folder or archive, and what a reader tells of each. No file of a student is opened here."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from labkit.grading.judge.criteria import Exercise
from labkit.grading.notebook.submission import Submission
from labkit.grading.reader import reader
from labkit.grading.reader.files import ARCHIVE, OF_STUDENTS, is_not_theirs
from labkit.grading.reader.of_class import OURS
from labkit.grading.reader.reader import Bundle, DiedError, UnreadError
from labkit.grading.reader.told import Listed, Told, Who, checked
from labkit.grading.reader.whose import Whose, shown, whose
from labkit.grading.sandbox.room import Room
from labkit.grading.sandbox.warm import Servers
from labkit.isolation.work import StoppedError
from labkit.repository import UsageError

BY_HAND = "look at the files yourself"
DEEPEST, MOST_LOOKED_AT = 5, 10_000
"""Folders in folders, and files and folders of all of them, where a lone student's folder may be that of a class."""


@dataclass
class Handed:
    """A student, and what counts of what they handed in."""

    student: str
    submissions: dict[str, Submission] = field(default_factory=dict)
    """Exercise stem → answers."""
    notebooks: dict[str, str] = field(default_factory=dict)
    """Exercise stem → the file that they come from."""
    tokens: dict[str, list[int]] = field(default_factory=dict)
    """Exercise stem → what is compared with other students' answers."""
    notes: list[str] = field(default_factory=list)
    look: bool = False
    """Whether something of it could not be used, and must be looked at by hand."""
    whose: Whose | None = None
    in_doubt: frozenset[str] = frozenset()
    """The exercises of which another file of theirs may count."""

    @classmethod
    def of(cls, student: Whose, told: Told) -> "Handed":
        """As a reader has told it."""
        each = told.exercises.items()
        return cls(
            student.student,
            {stem: answers.submission for stem, answers in each},
            {stem: answers.file for stem, answers in each},
            {stem: answers.tokens for stem, answers in each},
            list(told.notes), told.look, student, frozenset(stem for stem, answers in each if answers.in_doubt),
        )  # fmt: skip

    def asking(self, question: str) -> "Handed":
        """The same, which somebody must look at first if there is a question."""
        return replace(self, notes=[question, *self.notes], look=True) if question else self


@dataclass(frozen=True)
class Reading:
    """A class that is read, each student by a reader of their own."""

    folder: Path
    """The class's, or an archive."""
    exercises: Mapping[str, Exercise]
    servers: Servers | None
    """None: what is handed in is trusted, and read in this process."""

    def bundles(self) -> list[Bundle]:
        """Whose files are where, by student. UsageError if there is nothing to grade."""
        if not self.folder.is_dir() and not self.folder.is_file():
            raise UsageError(f"there is no folder {self.folder}: it should hold a folder for each student")
        by_student: dict[str, Bundle] = {}
        is_folder = self.folder.is_dir()
        for student, path, of_class in self._entries():
            top = (self.folder if is_folder else self.folder.parent).absolute()
            bundle = Bundle(student, top, of_class=of_class, named=not is_folder)
            bundle = by_student.setdefault(student.student, bundle)
            bundle.paths.append(path.absolute())
        if not by_student:
            raise UsageError(f"there is nothing to grade in {self.folder}: no folder, and no file that ends in .ipynb")
        return [by_student[name] for name in sorted(by_student)]

    def may_be_class(self, bundles: Sequence[Bundle]) -> str:
        """What to ask the instructor, if there is one student alone, whose folder may be that of the whole class."""
        if len(bundles) != 1 or not self.folder.is_dir() or not bundles[0].paths[0].is_dir():
            return ""
        folder = bundles[0].paths[0]
        below = [*_notebooks(folder)]
        names = Counter(name for name, _ in {(parts[-1], parts[0]) for parts in below if len(parts) > 1})
        if all(number < 2 for number in names.values()) or {parts[0] for parts in below} & OURS:
            return ""
        where = f"folders of {shown(folder.name)} hold notebooks of the same name"
        return f"{where}: if those folders are students, grade {shown(folder.name)} itself"

    def handed(self, bundle: Bundle, number: int = 0) -> Handed:
        """What a student has handed in; if it could not be read, that somebody must look, and why."""
        try:
            told = self._told(bundle, number)
        except StoppedError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it costs this student alone
            why = error if isinstance(error, UnreadError) else f"the grading itself failed ({type(error).__name__})"
            note = f"what was handed in could not be read: {why}; {BY_HAND}"
            return Handed(bundle.whose.student, notes=[note], look=True, whose=bundle.whose)
        return Handed.of(bundle.whose, told)

    def _entries(self) -> Iterator[tuple[Whose, Path, bool]]:
        """Whose an entry of the class's folder is, and whether it is an archive of the whole class."""
        if self.folder.is_file():
            yield from self._in_archive(self.folder)
            return
        entries = [entry for entry in sorted(self.folder.iterdir()) if not is_not_theirs(entry.name)]
        if len(entries) == 1 and entries[0].is_file() and ARCHIVE.search(entries[0].name):
            yield from self._in_archive(entries[0])
            return
        for entry in entries:
            student = self._named(entry)
            if not entry.is_symlink() and (entry.is_dir() or student.platform or OF_STUDENTS.search(entry.name)):
                yield student, entry, False

    def _named(self, entry: Path) -> Whose:
        try:
            return whose(entry.name, self.exercises, folder=entry.is_dir())
        except Exception:  # noqa: BLE001 - no name stops the others; it is the student's, as it is
            return Whose(shown(entry.name))

    def _in_archive(self, path: Path) -> Iterator[tuple[Whose, Path, bool]]:
        """The students whom an archive names, as a platform does; else it is one student's."""
        alone = whose(path.name, self.exercises)
        bundle = Bundle(alone, path.parent.absolute(), [path.absolute()], named=path == self.folder)
        try:
            students = self._listed(bundle)
        except (UnreadError, ValueError):  # so will be what is in it, which is told
            students = [Who(student=alone.student, platform=alone.platform, id=alone.id)]
        for each in students:
            yield Whose(each.student, each.platform, each.id), path, True

    def _listed(self, bundle: Bundle) -> list[Who]:
        return Listed.model_validate_json(self._asked(bundle, 0, listing=True)).students

    def _told(self, bundle: Bundle, number: int) -> Told:
        try:
            return checked(self._asked(bundle, number), self.exercises)
        except ValueError as error:
            raise UnreadError(f"the reader told what nobody asked for ({type(error).__name__})") from None

    def _asked(self, bundle: Bundle, number: int, *, listing: bool = False) -> bytes:
        """What a reader says. What is no limit's doing may be the machine's: then another one is asked, once."""
        if self.servers is None:
            return self._said_here(bundle, listing=listing)
        ask = partial(reader.ask, self.servers, bundle, Room(number), listing=listing)
        try:
            return ask()
        except DiedError:
            return ask()

    def _said_here(self, bundle: Bundle, *, listing: bool) -> bytes:
        try:
            return reader.said(bundle, reader.taken(bundle, self.exercises), self.exercises, listing=listing)
        except Exception as error:
            raise UnreadError(f"the reader failed ({type(error).__name__})") from error


def _notebooks(folder: Path) -> Iterator[tuple[str, ...]]:
    """By the names on the way to them. It is a stranger's folder, and looked into but so deep and so far."""
    left, seen = [(str(folder), ())], 0
    while left:
        place, way = left.pop()
        with suppress(OSError), os.scandir(place) as entries:
            for entry in entries:
                if (seen := seen + 1) > MOST_LOOKED_AT:
                    return
                if entry.is_dir(follow_symlinks=False):
                    left += [(entry.path, (*way, entry.name))] * (len(way) < DEEPEST)
                elif entry.name.endswith(".ipynb"):
                    yield (*way, entry.name)
