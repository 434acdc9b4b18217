"""The file system in a race: each call a step, with the names and the content that it touches.

An object is ("name", parts of the path), ("data", parts of the path) or ("lock", path). A folder contains what lies in
it: a list of it conflicts with each name that comes and goes there.
"""

import os
import stat
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from labkit.crash.child import fileio, filelocks, not_in_races, reads, shared_locks
from labkit.crash.child.files import Files
from labkit.crash.child.turns import CLOCK, Touches, Turns
from labkit.crash.jobs import Job

MOST_NAMES = 400
"""On the way to one path: the system itself follows forty links."""
STAMPED = [CLOCK, False]
"""A file that is changed gets the time: see `stamps`."""


def share(trace: Turns, tmp: Path, job: Job) -> "SharedFiles":
    """The files of a worker of a race, whose reads and locks are steps from here on."""
    files = SharedFiles(trace, tmp, job.ignore)
    fileio.FileIO.seek = reads.seeking(fileio.RealFileIO.seek, files)
    reads.ACTIVE.append(files)
    shared_locks.ACTIVE.append(files)
    trace.holders.append(shared_locks.held)
    for name in ("read", "readall", "readinto"):
        setattr(fileio.FileIO, name, reads.of_a_file(name, getattr(fileio.RealFileIO, name), files))
    not_in_races.refuse(files, job.among.workers)
    return files


def parts(inside: str) -> list[str]:
    """A name in the sandbox as the words of an object; the sandbox itself has none."""
    return [] if inside == os.curdir else inside.split("/")


def links(root: str, path: str, *, follow: bool) -> Iterator[str]:
    """The symbolic links below `root` on the way to a path; with `follow`, at its end, too.

    Whoever puts another one in the place of such a link leads this process elsewhere.
    """
    at, names = root, deque(path.removeprefix(root + os.sep).split(os.sep) if path.startswith(root + os.sep) else ())
    for _ in range(MOST_NAMES):
        if not names:
            return
        name = names.popleft()
        full = os.path.normpath(os.path.join(at, name))
        if not (names or follow) or not os.path.islink(full):
            at = full
            continue
        yield os.path.relpath(full, root)
        target = os.path.join(at, os.readlink(full))
        if not target.startswith(root + os.sep):
            return
        at, names = root, deque([*target.removeprefix(root + os.sep).split(os.sep), *names])


class SharedFiles(Files):
    """Files that others change as well."""

    trace: Turns

    def __init__(self, trace: Turns, tmp: Path, ignore: Sequence[str] = ()) -> None:
        super().__init__(trace, tmp, ignore)
        self.followed: list[str] = []
        """Symbolic links on the way to what the next step touches."""

    def inside(self, path: Any, dir_fd: int | None = None, *, follow: bool = False) -> str | None:
        """See Files.inside, which looks at links: no step."""
        with self.trace.quietly():
            folder = self.real(self.opened[dir_fd].path) if dir_fd in self.opened else os.getcwd()
            self.followed += links(self.root, os.path.join(folder, os.fsdecode(path)), follow=follow)
            return super().inside(path, dir_fd, follow=follow)

    def step(self, op: str, inside: str, perform: Callable[[], Any], *touches: tuple[str, str, bool]) -> Any:
        """A step that touches names or content."""
        followed = [("name", name, False) for name in dict.fromkeys(self.followed)]
        self.followed.clear()
        if filelocks.acts():
            return self.trace.unseen(perform)
        told: Touches = [[[kind, *parts(name)], written] for kind, name, written in (*touches, *followed)]
        stamped = [STAMPED] * (self.trace.among.timed and any(written for *_, written in touches))
        return self.trace.step(op, inside, [*told, *stamped], perform)

    def content(self, where: int | str, *, written: bool) -> list[tuple[str, str, bool]]:
        """What is in a file, as touches: under the name by which it was found, and as itself if it has other names."""
        path = self.opened[where].path if isinstance(where, int) else where
        with self.trace.quietly():
            try:
                found = os.stat(where if isinstance(where, int) else self.real(path))
            except OSError:
                return [("data", path, written)]
            told = [("data", path, written)]
            if isinstance(where, int) and (now := self._name_now(where)) not in {None, path}:
                told.append(("data", now, written))
        several = found.st_nlink != 1 and stat.S_ISREG(found.st_mode)
        return [*told, *[("file", str(found.st_ino), written)] * several]

    def _name_now(self, fd: int) -> str | None:
        """What others may have made of its name."""
        try:
            return self.inside(os.readlink(f"/proc/self/fd/{fd}"))
        except OSError:
            return None

    def open(self, path: Any, flags: int, perform: Callable[[], int], dir_fd: int | None = None) -> int:
        """Open: a look at the name, which may make it, and which may empty the file."""
        inside = None if self.trace.busy else self.inside(path, dir_fd, follow=True)
        opened = super().open
        if inside is None:
            return opened(path, flags, perform, dir_fd)
        empties = bool(flags & os.O_TRUNC)
        op = "create" if flags & os.O_EXCL else "open-truncate" if empties else "open"
        touches = [("name", inside, bool(flags & os.O_CREAT))]
        touches += self.content(inside, written=True) if empties else []
        return self.step(op, inside, lambda: opened(path, flags, perform, dir_fd), *touches)

    def on_descriptor(self, op: str, fd: int, perform: Callable[[], Any], *, at: bool = True, **details: Any) -> Any:
        """A change of content, or an fsync."""
        if fd not in self.opened:
            return perform()
        path, changed = self.opened[fd].path, super().on_descriptor
        writes = not op.startswith("fsync")
        touches = self.content(fd, written=writes)
        return self.step(op, path, lambda: changed(op, fd, perform, at=at, **details), *touches)

    def write(self, fd: int, data: bytes, perform: Callable[[], int], offset: int | None = None) -> int:
        """A write; where it goes to is found out in the same step."""
        if not data or fd not in self.opened:
            return perform()
        path, written = self.opened[fd].path, super().write
        return self.step("write", path, lambda: written(fd, data, perform, offset), *self.content(fd, written=True))

    def on_names(self, op: str, names: list[tuple[Any, int | None]], perform: Callable[[], Any], **details: Any) -> Any:
        """A call on one name or two: they change, and what lies under them."""
        inside, changed = [self.inside(*name) for name in names], super().on_names
        touches = [(kind, name, True) for name in inside if name is not None for kind in ("name", "data")]
        if not touches:
            return changed(op, names, perform, **details)
        shown = " → ".join(name or "elsewhere" for name in inside)
        return self.step(op, shown, lambda: changed(op, names, perform, **details), *touches)

    def on_metadata(self, op: str, where: Any, perform: Callable[[], Any], dir_fd: int | None, *, follow: bool) -> Any:
        """A change of what a file is besides its content."""
        changed = super().on_metadata
        if isinstance(where, int):
            return changed(op, where, perform, dir_fd, follow=follow)
        inside = self.inside(where, dir_fd, follow=follow)
        if inside is None:
            return changed(op, where, perform, dir_fd, follow=follow)
        touches = [("name", inside, True), *self.content(inside, written=True)]
        return self.step(op, inside, lambda: changed(op, where, perform, dir_fd, follow=follow), *touches)

    def close(self, fd: int) -> None:
        """A step if it frees a lock."""
        if fd in self.opened:
            shared_locks.close(self, fd)
        super().close(fd)
