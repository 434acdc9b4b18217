"""A line of the program under test, whose text may be a file's or a notebook cell's."""

import linecache
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from labkit.crash.printable import printable

LABKIT = str(Path(__file__).parents[1])


def lines_of(file: str) -> list[str]:
    """The lines of a cell, or of a module that is loaded here. No other file is opened: a child may name any."""
    if isinstance(held := linecache.cache.get(file), tuple) and len(held) == 4 and held[1] is None:
        return held[2]
    if any(getattr(module, "__file__", None) == file for module in list(sys.modules.values())):
        return linecache.getlines(file)
    return []


@dataclass(frozen=True)
class Line:
    """Where something happened."""

    file: str
    function: str
    number: int

    @classmethod
    def first(cls, lines: Sequence[Any]) -> Self | None:
        """The innermost of the lines that a child told."""
        return next(iter(cls.those(lines)), None)

    @classmethod
    def those(cls, lines: Sequence[Any]) -> tuple[Self, ...]:
        """The lines that a child told; labkit's own only where there are no others."""
        others = [line for line in lines if not line[0].startswith(LABKIT)]
        return tuple(cls(*line) for line in others or lines)

    @property
    def raw(self) -> str:
        """The line as written, with its indentation; nothing if this process does not know the source."""
        known = lines_of(self.file)
        return printable(known[self.number - 1]).rstrip() if 0 < self.number <= len(known) else ""

    @property
    def text(self) -> str:
        """The line without its indentation."""
        return self.raw.strip()

    def __str__(self) -> str:
        place = f"line {self.number}" if self.function == "<module>" else f"{self.function}, line {self.number}"
        return f"{place}: {self.text}" if self.text else place
