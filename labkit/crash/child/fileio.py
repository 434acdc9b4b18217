"""`open` as Python has it, over a raw file whose calls are effects."""

import io
import os
import weakref
from contextlib import suppress
from functools import cache, partial
from typing import Any

from labkit.crash.child.files import ACTIVE
from labkit.crash.child.pids import ACTIVE as PROCESSES
from labkit.crash.child.procfs import led

BUFFER = 8192
"""Bytes that `open` buffers. Python's own choice differs by version and file system; a verdict may not."""
CREATING = os.O_CREAT | os.O_WRONLY
FLAGS = {"r": 0, "w": CREATING | os.O_TRUNC, "a": CREATING | os.O_APPEND, "x": CREATING | os.O_EXCL}
REAL_OPEN, RealFileIO = io.open, io.FileIO
OPENED: list[weakref.ref[Any]] = []
"""What a child has opened to write, with a buffer."""


class FileIO(RealFileIO):
    """A raw file each of whose calls that reach the system is an effect, in a child."""

    def __init__(self, file: Any, mode: str = "r", closefd: bool = True, opener: Any = None) -> None:  # noqa: FBT001, FBT002
        name = led(PROCESSES[0], file) if PROCESSES else file

        def perform() -> int:
            super(FileIO, self).__init__(name, mode, closefd, opener)
            return self.fileno()

        kind = mode.replace("+", "").replace("b", "")
        if not ACTIVE or isinstance(file, int) or opener is not None or kind not in FLAGS:  # os.open is traced as well
            perform()
        else:
            ACTIVE[0].open(file, FLAGS[kind] | (os.O_RDWR if "+" in mode else 0), perform)

    def write(self, data: Any) -> int:
        """An effect, unless it is empty."""
        perform = partial(super().write, data)
        return ACTIVE[0].write(self.fileno(), bytes(data), perform) if ACTIVE else perform()

    def truncate(self, size: int | None = None) -> int:
        """A new size, and an effect."""
        size = self.tell() if size is None else size
        perform = partial(super().truncate, size)
        return ACTIVE[0].on_descriptor("truncate", self.fileno(), perform, size=size) if ACTIVE else perform()

    def close(self) -> None:
        """No effect: what is written is written."""
        if ACTIVE and not self.closed:
            ACTIVE[0].close(self.fileno())
        super().close()


class _Accepted(Exception):  # noqa: N818 - no error
    """Python's own `open` would open the file now."""


def _accept(*_: Any) -> int:
    raise _Accepted


def _check(file: Any, *arguments: Any) -> None:
    """Raise what Python's own `open` raises for these arguments before it opens a file."""
    with suppress(_Accepted):
        REAL_OPEN(file, *arguments, opener=_accept)


_check_once = cache(_check)


def traced_open(  # noqa: PLR0917 - the signature of open
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,  # noqa: FBT001, FBT002
    opener: Any = None,
) -> Any:
    """`open` over a FileIO of ours. What Python refuses before it opens a file, Python itself refuses here."""
    lines = buffering == 1
    name = "" if isinstance(file, int) else os.fspath(file) if isinstance(file, os.PathLike) else file
    known = isinstance(name, str) and "\0" not in name
    check, name = (_check_once, "") if known else (_check, name)
    check(name, mode, -1 if lines else buffering, encoding, errors, newline)
    raw = FileIO(file, mode.replace("b", "").replace("t", ""), closefd, opener)
    try:
        opened = _buffered(raw, mode, buffering)
        if "b" not in mode:
            opened = io.TextIOWrapper(opened, io.text_encoding(encoding), errors, newline, line_buffering=lines)
            opened.mode = mode
    except BaseException:
        raw.close()
        raise
    if ACTIVE and opened.writable():
        OPENED.append(weakref.ref(opened))
    return opened


def flush_open() -> None:
    """Write out what is still in buffers, as an interpreter does that exits: in the order of opening."""
    for known in OPENED:
        with suppress(OSError, ValueError):  # it is closed, or what it lies on
            if (file := known()) is not None:
                file.flush()


def _buffered(raw: io.FileIO, mode: str, buffering: int) -> Any:
    if buffering == 0 and "b" in mode:
        return raw
    if buffering == 0:
        raise ValueError("can't have unbuffered text I/O")
    wrap = io.BufferedRandom if "+" in mode else io.BufferedReader if "r" in mode else io.BufferedWriter
    return wrap(raw, buffering if buffering > 1 else BUFFER)
