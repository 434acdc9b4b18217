"""The student's own copies: made where they lack, renewed when the course has changed, and never once touched.

notebooks/*.ipynb, glossary.md → work/notebooks/       exercises/*.ipynb → work/exercises/

Notebooks are copied without outputs, which would give away what a learner is to predict. work/ is in the repository, or
where LABKIT_WORK says: then several users can share a repository that is read-only.
"""

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from labkit import repository
from labkit.files import write_atomically
from labkit.repository import UsageError

START_PAGE = "notebooks/00_start_here.ipynb"
NO_RIGHT = {errno.EACCES, errno.EPERM, errno.EROFS}
COPIED = ("notebooks/*.ipynb", "notebooks/glossary.md", "exercises/*.ipynb")
MADE = ".copies.json"
"""In work/: the copies by name, and the SHA-256 of what was written. A copy that is otherwise by now was touched."""
GIVEN = ".given"
"""In work/: what was written, for `labkit update`: it tells what a student has changed from what the course has."""


class Copies(NamedTuple):
    """What was written."""

    new: list[Path]
    renewed: list[Path]


def prepare_work(root: Path) -> Copies:
    """Copy into work/ what it lacks, and renew copies that nobody has touched. UsageError if one cannot be written."""
    if not (root / START_PAGE).exists():
        raise UsageError(f"{START_PAGE} is missing: get it back with `git restore notebooks`")
    work, copies = repository.work(), Copies([], [])
    before = _made(work / MADE)
    made = dict(before)
    for name, ours in of_course(root):
        copy, fresh = work / name, without_outputs(ours) if name.endswith(".ipynb") else ours
        there = found_at(copy)
        if there not in {None, fresh, ours} and _digest(there) != made.get(name):
            continue
        if there != fresh:
            (copies.new if there is None else copies.renewed).append(copy)
            write(copy, fresh)
        if found_at(work / GIVEN / name) != fresh:
            write(work / GIVEN / name, fresh)
        made[name] = _digest(fresh)
    if made != before:
        write(work / MADE, json.dumps(made, indent=1).encode())
    return copies


def of_course(root: Path) -> Iterator[tuple[str, bytes]]:
    """What students get copies of: names, and what is in them."""
    for source in sorted(source for pattern in COPIED for source in root.glob(pattern)):
        yield source.relative_to(root).as_posix(), source.read_bytes()


def without_outputs(notebook: bytes) -> bytes:
    """The same notebook, as if nothing in it had been run. What is no notebook stays as it is."""
    try:
        cells = (document := json.loads(notebook))["cells"]
    except (ValueError, TypeError, KeyError):
        return notebook
    for cell in cells:
        if cell["cell_type"] == "code":
            cell.update(execution_count=None, outputs=[])
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def _made(path: Path) -> dict[str, str]:
    """What was written before; nothing if that is not known."""
    try:
        made = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return made if isinstance(made, dict) else {}


def found_at(copy: Path) -> bytes | None:
    """What is in a copy's place; None if nothing is. What cannot be read, or lies elsewhere, is the student's."""
    if not os.path.lexists(copy):
        return None
    try:
        return b"" if copy.is_symlink() else copy.read_bytes()
    except OSError:
        return b""


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def write(path: Path, data: bytes) -> None:
    """Write a file of work/, whole. UsageError if that cannot be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)
    except OSError as error:
        advice = "; LABKIT_WORK names another folder for your copies" if error.errno in NO_RIGHT else ""
        raise UsageError(f"cannot copy {path.name} to {path.parent}: {error.strerror}{advice}") from error
