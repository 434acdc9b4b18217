"""The student's own state: work/.progress.json, replaced whole, by one kernel at a time.

    {"schema": 1, "predictions": {question: {"said": …, "right": …}}, "cases": {"01.saves_whole": "PASS"}}

A file that cannot be read is put aside, never written over; one of a newer labkit is left alone.
"""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labkit import repository
from labkit.files import make_directory, write_atomically
from labkit.repository import UsageError

SCHEMA = 1
NAME = ".progress.json"
PATIENCE = 10.0
"""Seconds for which another kernel may write."""

Said = int | float | str | list[str]
"""A prediction: a number, a text, or texts in their order."""


class Predicted(BaseModel):
    """What became of a question. What an older labkit does not know, it keeps."""

    model_config = ConfigDict(extra="allow")

    said: Said | None = None
    """The first prediction; None if the outcome was looked at without one."""
    right: bool | None = None
    """None until the outcome was seen."""

    def seen(self, *, right: bool) -> Self:
        """The same once the outcome is known. Only the first look counts."""
        return self if self.right is not None else self.model_copy(update={"right": right})


class State(BaseModel):
    """All that is kept of a student."""

    model_config = ConfigDict(extra="allow")

    version: int = Field(SCHEMA, alias="schema")
    predictions: dict[str, Predicted] = {}
    cases: dict[str, str] = {}
    """Case → the status in its last verdict."""


class UnkeptError(UsageError):
    """The state cannot be read or written; says why, in one line. Nothing of it is lost."""


class DamagedError(UnkeptError):
    """What is in its place is no state."""


def is_watched() -> bool:
    """Whether a person runs this: a notebook whose frontend can ask. nbval, nbclient and scripts cannot."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if os.environ.get("LABKIT_PROGRESS") == "off" or not hasattr(shell, "kernel"):
        return False
    return bool(shell.kernel.get_parent().get("content", {}).get("allow_stdin"))


def read() -> State:
    """What is kept; nothing if there is no file. UnkeptError if it cannot be read."""
    path = _place()
    try:
        return _parsed(path.read_bytes())
    except FileNotFoundError:
        return State()
    except OSError as error:
        raise UnkeptError(f"{path} cannot be read: {error.strerror}") from None
    except DamagedError:
        raise DamagedError(f"{path} cannot be read: it is no state of labkit's") from None


def change(how: Callable[[State], None]) -> str:
    """Change what is kept, whoever else does; returns what had to be said, in a line, if anything.

    UnkeptError if it cannot be written.
    """
    path, said = _place(), ""
    try:
        make_directory(path.parent)
        with FileLock(path.with_name(".progress.lock"), timeout=PATIENCE):
            try:
                state = read()
            except DamagedError:
                aside = _put_aside(path)
                said, state = (
                    f"{path} could not be read: it is now {aside.name}, and your progress begins anew",
                    State(),
                )
            how(state)
            write_atomically(path, state.model_dump_json(by_alias=True, indent=1).encode())
    except OSError as error:
        raise UnkeptError(f"{path} cannot be written: {error.strerror or error}; your progress is not kept") from None
    return said


def note_cases(statuses: Mapping[str, str], *, watched: bool | None = None) -> None:
    """Keep the last verdict on each case, if a person looks on. Never fails: a verdict matters more.

    `watched` says whether one does, where that is known: who types a command does.
    """
    if is_watched() if watched is None else watched and os.environ.get("LABKIT_PROGRESS") != "off":
        try:
            said = change(lambda state: state.cases.update(statuses))
        except UnkeptError as error:
            said = str(error)
        if said:
            print(said)


def _place() -> Path:
    return repository.work() / NAME


def _parsed(data: bytes) -> State:
    try:
        state = State.model_validate_json(data)
    except (ValidationError, RecursionError):
        raise DamagedError from None
    if state.version > SCHEMA:
        raise UnkeptError(f"{_place()} is of a newer labkit, with schema {state.version}: it is left as it is")
    return state


def _put_aside(path: Path) -> Path:
    """Rename it to a name that is free."""
    number = 1
    while os.path.lexists(aside := path.with_name(f".progress.damaged-{number}.json")):
        number += 1
    path.rename(aside)
    return aside
