"""A source of effects: the file system calls that change the sandbox, one at a time.

`open` becomes Python's own buffering over a FileIO of ours, so that a `json.dump` shows the writes it really makes.
Reads and close are no effects, nor is a call that changes nothing: an empty write, or opening a file that is there.
The folder for temporary files lies beside the sandbox, and is another file system, as /tmp often is.
"""

import errno
import itertools
import os
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.crash.child.native import NativeFiles
from labkit.crash.child.stamps import stamp
from labkit.crash.child.trace import Trace
from labkit.crash.metadata import TMP, metadata
from labkit.crash.news import Opened

WRITING = os.O_CREAT | os.O_WRONLY | os.O_RDWR | os.O_TRUNC
O_TMPFILE = getattr(os, "O_TMPFILE", 1 << 62)
NAMELESS = re.compile(r"/proc/(?:self|\d+)/fd/(\d+)")
"""How a file without a name is given one."""
ELSEWHERE = "what is no part of the program's state may be named in ignore="
Where = str | int
"""A name in the sandbox, or a descriptor."""


@dataclass(frozen=True)
class OpenFile:
    """A file in the sandbox that is open: the handle names it in the recording."""

    handle: int
    path: str
    flags: int
    """As os.open had them."""


class Files:
    """What the shim knows: the two folders, what each open descriptor stands for, and which files are SQLite's."""

    def __init__(self, trace: Trace, tmp: Path, ignore: Collection[str] = ()) -> None:
        self.trace, self.ignore, self.performing = trace, ignore, False
        self.root, self.tmp = os.getcwd(), str(tmp)
        self.opened: dict[int, OpenFile] = {}
        self._handles, self.native = itertools.count(), NativeFiles()

    def inside(self, path: Any, dir_fd: int | None = None, *, follow: bool = False) -> str | None:
        """`path` relative to the sandbox, or as TMP/name; None if it lies outside."""
        folder = self.real(self.opened[dir_fd].path) if dir_fd in self.opened else os.getcwd()
        head, tail = os.path.split(os.path.join(folder, os.fsdecode(path)))
        full = os.path.join(head if head == self.root else os.path.realpath(head), tail)
        if tail in ("", os.curdir, os.pardir) or (follow and os.path.islink(full)):
            full = os.path.realpath(full)
        if (full + os.sep).startswith(self.root + os.sep):
            return full.removeprefix(self.root).lstrip(os.sep) or os.curdir
        return TMP + full.removeprefix(self.tmp) if (full + os.sep).startswith(self.tmp + os.sep) else None

    def real(self, name: str) -> str:
        """Where a name in the sandbox lies on this machine."""
        return self.tmp + name.removeprefix(TMP) if name.startswith(TMP) else os.path.join(self.root, name)

    def open(self, path: Any, flags: int, perform: Callable[[], int], dir_fd: int | None = None) -> int:
        """Open by `perform`, which returns a descriptor: an effect if it creates or empties a file."""
        inside = self.inside(path, dir_fd, follow=True)
        if inside is None:
            if flags & WRITING:
                self.outside(path)
            return perform()
        full = self.real(inside)
        if flags & O_TMPFILE == O_TMPFILE:
            fd, inside = perform(), ""
        elif flags & os.O_CREAT and not os.path.exists(full):
            fd = self.effect("open", inside, perform, [inside, os.path.dirname(inside)], path=inside)
        elif flags & os.O_TRUNC and not flags & os.O_EXCL and os.path.getsize(full):
            fd = self.effect("open-truncate", inside, perform, [inside], path=inside)
        else:
            before = metadata(full) if flags & os.O_TRUNC else None
            fd = perform()
            if before:  # an empty file was emptied: the kernel has changed its time alone
                stamp(full, before.modified)
        self.opened[fd] = OpenFile(next(self._handles), inside, flags)
        self.trace.note(Opened(handle=self.opened[fd].handle, path=inside))
        return fd

    def effect(
        self,
        op: str,
        target: str,
        perform: Callable[[], Any],
        changed: Iterable[Where],
        *,
        at: bool = True,
        **more: Any,
    ) -> Any:
        """An effect that has `changed` something there: it gets the virtual time, unless not `at` this time."""
        self.trace.begin(op, target)
        self.performing = True
        try:
            result = perform()
        finally:
            self.performing = False
        told = [told for where in changed if (told := self._touched(where, at=at))]
        self.trace.done(op, target, result=result if isinstance(result, int) else None, meta=told or None, **more)
        return result

    def _touched(self, where: Where, *, at: bool) -> list[Any] | None:
        place = where if isinstance(where, int) else self.real(where)
        if at:
            stamp(place)
        known = self.opened[where].handle if isinstance(where, int) else where
        meta = metadata(place)
        return [known, meta.plain()] if meta and known not in {"", os.curdir, TMP} else None

    def outside(self, path: Any) -> None:
        """Something outside the sandbox is about to change. Devices are nobody's state; what lies in memory is."""
        name = os.fsdecode(path)
        full = os.path.realpath(name) + os.sep
        device = name.startswith("/dev/") and not name.startswith("/dev/shm")  # noqa: S108
        ignored = any(full.startswith(os.path.join(os.path.realpath(each), "")) for each in self.ignore)
        if not (device or ignored or self.trace.lenient):
            self.trace.refuse(f"write to {name}, outside its folder", f"keep state in the current folder; {ELSEWHERE}")

    def close(self, fd: int) -> None:
        """Forget a descriptor: the system will use its number again."""
        self.opened.pop(fd, None)

    def copied(self, fd: int, copy: int) -> int:
        """A second descriptor for what is open under the first."""
        if fd in self.opened:
            self.opened[copy] = self.opened[fd]
        else:
            self.close(copy)
        return copy

    def on_descriptor(self, op: str, fd: int, perform: Callable[[], Any], *, at: bool = True, **details: Any) -> Any:
        """A call on an open file."""
        if fd not in self.opened:
            return perform()
        handle, path = self.opened[fd].handle, self.opened[fd].path
        if op == "fsync" and path and os.path.isdir(self.real(path)):
            op = "fsync dir"
        changed = [] if op.startswith("fsync") else [fd]
        return self.effect(op, path, perform, changed, at=at, handle=handle, path=path, **details)

    def on_names(self, op: str, names: list[tuple[Any, int | None]], perform: Callable[[], Any], **details: Any) -> Any:
        """A call on one name or two, each with the directory descriptor it is relative to."""
        if op == "link" and (nameless := NAMELESS.fullmatch(os.fsdecode(names[0][0]))):
            return self._name(int(nameless[1]), names[1], perform)
        inside = [self.inside(path, dir_fd) for path, dir_fd in names]
        if None in inside:
            self.outside(names[inside.index(None)][0])
            return perform()
        if len({name.startswith(TMP) for name in inside}) > 1:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), *(os.fsdecode(path) for path, _ in names[:1]))
        details |= self.native.gone(op, inside[-1], self.real(inside[-1]))
        made = inside if op in {"mkdir", "symlink", "truncate"} else []
        changed = dict.fromkeys([*made, *(os.path.dirname(name) for name in inside if op != "truncate")])
        result = self.effect(op, " → ".join(inside), perform, changed, path=inside[0], to=inside[-1], **details)
        self.native.renamed(op, inside[0], inside[-1])
        return result

    def _name(self, fd: int, name: tuple[Any, int | None], perform: Callable[[], Any]) -> Any:
        """Give the file that is open there, and has no name yet, its first one."""
        to = self.inside(*name)
        if to is None or fd not in self.opened:
            self.outside(name[0])
            return perform()
        changed = [to, os.path.dirname(to)]
        return self.effect("link", to, perform, changed, handle=self.opened[fd].handle, path=to, to=to)

    def on_metadata(self, op: str, where: Any, perform: Callable[[], Any], dir_fd: int | None, *, follow: bool) -> Any:
        """A call that changes what a file is besides its content; its time stays, or is what the call makes it."""
        if isinstance(where, int):
            return self.on_descriptor(op, where, perform, at=False)
        inside = self.inside(where, dir_fd, follow=follow)
        if inside is None:
            self.outside(where)
            return perform()
        return self.effect(op, inside, perform, [inside], at=False, path=inside)

    def write(self, fd: int, data: bytes, perform: Callable[[], int], offset: int | None = None) -> int:
        """A write at `offset`, or where the descriptor stands; no effect if it is empty."""
        if not data or fd not in self.opened:
            return perform()
        if offset is None:
            offset = os.fstat(fd).st_size if self.opened[fd].flags & os.O_APPEND else os.lseek(fd, 0, os.SEEK_CUR)
        synced = True if self.opened[fd].flags & os.O_DSYNC else None  # O_SYNC has its bit, too
        return self.on_descriptor("write", fd, perform, offset=offset, data=data.decode("latin-1"), synced=synced)


ACTIVE: list[Files] = []
"""The Files of this process, once it is a child."""
