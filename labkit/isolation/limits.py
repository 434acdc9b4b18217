"""Limits on several processes together, which no rlimit knows: a thread measures them, by psutil, and a folder."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import psutil

MOST_MEMORY = 3 * 2**30
"""Bytes of a process and all its descendants together."""
MOST_ON_DISK = 512 * 2**20
"""Bytes of all files in the folder."""


def watch(pid: Callable[[], int | None], folder: Path, stop: Callable[[str], None]) -> Callable[[], None]:
    """From now on, call `stop` with a reason whenever a process and all it started, or `folder`, grow too large.

    Each process is also limited by itself; this counts them together. Returns what ends the watch.
    """
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.2):
            if memory_of(pid()) > MOST_MEMORY:
                stop(f"all its processes together took more than {MOST_MEMORY // 2**30} GB of memory")
            if size_of(folder) > MOST_ON_DISK:
                stop(f"it wrote more than {MOST_ON_DISK // 2**20} MB")

    threading.Thread(target=look, daemon=True).start()
    return ended.set


def memory_of(pid: int | None) -> int:
    """Bytes that a process and its descendants hold, without what they share with files; 0 if there is none."""
    total = 0
    if pid is None:
        return total
    try:
        for process in [(root := psutil.Process(pid)), *root.children(recursive=True)]:
            with process.oneshot():
                memory = process.memory_info()
                total += memory.rss - getattr(memory, "shared", 0)
    except psutil.Error:
        pass  # it is ending
    return total


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder; links are not followed."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(where, name)).st_size
            except OSError:
                continue
    return total
