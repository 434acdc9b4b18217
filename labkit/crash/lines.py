"""A line of the program under test, whose text may be a file's or a notebook cell's."""

import linecache
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

LABKIT = str(Path(__file__).parents[1])


@dataclass(frozen=True)
class Line:
    """Where something happened."""

    file: str
    function: str
    number: int

    @classmethod
    def first(cls, lines: Sequence[Any]) -> Self | None:
        """The innermost of the lines that a child told; labkit's own only where there is no other."""
        others = [line for line in lines if not line[0].startswith(LABKIT)]
        return cls(*(others or lines)[0]) if lines else None

    @property
    def raw(self) -> str:
        """The line as written, with its indentation."""
        return linecache.getline(self.file, self.number).rstrip()

    @property
    def text(self) -> str:
        """The line without its indentation."""
        return self.raw.strip()

    def __str__(self) -> str:
        place = f"line {self.number}" if self.function == "<module>" else f"{self.function}, line {self.number}"
        return f"{place}: {self.text}" if self.text else place
