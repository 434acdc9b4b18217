"""A source of effects: the file system calls that change the sandbox, one at a time.

`open` becomes Python's own buffering over a FileIO of ours, so that a `json.dump` shows the writes it really makes.
Reads and close are no effects, nor is a call that changes nothing: an empty write, or opening a file that is there.
"""

import io
import itertools
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from labkit.crash import news
from labkit.crash.child.trace import Trace

REAL_OPEN = io.open
BUFFER = 8192
"""Bytes that `open` buffers. Python's own choice differs by version and file system; a verdict may not."""
CREATING = os.O_CREAT | os.O_WRONLY
FLAGS = {"r": 0, "w": CREATING | os.O_TRUNC, "a": CREATING | os.O_APPEND, "x": CREATING | os.O_EXCL}
WRITING = CREATING | os.O_RDWR | os.O_TRUNC


@dataclass(frozen=True)
class Opened:
    """A file in the sandbox that is open: the handle names it in the recording."""

    handle: int
    path: str
    append: bool


class Files:
    """Tells the trace what is done in the sandbox; knows which path each open file descriptor stands for."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.root = os.path.realpath(os.getcwd())
        self.opened: dict[int, Opened] = {}
        self._handles = itertools.count()

    def inside(self, path: Any, dir_fd: int | None = None, *, follow: bool = False) -> str | None:
        """`path` relative to the sandbox; None if it lies outside."""
        folder = os.path.join(self.root, self.opened[dir_fd].path) if dir_fd in self.opened else os.getcwd()
        head, tail = os.path.split(os.path.join(folder, os.fsdecode(path)))
        full = os.path.join(head if head == self.root else os.path.realpath(head), tail)
        if tail in ("", os.curdir, os.pardir) or (follow and os.path.islink(full)):
            full = os.path.realpath(full)
        relative = full.removeprefix(self.root).lstrip(os.sep) or os.curdir
        return relative if (full + os.sep).startswith(self.root + os.sep) else None

    def open(self, path: Any, flags: int, perform: Callable[[], int], dir_fd: int | None = None) -> int:
        """Open by `perform`, which returns a descriptor: an effect if it creates or empties a file."""
        inside = self.inside(path, dir_fd, follow=True)
        if inside is None:
            if flags & WRITING:
                self.outside(path)
            return perform()
        full = os.path.join(self.root, inside)
        if flags & os.O_CREAT and not os.path.exists(full):
            fd = self.trace.effect("open", inside, perform, path=inside)
        elif flags & os.O_TRUNC and not flags & os.O_EXCL and os.path.getsize(full):
            fd = self.trace.effect("open-truncate", inside, perform, path=inside)
        else:
            fd = perform()
        self.opened[fd] = Opened(next(self._handles), inside, bool(flags & os.O_APPEND))
        self.trace.note(news.Opened(handle=self.opened[fd].handle, path=inside))
        return fd

    def outside(self, path: Any) -> None:
        """Something outside the sandbox is about to change. Devices are exempt: what is written to them is not kept."""
        if not os.fsdecode(path).startswith("/dev/"):
            self.trace.note(news.Outside(path=os.fsdecode(path)))

    def close(self, fd: int) -> None:
        """Forget a descriptor: the system will use its number again."""
        self.opened.pop(fd, None)

    def on_descriptor(self, op: str, fd: int, perform: Callable[[], Any], **details: Any) -> Any:
        """A call on an open file."""
        if fd not in self.opened:
            return perform()
        handle, path = self.opened[fd].handle, self.opened[fd].path
        if op == "fsync" and os.path.isdir(os.path.join(self.root, path)):
            op = "fsync dir"
        return self.trace.effect(op, path, perform, handle=handle, path=path, **details)

    def on_names(self, op: str, names: list[tuple[Any, int | None]], perform: Callable[[], Any], **details: Any) -> Any:
        """A call on one name or two, each with the directory descriptor it is relative to."""
        inside = [self.inside(path, dir_fd) for path, dir_fd in names]
        if None in inside:
            self.outside(names[inside.index(None)][0])
            return perform()
        return self.trace.effect(op, " → ".join(inside), perform, path=inside[0], to=inside[-1], **details)

    def write(self, fd: int, data: bytes, perform: Callable[[], int], offset: int | None = None) -> int:
        """A write at `offset`, or where the descriptor stands; no effect if it is empty."""
        if not data or fd not in self.opened:
            return perform()
        if offset is None:
            offset = os.fstat(fd).st_size if self.opened[fd].append else os.lseek(fd, 0, os.SEEK_CUR)
        return self.on_descriptor("write", fd, perform, offset=offset, data=data.decode("latin-1"))


class TracedFileIO(io.FileIO):
    """The raw file under Python's buffers: each call that reaches the system is an effect."""

    def __init__(self, files: Files, file: Any, mode: str, *, closefd: bool, opener: Any) -> None:
        self._files = files

        def perform() -> int:
            super(TracedFileIO, self).__init__(file, mode, closefd, opener)
            return self.fileno()

        if isinstance(file, int) or opener is not None:  # opened by os.open, which is traced as well
            perform()
        else:
            files.open(file, FLAGS[mode.replace("+", "")] | (os.O_RDWR if "+" in mode else 0), perform)

    def write(self, data: Any) -> int:
        """A write, and an effect."""
        return self._files.write(self.fileno(), bytes(data), partial(super().write, data))

    def truncate(self, size: int | None = None) -> int:
        """A new size, and an effect."""
        size = self.tell() if size is None else size
        perform = partial(super().truncate, size)
        return self._files.on_descriptor("truncate", self.fileno(), perform, size=size)

    def close(self) -> None:
        """Close the descriptor, which changes no file and is no effect."""
        if not self.closed:
            self._files.close(self.fileno())
        super().close()


class _Accepted(Exception):  # noqa: N818 - no error
    """Python's own `open` would open the file now."""


def _accept(*_: Any) -> int:
    raise _Accepted


def traced_open(  # noqa: PLR0913, PLR0917 - the signature of open
    files: Files,
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,  # noqa: FBT001, FBT002
    opener: Any = None,
) -> Any:
    """`open` as Python has it, over a TracedFileIO; what Python refuses before it opens a file, Python refuses here."""
    name, lines = "" if isinstance(file, int) else file, buffering == 1
    with suppress(_Accepted):
        REAL_OPEN(name, mode, -1 if lines else buffering, encoding, errors, newline, opener=_accept)
    raw = TracedFileIO(files, file, mode.replace("b", "").replace("t", ""), closefd=closefd, opener=opener)
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


def _buffered(raw: TracedFileIO, mode: str, buffering: int) -> Any:
    if buffering == 0 and "b" in mode:
        return raw
    if buffering == 0:
        raise ValueError("can't have unbuffered text I/O")
    wrap = io.BufferedRandom if "+" in mode else io.BufferedReader if "r" in mode else io.BufferedWriter
    return wrap(raw, buffering if buffering > 1 else BUFFER)
