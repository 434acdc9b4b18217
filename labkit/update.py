"""`labkit update`: what has changed in the course comes into copies that a student has touched.

Copies that nobody has touched are renewed as by `labkit lab`. Of any other, the version before is kept first:

work/exercises/01_file_storage.ipynb → work/kept-by-update/exercises/01_file_storage-1.ipynb

Then -2, and so on.

What cannot be merged stays as it is, and the course's version is put there. Killed half-way, the same command
goes on.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from labkit import repository
from labkit.copies import GIVEN, found_at, of_course, prepare_work, without_outputs, write
from labkit.merging import Merged, Notebook, merged

KEPT = "kept-by-update"
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What comes of reading a notebook that is none."""


def update(root: Path) -> Iterator[str]:
    """Bring the course's changes into work/; says in a line what was done to each file. UsageError if it cannot."""
    prepared = prepare_work(root)
    for what, copies in prepared._asdict().items():
        for copy in copies:
            yield f"{copy.stem}: {what}"
    work = repository.work()
    for name, ours in of_course(root):
        fresh = without_outputs(ours) if name.endswith(".ipynb") else ours
        if found_at(work / name) != fresh and found_at(work / GIVEN / name) != fresh:
            if done := _renewed(work, name, fresh):
                yield f"{Path(name).stem}: {done}"
            write(work / GIVEN / name, fresh)


def _renewed(work: Path, name: str, fresh: bytes) -> str:
    """Merge one copy; what was done to it, if anything."""
    copy = work / name
    while True:
        theirs = found_at(copy)
        try:
            mine = _notebook(theirs)
            done = merged(mine, _notebook(fresh), _given(work / GIVEN / name))
        except UNREADABLE as error:
            beside = _keep(work, name, fresh)
            return f"yours stays, for it cannot be merged ({_reason(error)}); the course's is {beside}"
        if done == Merged(mine):
            return ""
        beside = _keep(work, name, theirs)
        if found_at(copy) == theirs:  # else it was saved in this moment: once more
            write(copy, _bytes(done.notebook))
            return _said(done, beside)


def _said(done: Merged, beside: str) -> str:
    line = f"renewed around what is yours; the version before is {beside}"
    return f"{line}; changed by you and by the course: {', '.join(done.both)}" if done.both else line


def _notebook(data: bytes | None) -> Notebook:
    """A notebook of version 4, whole. One of UNREADABLE if it is none."""
    notebook = json.loads(data)
    if notebook["nbformat"] != 4:
        raise ValueError(f"its format has version {notebook['nbformat']}")
    for cell in notebook["cells"]:
        if {type(cell.get("id", "")), type("".join(cell["source"])), type(cell["cell_type"])} != {str}:
            raise ValueError("a cell is damaged")
    return notebook


def _bytes(notebook: Notebook) -> bytes:
    """As Jupyter writes it. Halves of characters, which UTF-8 has not, are escaped."""
    try:
        return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:
        return (json.dumps(notebook, indent=1) + "\n").encode()


def _given(path: Path) -> Notebook | None:
    """What the student began with, if that is known."""
    try:
        return _notebook(found_at(path))
    except UNREADABLE:
        return None


def _reason(error: Exception) -> str:
    return str(error) if type(error) is ValueError else "it is no notebook"


def _keep(work: Path, name: str, data: bytes) -> str:
    """Put it beside the copies, under a name of its own; returns the name. What is kept already is not kept twice."""
    path, number = Path(KEPT) / name, 1
    while (there := found_at(work / (place := path.with_name(f"{path.stem}-{number}{path.suffix}")))) is not None:
        if there == data:
            return place.as_posix()
        number += 1
    write(work / place, data)
    return place.as_posix()
