"""Which files of the sandbox C code writes past the shim, whatever becomes of their names: SQLite's databases."""

import os
from _io import FileIO as RealFile
from contextlib import suppress
from typing import Any

GOING = {"rename", "replace", "unlink"}
"""Calls by which a file may lose the last name in them."""


class NativeFiles:
    """Their names."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def gone(self, op: str, name: str, place: str) -> dict[str, Any]:
        """For the model of the disk, what lies at a place whose name is about to go, if it does not know that."""
        if op in GOING and name in self.names:
            with suppress(OSError), RealFile(place) as file:
                return {"data": file.readall().decode("latin-1")}
        return {}

    def renamed(self, op: str, name: str, to: str) -> None:
        """A file or a folder has another name now, or one more, or none: so have those below it."""
        here = {each for each in self.names if (each + os.sep).startswith(name + os.sep)}
        if op in GOING:
            self.names -= here
        if op in {"rename", "replace"} and name != to:  # what had that name is gone
            self.names = {each for each in self.names if not (each + os.sep).startswith(to + os.sep)}
        if op in {"rename", "replace", "link"}:
            self.names |= {to + each.removeprefix(name) for each in here}
