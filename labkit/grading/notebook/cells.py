"""The code cells in a notebook file that may be damaged, of any age and origin: read as JSON, with no library.

An answer cell begins with the line `# answer: <name>`. Reading follows no link, waits for no pipe, and runs nothing.
"""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.repository import UsageError

MARKER = re.compile(r"\s*# answer: *(\w+) *(?:\n|$)")
MOST_BYTES = 20 * 2**20
"""Bytes of a notebook that is read at all."""
CONFLICT = re.compile(r"^<<<<<<<.*\n((?:.*\n)*?)=======\n(?:.*\n)*?>>>>>>>.*\n?", re.MULTILINE)
"""What git leaves where two versions met. The first one is kept."""


@dataclass(frozen=True)
class Cell:
    """A code cell of a notebook."""

    source: str
    id: str = ""
    tags: tuple[str, ...] = ()

    @property
    def answer(self) -> str | None:
        """The name of the answer in this cell, if it is an answer cell."""
        match = MARKER.match(self.source)
        return match[1] if match else None


def read_notebook(path: Path) -> list[Cell]:
    """The code cells of a notebook of ours. UsageError if it is none, or had to be repaired."""
    cells, notes = read_cells(path.resolve())
    if notes:
        raise UsageError(f"{path} is not a notebook that can be used: {notes[0]}")
    return cells


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
        tags = metadata.get("tags")
        made = Cell(
            source, str(cell.get("id") or metadata.get("id", "")), tuple(tags) if isinstance(tags, list) else ()
        )
        kind = cell["cell_type"]
    except (AttributeError, KeyError, TypeError):
        notes.append(f"cell {number} is damaged and was left out")
        return None
    if kind != "code" and made.answer:
        notes.append(f"the answer {made.answer} is in a cell of type {kind}; it was taken as code")
    return made if kind == "code" or made.answer else None
