"""The cells in a notebook file that may be damaged, of any age and origin: read as JSON, with no library.

An answer cell begins with the line `# answer: <name>`. Reading follows no link, waits for no pipe, and runs nothing.
"""

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.grading.notebook.text import decoded, other_than_notebook, resolved
from labkit.repository import UsageError

MARKER = re.compile(r"\s*# answer: *(\w+) *(?:\n|$)")
MOST_BYTES = 20 * 2**20
"""Bytes of a notebook that is read at all."""
OF_NBDIME = re.compile(r"</?span[^>]*>|[`*]")
"""How nbdime adorns the marks of a conflict, which it puts into text cells."""


@dataclass(frozen=True)
class Cell:
    """A cell of a notebook."""

    source: str
    id: str = ""
    tags: tuple[str, ...] = ()
    kind: str = "code"

    @property
    def answer(self) -> str | None:
        """The name of the answer in this cell, if its first line is exactly an answer's."""
        match = MARKER.match(self.source)
        return match[1] if match else None


def read_notebook(path: Path) -> list[Cell]:
    """The code cells of a notebook of ours. UsageError if it is none, or had to be repaired."""
    cells, notes = read_cells(path.resolve())
    if notes:
        raise UsageError(f"{path} is not a notebook that can be used: {notes[0]}")
    return [cell for cell in cells if cell.kind == "code"]


def read_cells(path: Path) -> tuple[list[Cell], list[str]]:
    """The cells of the notebook at `path`, and what had to be repaired. UsageError if it is none."""
    try:
        data = read_bytes(path)
    except FileNotFoundError:
        raise UsageError(f"there is no notebook {path}") from None
    except OSError as error:
        raise UsageError(_unread(path.name, f"{type(error).__name__}: {error}")) from None
    return cells_of(data, path.name)


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """What is in a file, and one byte more than `most` if it is larger. OSError for a link."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        return file.read(most + 1)


def cells_of(data: bytes, name: str) -> tuple[list[Cell], list[str]]:
    """The cells of a notebook of any age and origin, and what had to be repaired. UsageError if it is none."""
    if len(data) > MOST_BYTES:
        raise UsageError(_unread(name, f"it has more than {MOST_BYTES // 2**20} MB: clear its outputs"))
    notes: list[str] = []
    try:
        text, notes = decoded(data)
        content = _parsed(text, notes)
        sheets = content.get("worksheets")  # before version 4
        listed = content["cells"] if sheets is None else [cell for sheet in sheets for cell in sheet["cells"]]
        cells = [cell for number, each in enumerate(listed, 1) if (cell := _cell(each, number, notes))]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(_unread(name, other_than_notebook(data) or f"{type(error).__name__}: {error}")) from None
    if sheets is not None:
        notes.append("the notebook is of a version before 4; it was read all the same")
    return _one_version(cells, notes), notes


def _unread(name: str, reason: str) -> str:
    return f"{name} is not a notebook that can be read ({reason})"


def _parsed(text: str, notes: list[str]) -> dict[str, Any]:
    try:
        content = _first_value(text, notes)
    except ValueError:
        for version, which in enumerate(("first", "second")):
            chosen, conflicts = resolved(text, version)
            if not conflicts:
                raise
            try:
                content = json.loads(chosen)
            except ValueError:
                if version:
                    raise
            else:
                notes.append(f"it holds {conflicts} unresolved merge conflicts; the {which} version of each was taken")
                break
    if isinstance(content, str):
        notes.append("it is a notebook within a text; it was read all the same")
        return json.loads(content)
    return content


def _first_value(text: str, notes: list[str]) -> dict[str, Any]:
    """What the JSON says, without what an older and longer file has left behind its end."""
    text = text.lstrip()
    content, end = json.JSONDecoder().raw_decode(text)
    if text[end:].strip():
        if not isinstance(content, dict):
            raise ValueError("something stands behind its end")
        notes.append("something stands behind the end of the notebook; it was left out")
    return content


def _cell(cell: Any, number: int, notes: list[str]) -> Cell | None:
    try:
        source = _source(cell.get("source", cell.get("input")), number, notes)
        metadata = cell.get("metadata") or {}
        tags = metadata.get("tags")
        tags = tuple(tags) if isinstance(tags, list) else ()
        return Cell(source, str(cell.get("id") or metadata.get("id", "")), tags, str(cell["cell_type"]))
    except (AttributeError, KeyError, TypeError):
        notes.append(f"cell {number} is damaged and was left out")
        return None


def _source(source: Any, number: int, notes: list[str]) -> str:
    """As text, whose lines end as Python's do. TypeError for what is no source."""
    lines = [source] if isinstance(source, str) else source or []
    if len(lines) > 1 and not any(line.endswith(("\n", "\r")) for line in lines[:-1]):
        lines = ["\n".join(lines)]
        notes.append(f"the lines of cell {number} had lost their newlines, which were put back")
    text = "".join(lines).replace("\r\n", "\n").replace("\r", "\n")
    text = text.encode(errors="replace").decode()  # JSON can hold halves of characters, which nothing else can
    text, conflicts = resolved(text) if "\n>>>>>>>" in text else (text, 0)
    if conflicts:
        notes.append(f"cell {number} holds {conflicts} unresolved merge conflicts; the first version was taken")
    return text


def _one_version(cells: Iterable[Cell], notes: list[str]) -> list[Cell]:
    """Without the cells of the second version, where nbdime has put both into the notebook."""
    cells, kept, part = list(cells), [], None
    for cell in cells:
        mark = OF_NBDIME.sub("", cell.source).strip()[:7] if cell.kind == "markdown" else ""
        if mark in {"<<<<<<<", "=======", ">>>>>>>"}:
            part = {"<<<<<<<": 0, "=======": 1, ">>>>>>>": None}[mark]
        elif part in {None, 0}:
            kept.append(cell)
    if part is not None or len(kept) == len(cells):
        return cells
    notes.append("it holds an unresolved conflict of nbdime; the first version was taken")
    return kept
