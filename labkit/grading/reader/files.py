"""The files that a student handed in, in folders and in archives, with their bytes. No link is followed.

What a clone of the course holds beside the student's own copies, and what systems put among files, is left out.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from labkit.grading.notebook.cells import MOST_BYTES as MOST_OF_A_NOTEBOOK
from labkit.grading.notebook.cells import read_bytes
from labkit.grading.reader.archives import MOST_BYTES, ArchiveError, is_archive, members
from labkit.grading.reader.archives import names as names_in
from labkit.grading.reader.copies import File
from labkit.grading.reader.whose import Whose

ARCHIVE = re.compile(r"\.(?:zip|tar|tgz|tbz2|txz|gz|bz2|xz)$", re.IGNORECASE)
OF_STUDENTS = re.compile(
    r"\.ipynb|\.(?:zip|tar|tgz|tbz2|txz|gz|bz2|xz|zst|lz|lzma|7z|rar|pdf|docx?|py)$", re.IGNORECASE
)
"""Endings of a file beside the students' folders that is a student's, though no platform has named it."""
NOT_THEIRS = {
    *("__MACOSX", "__pycache__", "node_modules", "site-packages", "venv", "Thumbs.db", "desktop.ini"),
    *("System Volume Information", "$RECYCLE.BIN", "lost+found", "Network Trash Folder", "Temporary Items"),
}
"""What systems and tools put among the files; so does what begins with a dot, but for Jupyter's checkpoints."""
CHECKPOINTS = ".ipynb_checkpoints"
STAND_IN = re.compile(r"\.(?P<file>.+)\.icloud$")
"""What iCloud leaves of a file in place of what is in it."""
FEEDBACK = re.compile(r"_\d+_assignfeedback_|^Feedback Attachment\(s\)$")
"""In the names of what Moodle and Sakai give back to a student, and download with what was handed in."""
MOST_FILES, MOST_TOGETHER = 5000, 200 * 2**20
"""Files of one student that are looked at, and bytes of them that are read."""
COURSE = ("exercises", "criteria.toml")
"""What tells a clone of the course's repository: there, only these folders and the top are the student's."""
THEIRS = {"work", "exercises"}


def is_not_theirs(name: str) -> bool:
    """Whether a file or folder of this name is no student's."""
    hidden = name.startswith(".") and name != CHECKPOINTS and not STAND_IN.match(name)
    return name in NOT_THEIRS or hidden or bool(FEEDBACK.search(name))


def files_at(paths: Mapping[Path, Whose], folder: Path) -> Iterator[File]:
    """All files at these paths in the class's folder, with their bytes: of an archive, its own."""
    left = MOST_TOGETHER
    for number, (path, student) in enumerate((each, owner) for top, owner in paths.items() for each in _walked(top)):
        parts = path.relative_to(folder).parts
        if number == MOST_FILES or left < 0:
            most = f"{MOST_FILES} files" if left >= 0 else f"{MOST_TOGETHER // 2**20} MB of files"
            yield File(parts, student, problem=f"was not read, and none after it: there are more than {most}")
            return
        for file in _read(path, parts, student):
            left -= len(file.data)
            yield file


def unpacked(files: Iterable[File], mine: Callable[[str], bool]) -> Iterator[File]:
    """The files, and in place of an archive those in it: all, or those that are `mine` if it is the class's."""
    for file in files:
        if ARCHIVE.search(file.path[-1]) and is_archive(file.data):
            yield from _unpacked(file, mine)
        else:
            yield file


def of_the_student(files: Sequence[File]) -> Iterator[File]:
    """Without what a clone of the course holds beside the student's own copies."""
    clones = {file.path[: -len(COURSE)] for file in files if file.path[-len(COURSE) :] == COURSE}
    for file in files:
        inside = [file.path[:length] for length in range(len(file.path)) if file.path[:length] in clones]
        deepest = inside[-1] if inside else None
        if deepest is None or len(file.path) == len(deepest) + 1 or file.path[len(deepest)] in THEIRS:
            yield file


def wanted(name: str) -> bool:
    """Whether a member of an archive may be a student's."""
    return not any(is_not_theirs(part) for part in name.replace("\\", "/").split("/") if part not in {".", ".."})


def inside(name: str) -> tuple[str, ...]:
    """The parts of a member's name."""
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in {"", "."})


def _walked(path: Path) -> Iterator[Path]:
    if not path.is_dir() or path.is_symlink():
        yield path
    for where, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not is_not_theirs(name))
        yield from (Path(where, name) for name in sorted(names) if not is_not_theirs(name))


def _read(path: Path, parts: tuple[str, ...], student: Whose) -> Iterator[File]:
    """A file. A link is not followed; what may be no notebook is read only if it is small."""
    if path.is_symlink():
        if ".ipynb" in path.name:
            yield File(parts, student, problem="is a link: it was not read")
        return
    try:
        data = read_bytes(path, MOST_BYTES if ARCHIVE.search(path.name) else MOST_OF_A_NOTEBOOK)
        yield File(parts, student, data, path.stat().st_mtime)
    except OSError as error:
        problem = f"is not a notebook that can be read ({type(error).__name__}: {error.strerror})"
        yield File(parts, student, problem=problem)


def _unpacked(archive: File, mine: Callable[[str], bool]) -> Iterator[File]:
    try:
        for member in members(archive.data, wanted, mine=mine):
            path = (*archive.path, *inside(member.name))
            yield File(path, archive.whose, member.data, member.when, member.problem, packed=True)
        if not any(names_in(archive.data)):
            yield File(archive.path, archive.whose, problem="cannot be used: it holds no files")
    except ArchiveError as error:
        yield File(archive.path, archive.whose, problem=f"cannot be used: {error}")
