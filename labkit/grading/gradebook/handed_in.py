"""What was handed in: a class's folder or archive, as a platform or an instructor made it, and who has what in it."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from labkit.grading.gradebook.archives import MOST_BYTES, ArchiveError, is_archive, members
from labkit.grading.gradebook.choice import File, choose
from labkit.grading.gradebook.whose import Whose, whose
from labkit.grading.judge.criteria import Exercise
from labkit.grading.notebook.cells import MOST_BYTES as MOST_OF_A_NOTEBOOK
from labkit.grading.notebook.cells import read_bytes
from labkit.grading.notebook.submission import Submission
from labkit.repository import UsageError

ARCHIVE = re.compile(r"\.(?:zip|tar|tgz|tbz2|txz|gz|bz2|xz)$", re.IGNORECASE)
OF_STUDENTS = re.compile(r"\.ipynb|\.(?:zip|tar|tgz|tbz2|txz|gz|bz2|xz|7z|rar|pdf|docx?|py)$", re.IGNORECASE)
"""Endings of a file beside the students' folders that is a student's, though no platform has named it."""
NOT_THEIRS = {"__MACOSX", "__pycache__", "node_modules", "site-packages", "venv", "Thumbs.db", "desktop.ini"}
"""What systems and tools put among the files; so does what begins with a dot, but for Jupyter's checkpoints."""
CHECKPOINTS = ".ipynb_checkpoints"
MOST_FILES = 5000
"""Files of one student that are looked at."""
COURSE = ("exercises", "criteria.toml")
"""What tells a clone of the course's repository: there, only these folders and the top are the student's."""
THEIRS = {"work", "exercises"}


@dataclass
class Handed:
    """A student, and what counts of what they handed in."""

    student: str
    submissions: dict[str, Submission] = field(default_factory=dict)
    """Exercise stem → answers."""
    notebooks: dict[str, str] = field(default_factory=dict)
    """Exercise stem → the file that they come from."""
    notes: list[str] = field(default_factory=list)
    look: bool = False
    """Whether something of it could not be used, and must be looked at by hand."""
    whose: Whose | None = None


def find_handed(folder: Path, exercises: Mapping[str, Exercise]) -> list[Handed]:
    """All students of a class, by name: a folder, an archive, or files for each, as platforms name them.

    UsageError if there is nothing to grade.
    """
    if not folder.is_dir() and not folder.is_file():
        raise UsageError(f"there is no folder {folder}: it should hold a folder for each student")
    by_student: dict[str, list[File]] = {}
    known: dict[str, Whose] = {}
    for student, file in _class(folder, exercises):
        known.setdefault(student.student, student)
        by_student.setdefault(student.student, []).extend([file] if file else [])
    if not by_student:
        raise UsageError(f"there is nothing to grade in {folder}: no folder, and no file that ends in .ipynb")
    return [_handed(known[name], by_student[name], exercises) for name in sorted(by_student)]


def _handed(student: Whose, files: list[File], exercises: Mapping[str, Exercise]) -> Handed:
    written = [file for file in files if file.whose.told]
    chosen = choose(_of_the_student([file for file in files if not file.whose.told]), exercises)
    notes = [f"{file.shown} is what was written beside the files" for file in written]
    if any(b"answer:" in file.data for file in written):
        chosen.look = True
    return Handed(
        student.student, chosen.submissions, chosen.counted, [*chosen.notes, *notes], chosen.look, student
    )  # fmt: skip


def _of_the_student(files: list[File]) -> Iterator[File]:
    """Without what a clone of the course holds beside the student's own copies."""
    clones = {file.path[: -len(COURSE)] for file in files if file.path[-len(COURSE) :] == COURSE}
    for file in files:
        inside = [clone for clone in clones if file.path[: len(clone)] == clone]
        deepest = max(inside, key=len, default=None)
        if deepest is None or len(file.path) == len(deepest) + 1 or file.path[len(deepest)] in THEIRS:
            yield file


def _class(folder: Path, exercises: Iterable[str]) -> Iterator[tuple[Whose, File | None]]:
    """Whose each file is; a student whose folder is empty has None."""
    if folder.is_file():
        yield from _class_in_archive(folder, exercises)
        return
    entries = [entry for entry in sorted(folder.iterdir()) if not _is_not_theirs(entry.name)]
    if len(entries) == 1 and entries[0].is_file() and ARCHIVE.search(entries[0].name):
        yield from _class_in_archive(entries[0], exercises)
        return
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            student = whose(entry.name, folder=True)
            yield student, None
            yield from ((student, file) for path in _walked(entry) for file in _read(path, folder, student))
        elif entry.is_file() or entry.is_symlink():
            student = whose(entry.name, exercises)
            if (student.platform or OF_STUDENTS.search(entry.name)) and not entry.is_symlink():
                yield from ((student, file) for file in _read(entry, folder, student))


def _class_in_archive(path: Path, exercises: Iterable[str]) -> Iterator[tuple[Whose, File | None]]:
    """A whole class in one archive, if it names its students as a platform does; else a student's."""
    alone = whose(path.name, exercises)
    files = list(_read(path, path.parent, alone))
    for file in files:
        inside = file.path[1:]
        named = whose(inside[0], exercises, folder=len(inside) > 1) if inside else alone
        student = named if named.platform and not alone.platform else alone
        yield student, replace(file, whose=student)


def _is_not_theirs(name: str) -> bool:
    return name in NOT_THEIRS or (name.startswith(".") and name != CHECKPOINTS)


def _walked(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_not_theirs(name))
        yield from (Path(where, name) for name in sorted(names) if not _is_not_theirs(name))


def _read(path: Path, folder: Path, student: Whose) -> Iterator[File]:
    """A file, or those in an archive. A link is not followed; what may be no notebook is read only if it is small."""
    parts = path.relative_to(folder).parts
    if path.is_symlink():
        if ".ipynb" in path.name:
            yield File(parts, student, problem="is a link: it was not read")
        return
    try:
        data = read_bytes(path, MOST_BYTES if ARCHIVE.search(path.name) else MOST_OF_A_NOTEBOOK)
        when = path.stat().st_mtime
    except OSError as error:
        problem = f"is not a notebook that can be read ({type(error).__name__}: {error.strerror})"
        yield File(parts, student, problem=problem)
        return
    if ARCHIVE.search(path.name) and is_archive(data):
        yield from _unpacked(data, parts, student)
    else:
        yield File(parts, student, data, when)


def _unpacked(data: bytes, parts: tuple[str, ...], student: Whose) -> Iterator[File]:
    def wanted(name: str) -> bool:
        return not any(_is_not_theirs(part) for part in name.replace("\\", "/").split("/") if part not in {".", ".."})

    try:
        for member in members(data, wanted):
            inside = tuple(part for part in member.name.replace("\\", "/").split("/") if part not in {"", "."})
            yield File((*parts, *inside), student, member.data, member.when, member.problem, packed=True)
    except ArchiveError as error:
        yield File(parts, student, problem=f"cannot be used: {error}")
