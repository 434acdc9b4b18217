"""`open` as Python has it, over a raw file whose calls are effects."""

import io
import os
from functools import partial
from typing import Any

from labkit.crash.child.files import Files

BUFFER = 8192
"""Bytes that `open` buffers. Python's own choice differs by version and file system; a verdict may not."""
CREATING = os.O_CREAT | os.O_WRONLY
FLAGS = {"r": 0, "w": CREATING | os.O_TRUNC, "a": CREATING | os.O_APPEND, "x": CREATING | os.O_EXCL}
REAL_OPEN, REAL_OS_OPEN, RealFileIO = io.open, os.open, io.FileIO


def traced_file(files: Files) -> type[io.FileIO]:
    """A class to stand for io.FileIO: each call that reaches the system is an effect."""

    class FileIO(RealFileIO):
        def __init__(self, file: Any, mode: str = "r", closefd: bool = True, opener: Any = None) -> None:  # noqa: FBT001, FBT002
            def perform() -> int:
                super(FileIO, self).__init__(file, mode, closefd, opener)
                return self.fileno()

            kind = mode.strip("+b")
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


def _devnull(path: str, _: int) -> int:
    return REAL_OS_OPEN(path, os.O_RDWR)


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
    """`open` as Python has it, over a FileIO of that kind. Python itself says which arguments do not fit."""
    REAL_OPEN(os.devnull, mode, buffering, encoding, errors, newline, opener=_devnull).close()
    raw = kind(file, "".join(sorted(set(mode) - set("bt"), key="rwxa+".index)), closefd, opener)
    if buffering == 0:
        return raw
    wrap = io.BufferedRandom if "+" in mode else io.BufferedReader if "r" in mode else io.BufferedWriter
    buffer = wrap(raw, buffering if buffering > 1 else BUFFER)
    if "b" in mode:
        return buffer
    text = io.TextIOWrapper(buffer, io.text_encoding(encoding), errors, newline, line_buffering=buffering == 1)
    text.mode = mode
    return text
