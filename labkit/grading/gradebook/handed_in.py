"""What was handed in: a class's folder, and a student's notebooks in it."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from labkit.grading.judge.criteria import Exercise
from labkit.grading.judge.printable import printable
from labkit.grading.notebook.cells import read_cells
from labkit.repository import UsageError


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
