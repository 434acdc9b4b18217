"""Starting the processes of the lab, and ending them for certain.

A fork of a clean process with one thread is safe on Linux, and fifty times cheaper than a fresh interpreter. Where fork
is not known to be safe (macOS), or on request (LABKIT_CHILDREN=spawn), each process is a fresh interpreter.
"""

import ctypes
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

SPAWN = sys.platform == "darwin" or os.environ.get("LABKIT_CHILDREN") == "spawn"
MOST_FILES = 1024
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
Entry = Callable[..., None]
Environment = Mapping[str, str]


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start(entry: Entry, channels: Sequence[Connection], arguments: tuple[Any, ...], output: Path | None = None) -> int:
    """Run `entry(*channels, *arguments)` in a process of its own that has no other file of ours. Returns its id."""
    return (start_fresh if SPAWN else _fork)(entry, channels, arguments, os.environ, output)


def adopt_orphans() -> None:
    """By prctl, become the parent of what a child leaves running, so that `end_children` finds it. Linux only."""
    if LIBC:
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)


def end(pid: int) -> int:
    """Kill a process that `start` started, with its group, and return its status as subprocess has it."""
    for kill in (os.killpg, os.kill):  # by its id as well: it may have left its group
        with suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def end_children(but: Collection[int]) -> None:
    """Kill the orphans that adopt_orphans has brought us, as /proc lists our children. Nothing off Linux."""
    while left := _children() - {*but}:
        for pid in left:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def forget_ended() -> None:
    """Let the system forget our children that have ended: each would count as a process as long as we live."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _children() -> set[int]:
    """By /proc. None where that is not to be had, or closed to us, who are confined: whoever confined us ends them."""
    try:
        fd = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY)
    except OSError:
        return set()
    with open(fd, "rb", buffering=0) as file:
        return {*map(int, file.read().split())}


def _fork(
    entry: Entry, channels: Sequence[Connection], arguments: tuple[Any, ...], _: Environment, output: Path | None
) -> int:
    pid = os.fork()
    if pid:
        with suppress(OSError):
            os.setpgid(pid, pid)
        return pid
    try:
        os.setpgid(0, 0)
        low = 3
        for fd in sorted(channel.fileno() for channel in channels):
            os.closerange(low, fd)
            low = fd + 1
        os.closerange(low, MOST_FILES)
        _enter(entry, channels, arguments, output)
    finally:
        os._exit(0)


def start_fresh(
    entry: Entry,
    channels: Sequence[Connection],
    arguments: tuple[Any, ...],
    environment: Environment,
    output: Path | None = None,
) -> int:
    """The same in a fresh interpreter with this environment, by posix_spawn."""
    read, write = os.pipe()
    fds = [read, *(channel.fileno() for channel in channels)]
    for fd in fds:
        os.set_inheritable(fd, True)  # noqa: FBT003
    start_it = "from labkit.isolation.process import spawned; spawned()"
    command = [sys.executable, "-P", "-c", start_it, *map(str, fds)]
    pid = os.posix_spawn(sys.executable, command, environment, setpgroup=0)
    os.close(read)
    with os.fdopen(write, "wb") as given:
        pickle.dump((entry, arguments, output), given)
    return pid


def spawned() -> None:
    """In a spawned interpreter: read the entry, pickled, from the first descriptor given, and run it."""
    first, *others = map(int, sys.argv[1:])
    with os.fdopen(first, "rb") as given:
        entry, arguments, output = pickle.load(given)  # noqa: S301 - from our own parent
    try:
        _enter(entry, [Connection(fd) for fd in others], arguments, output)
    finally:
        os._exit(0)


def _enter(entry: Entry, channels: Sequence[Connection], arguments: tuple[Any, ...], output: Path | None) -> None:
    if LIBC:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if output:
        _write_output_to(output)
    try:
        entry(*channels, *arguments)
    except Exception:  # noqa: BLE001 - the lab's own fault: its parent finds it in the log
        traceback.print_exc()


def _write_output_to(path: Path) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    for stream in (sys.stdout, sys.stderr):  # a killed process loses what its buffers hold
        stream.reconfigure(line_buffering=True)
