"""Limits on several processes together, which no rlimit knows, and on a folder: a thread measures them.

Counted are the pages of each process, and those that may outlive their mapping or name: shared memory and deleted
files. A watch that cannot see ends what it watches.
"""

import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

MOST_MEMORY = 3 * 2**30
"""Bytes of a process and all its descendants together, with the shared memory and deleted files that they hold."""
MOST_ON_DISK = 512 * 2**20
"""Bytes of all files in the folder."""
INODE = 4096
"""Bytes that a file or folder counts for at least: an empty one takes memory or disk, too."""


def watch(
    pids: Callable[[], Iterable[int | None]], folders: Sequence[Path], stop: Callable[[str], None]
) -> Callable[[], None]:
    """From now on, call `stop` with a reason whenever processes and all they started, or `folders`, grow too large.

    Each process is also limited by itself; this counts each with its descendants, and each folder by what has come to
    it. Returns what ends the watch.
    """
    ended = threading.Event()

    def look() -> None:
        try:
            before = [*map(size_of, folders)]
            while not ended.wait(0.2):
                if max(map(memory_of, pids())) > MOST_MEMORY:
                    stop(f"all its processes together took more than {MOST_MEMORY // 2**30} GB of memory")
                if any(size_of(each) - size > MOST_ON_DISK for each, size in zip(folders, before, strict=True)):
                    stop(f"it wrote more than {MOST_ON_DISK // 2**20} MB")
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody watches any more
            while not ended.wait(0.2):
                stop(f"its memory and files could not be watched ({type(error).__name__})")

    threading.Thread(target=look, daemon=True).start()
    return ended.set


def memory_of(pid: int | None) -> int:
    """Bytes that a process and its descendants hold, without the files that they share; 0 if there is none."""
    if pid is None:
        return 0
    private, shared = 0, {}
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for each in family:
        with suppress(psutil.NoSuchProcess):  # this one has ended: the others have not
            memory = each.memory_info()
            private += memory.rss - getattr(memory, "shared", 0)
        for what, size in (*_mapped(each.pid), *_deleted(each.pid)):
            shared[what] = max(size, shared.get(what, 0))
    return private + sum(shared.values())


def _mapped(pid: int) -> Iterator[tuple[str, int]]:
    """Shared memory that a process has mapped: what it is, and how much of it, touched or not."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines():
            place, rights, _, device, inode, *name = line.split(maxsplit=5)
            if rights[3] == "s" and name and name[0].endswith("(deleted)"):
                start, end = place.split("-")
                yield f"{device} {inode}", int(end, 16) - int(start, 16)


def _deleted(pid: int) -> Iterator[tuple[str, int]]:
    """Files without a name that a process has open."""
    with suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                found = os.stat(entry.path)
                if stat.S_ISREG(found.st_mode) and not found.st_nlink:
                    device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}"
                    yield f"{device} {found.st_ino}", found.st_blocks * 512


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder; links are not followed. OSError if they lie too deep to be seen."""
    total, left = 0, [os.fspath(folder)]
    while left:
        with suppress(FileNotFoundError, NotADirectoryError):
            for entry in os.scandir(left.pop()):
                with suppress(FileNotFoundError):
                    total += max(entry.stat(follow_symlinks=False).st_size, INODE)
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
    return total
