"""A changed notebook of the course around what a student wrote in theirs. Pure: documents in, a document out.

A cell of the course is found in the student's by its id, an answer also by its first line, and what has lost its id by
its text. Three versions decide: what the student was given, what they made of it, and what the course has now.

    changed by the course only → the course's       by the student only, or an answer → the student's
    changed by both            → the course's, and the name of the cell is told
    a cell of the student's    → stays below what was above it
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from labkit.grading.notebook.cells import Cell
from labkit.grading.notebook.markers import parts

Notebook = dict[str, Any]


@dataclass(frozen=True)
class Merged:
    """The notebook, and the cells of which two versions could not become one."""

    notebook: Notebook
    both: list[str] = field(default_factory=list)


def merged(mine: Notebook, course: Notebook, given: Notebook | None = None) -> Merged:
    """The course's notebook with the student's answers and own cells. `given`: the one they began with, if known."""
    return _Merge(mine["cells"], course["cells"], given["cells"] if given else []).done(mine, course)


def text_of(cell: Notebook) -> str:
    """A cell's source, however it is stored."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


class _Merge:
    def __init__(self, mine: list[Notebook], course: list[Notebook], given: list[Notebook]) -> None:
        self._mine, self._course = mine, course
        self._given = {cell.get("id"): cell for cell in given}
        self._names = {name for cell in course if (name := Cell(text_of(cell)).answer)}
        self._partners: dict[int, int] = {}
        """Place in the course's notebook → place in the student's."""
        self._both: list[str] = []

    def done(self, mine: Notebook, course: Notebook) -> Merged:
        """Pair, decide, and put everything in its place."""
        self._pair()
        below = self._own()
        cells = list(below.get(-1, []))
        for place, cell in enumerate(self._course):
            cells += [*self._decided(place, cell), *below.get(place, [])]
        minor = max(mine.get("nbformat_minor", 5), course.get("nbformat_minor", 5))
        return Merged({**mine, "cells": list(_with_own_ids(cells)), "nbformat_minor": minor}, self._both)

    def _pair(self) -> None:
        """Find the cells of the course in the student's notebook: the surest way first."""
        free = dict(enumerate(self._mine))
        for finds in (self._same_id, self._same_answer, self._same_text):
            for place, cell in enumerate(self._course):
                if place not in self._partners:
                    found = next((other for other, theirs in free.items() if finds(cell, theirs)), None)
                    if found is not None:
                        self._partners[place] = found
                        del free[found]

    def _same_id(self, cell: Notebook, theirs: Notebook) -> bool:
        return bool(cell.get("id")) and cell["id"] == theirs.get("id")

    def _same_answer(self, cell: Notebook, theirs: Notebook) -> bool:
        name = Cell(text_of(cell)).answer
        return name is not None and name in self._answers(theirs)

    def _same_text(self, cell: Notebook, theirs: Notebook) -> bool:
        return any(_same(theirs, each) for each in (cell, self._given.get(cell.get("id"))))

    def _answers(self, cell: Notebook) -> set[str]:
        return {part.name for part in parts(text_of(cell), self._names)} if self._names else set()

    def _own(self) -> dict[int, list[Notebook]]:
        """The student's own cells by the cell of the course that is above them; −1 if there is none."""
        places = {other: place for place, other in self._partners.items()}
        now = {cell.get("id") for cell in self._course}
        below: dict[int, list[Notebook]] = {}
        above = -1
        for number, cell in enumerate(self._mine):
            if number in places:
                above = places[number]
            elif cell.get("id") in now or not _same(cell, self._given.get(cell.get("id"))):
                below.setdefault(above, []).append(cell)  # else the course has taken it out, and nobody has changed it
        return below

    def _decided(self, place: int, cell: Notebook) -> list[Notebook]:
        given, answer = self._given.get(cell.get("id")), Cell(text_of(cell)).answer
        if place not in self._partners:
            elsewhere = any(answer in self._answers(each) for each in self._mine) if answer else _same(cell, given)
            return [] if elsewhere else [cell]
        theirs = self._mine[self._partners[place]]
        if _same(theirs, cell) or _same(given, cell):
            return [theirs]
        if _same(theirs, given):
            return [cell]
        if answer:
            self._both += [f"answer {answer}"] * bool(given)
            return [theirs]
        self._both.append(cell.get("id") or text_of(cell)[:20])
        return [cell, theirs] if self._answers(theirs) else [cell]


def _same(one: Notebook | None, other: Notebook | None) -> bool:
    """Whether two cells say the same. Outputs say nothing."""
    if one is None or other is None:
        return False
    return one.get("cell_type") == other.get("cell_type") and text_of(one) == text_of(other)


def _with_own_ids(cells: list[Notebook]) -> Iterator[Notebook]:
    """Each id once, as Jupyter wants it."""
    taken = {""}
    for number, cell in enumerate(cells):
        name = cell.get("id", "")
        if name in taken:
            name = hashlib.sha256(f"{number} {text_of(cell)}".encode(errors="replace")).hexdigest()[:8]
        taken.add(name)
        yield cell if cell.get("id") == name else {**cell, "id": name}
