"""/proc as the code under test sees it: its own process and those that the lab models, never one of the machine.

A name there is asked for as `os.kill(pid, 0)` is: nobody has the id of an earlier life now, or a stranger has it. What
the lab tells of a process lies in a file in memory (memfd), to which the name leads.
"""

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Self

from labkit.crash.child.patch import stand_in_os
from labkit.crash.child.pids import ACTIVE, PARENT, Processes

PROC = "/proc"
NAME = re.compile(r"/proc/(self|thread-self|\d+)(?:/(.*))?")
TICKS = 100
"""In a second, as /proc/PID/stat counts (USER_HZ)."""
Real = Callable[..., Any]


def led(processes: Processes, path: Any) -> Any:
    """The name under which the real system has what `path` names. OSError if that is not there, or not for us."""
    if not isinstance(path, str | bytes | os.PathLike) or f"{PROC}/" not in (name := os.fsdecode(path)):
        return path
    found = NAME.fullmatch(os.path.abspath(name))
    if found is None:
        return path
    who, what = found[1], found[2] or ""
    pid = int(who) if who.isdecimal() else processes.own
    if pid != processes.own:
        _ask(processes, pid, path)
    if what in TOLD:
        return _file(processes, pid, what)
    if what and pid != processes.own:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    return os.path.join(PROC, who if pid == processes.own and not who.isdecimal() else "self", what)


def _ask(processes: Processes, pid: int, path: Any) -> None:
    try:
        processes.is_there(pid)
    except ProcessLookupError:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from None


def _file(processes: Processes, pid: int, what: str) -> str:
    """A file in memory with what /proc would tell."""
    if (pid, what) not in processes.files:
        fd = processes.files[pid, what] = os.memfd_create(what)
        os.write(fd, TOLD[what](processes, pid).encode())
    return f"/proc/self/fd/{processes.files[pid, what]}"


def _name(processes: Processes, pid: int) -> str:
    return "python" if pid == processes.own else "another"


def _stat(processes: Processes, pid: int) -> str:
    began = int(processes.began * TICKS) - (pid != processes.own)
    fields = [pid, f"({_name(processes, pid)})", "S", PARENT, pid, pid, 0, -1, *[0] * 11, 1, 0, began, *[0] * 30]
    return " ".join(map(str, fields)) + "\n"


def _status(processes: Processes, pid: int) -> str:
    lines = {"Name": _name(processes, pid), "State": "S (sleeping)", "Tgid": pid, "Pid": pid, "PPid": PARENT}
    return "".join(f"{name}:\t{value}\n" for name, value in {**lines, "Threads": 1}.items())


TOLD: dict[str, Callable[[Processes, int], str]] = {
    "stat": _stat,
    "status": _status,
    "comm": lambda processes, pid: f"{_name(processes, pid)}\n",
    "cmdline": lambda processes, pid: f"{_name(processes, pid)}\0",
}


def _looking(real: Real, processes: Processes, path: Any = os.curdir, *args: Any, **options: Any) -> Any:
    return real(led(processes, path), *args, **options)


def _access(real: Real, processes: Processes, path: Any, *args: Any, **options: Any) -> bool:
    try:
        return real(led(processes, path), *args, **options)
    except OSError:  # os.access itself raises none
        return False


def _is_all(path: Any) -> bool:
    return isinstance(path, str | os.PathLike) and os.fspath(path) in {PROC, f"{PROC}/"}


def _listdir(real: Real, processes: Processes, path: Any = os.curdir) -> list[Any]:
    if not _is_all(path):
        return real(led(processes, path))
    last_first = sorted({processes.own, PARENT, *processes.earlier}, reverse=True)  # as who has died last is told
    there = [pid for pid in last_first if _has(processes, pid)]
    return [name for name in real(path) if not name.isdecimal()] + [str(pid) for pid in reversed(there)]


def _has(processes: Processes, pid: int) -> bool:
    try:
        return pid == processes.own or processes.is_there(pid)
    except ProcessLookupError:
        return False


def _scandir(real: Real, processes: Processes, path: Any = os.curdir) -> Any:
    if not _is_all(path):
        return real(led(processes, path))
    return Entries(map(Entry, os.listdir(PROC)))


class Entry:
    """What lies in /proc, as an os.DirEntry."""

    def __init__(self, name: str) -> None:
        self.name, self.path = name, f"{PROC}/{name}"
        self.is_dir, self.is_file, self.is_symlink = (
            partial(_is, self, kind) for kind in (stat.S_ISDIR, stat.S_ISREG, stat.S_ISLNK)
        )

    def __fspath__(self) -> str:
        return self.path

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Of this process, if it is one that has this name: see `led`."""
        return os.stat(self.path, follow_symlinks=follow_symlinks)

    def inode(self) -> int:
        """Its number."""
        return self.stat(follow_symlinks=False).st_ino


def _is(entry: Entry, kind: Callable[[int], bool], *, follow_symlinks: bool = True) -> bool:
    return kind(entry.stat(follow_symlinks=follow_symlinks and kind is not stat.S_ISLNK).st_mode)


class Entries:
    """An iterator over them that may be closed, as os.scandir returns."""

    def __init__(self, entries: Iterator[Entry]) -> None:
        self._entries = entries

    def __iter__(self) -> Iterator[Entry]:
        return self._entries

    def __next__(self) -> Entry:
        return next(self._entries)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing follows."""
        self._entries = iter(())


def _readlink(real: Real, processes: Processes, path: Any, **options: Any) -> Any:
    return str(processes.own) if path == f"{PROC}/self" else real(led(processes, path), **options)


def install() -> None:
    """Stand-ins for what looks at names; `open` asks by itself."""
    looks = dict.fromkeys(("stat", "lstat", "chdir"), _looking)
    for name, look in {
        **looks,
        "access": _access,
        "listdir": _listdir,
        "scandir": _scandir,
        "readlink": _readlink,
    }.items():
        stand_in_os(name, partial(partial, look), ACTIVE)
