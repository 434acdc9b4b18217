"""`open` as Python has it, over a raw file whose calls are effects."""

import io
import os
from contextlib import suppress
from functools import partial
from typing import Any

from labkit.crash.child.files import Files

BUFFER = 8192
"""Bytes that `open` buffers. Python's own choice differs by version and file system; a verdict may not."""
CREATING = os.O_CREAT | os.O_WRONLY
FLAGS = {"r": 0, "w": CREATING | os.O_TRUNC, "a": CREATING | os.O_APPEND, "x": CREATING | os.O_EXCL}
REAL_OPEN, RealFileIO = io.open, io.FileIO


def traced_file(files: Files) -> type[io.FileIO]:
    """A class to stand for io.FileIO: each call that reaches the system is an effect."""

    class FileIO(RealFileIO):
        def __init__(self, file: Any, mode: str = "r", closefd: bool = True, opener: Any = None) -> None:  # noqa: FBT001, FBT002
            def perform() -> int:
                super(FileIO, self).__init__(file, mode, closefd, opener)
                return self.fileno()

            kind = mode.replace("+", "").replace("b", "")
            if isinstance(file, int) or opener is not None or kind not in FLAGS:  # opened by os.open, or refused
                perform()
            else:
                files.open(file, FLAGS[kind] | (os.O_RDWR if "+" in mode else 0), perform)

        def write(self, data: Any) -> int:
            return files.write(self.fileno(), bytes(data), partial(super().write, data))

        def truncate(self, size: int | None = None) -> int:
            size = self.tell() if size is None else size
            return files.on_descriptor("truncate", self.fileno(), partial(super().truncate, size), size=size)

        def close(self) -> None:
            if not self.closed:
                files.close(self.fileno())
            super().close()

    return FileIO


class _Accepted(Exception):  # noqa: N818 - no error
    """Python's own `open` would open the file now."""


def _accept(*_: Any) -> int:
    raise _Accepted


def traced_open(  # noqa: PLR0913, PLR0917 - the signature of open
    kind: type[io.FileIO],
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,  # noqa: FBT001, FBT002
    opener: Any = None,
) -> Any:
    """`open` over a FileIO of that kind. What Python refuses before it opens a file, Python itself refuses here."""
    name, lines = "" if isinstance(file, int) else file, buffering == 1
    with suppress(_Accepted):
        REAL_OPEN(name, mode, -1 if lines else buffering, encoding, errors, newline, opener=_accept)
    raw = kind(file, mode.replace("b", "").replace("t", ""), closefd, opener)
    try:
        opened = _buffered(raw, mode, buffering)
        if "b" in mode:
            return opened
        text = io.TextIOWrapper(opened, io.text_encoding(encoding), errors, newline, line_buffering=lines)
    except BaseException:
        raw.close()
        raise
    text.mode = mode
    return text


def _buffered(raw: io.FileIO, mode: str, buffering: int) -> Any:
    if buffering == 0 and "b" in mode:
        return raw
    if buffering == 0:
        raise ValueError("can't have unbuffered text I/O")
    wrap = io.BufferedRandom if "+" in mode else io.BufferedReader if "r" in mode else io.BufferedWriter
    return wrap(raw, buffering if buffering > 1 else BUFFER)
