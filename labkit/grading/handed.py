"""What was handed in: a class's folder, a student's notebooks in it, and the answers in a notebook that may be damaged.

Only the sources of answer cells are taken. Whatever else a notebook holds is theirs, and is never run by the judge.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.grading.answers import Cell, Submission, labkit_imports
from labkit.grading.criteria import Exercise
from labkit.grading.words import printable
from labkit.repository import UsageError

MOST_BYTES = 20 * 2**20
"""Bytes of a notebook that is read at all."""
CONFLICT = re.compile(r"^<<<<<<<.*\n((?:.*\n)*?)=======\n(?:.*\n)*?>>>>>>>.*\n?", re.MULTILINE)
"""What git leaves where two versions met. The first one is kept."""


@dataclass
class Handed:
    """A student, and which notebook is whose answer to which exercise."""

    student: str
    notebooks: dict[str, Path] = field(default_factory=dict)
    """Exercise stem → notebook."""
    notes: list[str] = field(default_factory=list)


def find_handed(folder: Path, exercises: Mapping[str, Exercise]) -> list[Handed]:
    """All students of a class, by name: a folder for each, or notebooks named by student and exercise.

    UsageError if there is nothing to grade.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}: it should hold a folder for each student")
    students: dict[str, Handed] = {}
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir() and not entry.is_symlink():
            name = printable(entry.name)
            handed = students.setdefault(name, Handed(name))
            paths = [path for path in sorted(_notebooks(entry)) if path.suffix == ".ipynb"]
        elif entry.suffix == ".ipynb":
            name = printable(_student(entry.stem, exercises))
            handed, paths = students.setdefault(name, Handed(name)), [entry]
        else:
            continue
        for path in paths:
            _take(handed, path, folder, exercises)
    if not students:
        raise UsageError(f"there is nothing to grade in {folder}: no folder, and no file that ends in .ipynb")
    return [students[name] for name in sorted(students)]


def _notebooks(folder: Path) -> Iterable[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(where, name) for name in names)


def _student(name: str, exercises: Iterable[str]) -> str:
    for stem in exercises:
        name = name.replace(stem, "")
    return name.strip(" _-.") or "nameless"


def _take(handed: Handed, path: Path, folder: Path, exercises: Mapping[str, Exercise]) -> None:
    shown = printable(str(path.relative_to(folder)))
    if path.is_symlink():
        return handed.notes.append(f"{shown} is a link: it was not read")
    stem = next((stem for stem in exercises if stem in path.stem), None) or _by_content(path, exercises)
    if stem is None:
        return handed.notes.append(f"{shown} is none of the exercises")
    if stem in handed.notebooks:
        handed.notes.append(f"there are two notebooks for {stem}; {shown} counts")
    handed.notebooks[stem] = path
    return None


def _by_content(path: Path, exercises: Mapping[str, Exercise]) -> str | None:
    """The exercise that most of a notebook's answers belong to."""
    try:
        cells = read_cells(path)[0]
    except UsageError:
        return None
    names = {cell.answer for cell in cells} - {None}
    found = {stem: len(names & set(exercise.signatures)) for stem, exercise in exercises.items()}
    best = max(found, key=lambda stem: found[stem], default=None)
    return best if best and found[best] else None


def read_submission(exercise: Exercise, path: Path) -> Submission:
    """The answers in the notebook at `path`, and notes about what was odd. UsageError if nothing can be read."""
    cells, notes = read_cells(path)
    submission = exercise.submission(cells)
    submission.notes = notes + submission.notes + _leaning(exercise, submission)
    return submission


def _leaning(exercise: Exercise, submission: Submission) -> list[str]:
    """Whether an answer may be labkit's rather than the student's. That is for people to say: it costs no marks."""
    usual = set().union(*(labkit_imports(cell.source) for cell in exercise.cells))
    leaning = {name: labkit_imports(source) - usual for name, source in submission.answers.items()}
    return [f"the answer {name} imports {', '.join(sorted(more))}" for name, more in leaning.items() if more]


def read_cells(path: Path) -> tuple[list[Cell], list[str]]:
    """The code cells of a notebook of any age and origin, and what had to be repaired. UsageError if it is none."""
    notes: list[str] = []
    try:
        content = _parsed(_text(path, notes), notes)
        sheets = content.get("worksheets")  # before version 4
        listed = content["cells"] if sheets is None else [cell for sheet in sheets for cell in sheet["cells"]]
        cells = [cell for number, each in enumerate(listed, 1) if (cell := _cell(each, number, notes))]
    except FileNotFoundError:
        raise UsageError(f"there is no notebook {path}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UsageError(f"{path.name} is not a notebook that can be read ({reason})") from None
    if sheets is not None:
        notes.append("the notebook is of a version before 4; it was read all the same")
    return cells, notes


def _text(path: Path, notes: list[str]) -> str:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES // 2**20} MB: clear its outputs")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        notes.append("some of its characters are not UTF-8 and were replaced")
        return data.decode("utf-8-sig", errors="replace")


def _parsed(text: str, notes: list[str]) -> dict[str, Any]:
    try:
        return json.loads(text)
    except ValueError:
        resolved, conflicts = CONFLICT.subn(r"\1", text)
        if not conflicts:
            raise
        notes.append(f"it holds {conflicts} unresolved merge conflicts; the first version of each was taken")
        return json.loads(resolved)


def _cell(cell: Any, number: int, notes: list[str]) -> Cell | None:
    try:
        source = cell.get("source", cell.get("input", ""))
        source = source if isinstance(source, str) else "".join(source)
        source = source.encode(errors="replace").decode()  # JSON can hold halves of characters, which nothing else can
        metadata = cell.get("metadata") or {}
        made = Cell(source, str(cell.get("id") or metadata.get("id", "")), ())
        kind = cell["cell_type"]
    except (AttributeError, KeyError, TypeError):
        notes.append(f"cell {number} is damaged and was left out")
        return None
    if kind != "code" and made.answer:
        notes.append(f"the answer {made.answer} is in a cell of type {kind}; it was taken as code")
    return made if kind == "code" or made.answer else None
