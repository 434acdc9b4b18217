"""The answers in a notebook that may be damaged, of any age and origin.

Only the sources of answer cells are taken. Whatever else a notebook holds is theirs, and is never run by the judge.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

from labkit.grading.judge.criteria import Exercise
from labkit.grading.notebook.answers import Cell, Submission, labkit_imports
from labkit.repository import UsageError

MOST_BYTES = 20 * 2**20
"""Bytes of a notebook that is read at all."""
CONFLICT = re.compile(r"^<<<<<<<.*\n((?:.*\n)*?)=======\n(?:.*\n)*?>>>>>>>.*\n?", re.MULTILINE)
"""What git leaves where two versions met. The first one is kept."""


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
    meaning = "which its exercise does not: it costs no marks, and your instructor sees it"
    return [f"the answer {name} imports {', '.join(sorted(more))}, {meaning}" for name, more in leaning.items() if more]


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
