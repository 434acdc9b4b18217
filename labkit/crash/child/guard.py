"""What a child must not do, because the lab could neither see it nor put it back: Python asks an audit hook first.

The shims of `os` refuse the same by themselves; this is for what passes them by. What is only read stays allowed.
"""

import _multiprocessing
import _posixshmem
import _posixsubprocess
import fcntl
import mmap
import os
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from labkit import world
from labkit.crash.child.files import ACTIVE, ELSEWHERE, WRITING, Files
from labkit.crash.child.patch import replace, stand_in
from labkit.crash.under_test import LIBRARY, is_under_test

ALONE = "the crash lab explores one process"
NAMES = {
    **dict.fromkeys(("os.remove", "os.rmdir"), ((0, 1),)),
    **dict.fromkeys(("os.mkdir", "os.chmod"), ((0, 2),)),
    **dict.fromkeys(("os.truncate", "os.setxattr", "os.removexattr"), ((0, None),)),
    "os.chown": ((0, 3),),
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
}
"""Audit events of calls that change something by name: which arguments are names, and which the folder's descriptor."""
PROCESSES = {
    **dict.fromkeys(("subprocess.Popen", "os.system", "os.posix_spawn", "os.exec", "os.fork", "os.forkpty"), 0),
    "os.spawn": 1,
    "pty.spawn": 0,
}
"""Audit events of calls that start a program, and which argument names it."""
READERS = {"platform", "ctypes.util"}
"""Modules of Python's that ask other programs what machine this is."""
PROBES = {"urllib3.util.connection"}
"""Modules that bind a socket when they are imported, to see whether this machine has IPv6."""
DRIVERS = {"psycopg2", "_pg", "MySQLdb", "pyodbc", "duckdb", "lmdb", "plyvel", "leveldb", "rocksdict"}
"""Modules of databases that are reached, or written, from C."""
MESSENGERS = {"zmq", "pycurl", "grpc", "confluent_kafka", "pynng", "pylibmc"}
"""Modules that speak with other processes from C."""
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def _open(files: Files, _: str, path: Any, __: Any, flags: int) -> None:
    if flags & WRITING and isinstance(path, str | bytes | os.PathLike) and files.inside(path, follow=True) is None:
        files.outside(path)


def _sqlite(files: Files, _: str, database: Any) -> None:
    path = os.fsdecode(database)
    path = unquote(urlsplit(path).path) if path.startswith("file:") else path
    if path not in {"", ":memory:"} and files.inside(path, follow=True) is None:
        files.outside(path)


def _names(files: Files, event: str, *arguments: Any) -> None:
    for name, folder in NAMES[event] if not files.performing else ():
        path = arguments[name]
        if not isinstance(path, int) and files.inside(path, arguments[folder] if folder else None) is None:
            files.outside(path)


def _process(files: Files, event: str, *arguments: Any) -> None:
    if any(name in READERS for name in _callers()):
        return
    command = arguments[PROCESSES[event]] if arguments else ()
    command = command if isinstance(command, str | bytes | os.PathLike) else next(iter(command), "")
    name = os.path.basename(os.fsdecode(command).split(" ")[0])
    files.trace.refuse(f"start another process{f' ({name})' if name else ''}", ALONE)


def _socket(files: Files, event: str, _: Any, address: Any) -> None:
    if address is None:
        return
    host, port = address[:2] if isinstance(address, tuple) else (os.fsdecode(address), "")
    if host in LOOPBACK and event != "socket.bind" and port == world.current().port:
        return
    if event == "socket.bind" and any(name in PROBES for name in _callers()):
        return
    where = f"{host}:{port}" if port else host
    if not {where, host} & {*files.ignore}:
        verb = "listen at" if event == "socket.bind" else "connect to"
        files.trace.refuse(f"{verb} {where}", f"no crash is explored there; {ELSEWHERE}")


def _callers() -> Iterator[str]:
    """The modules on the stack up to the code under test."""
    frame = sys._getframe(3)  # noqa: SLF001 - public in all but name
    while frame is not None and not is_under_test(frame):
        yield frame.f_globals.get("__name__", "")
        frame = frame.f_back


def _mmap(files: Files, _: str, fileno: int, __: int, access: int, ___: int) -> None:
    writes = access in {0, mmap.ACCESS_WRITE} and fileno in files.opened
    if writes and fcntl.fcntl(fileno, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY:
        name = files.opened[fileno].path
        files.trace.refuse(f"map {name} into its memory and write there", "write to the file, and call fsync")


def _ctypes(files: Files, _: str, *what: Any) -> None:
    """Refused to the code under test alone: libraries load their own, and so does ctypes when it is imported."""
    frame = sys._getframe(2)  # noqa: SLF001 - public in all but name
    while frame is not None and frame.f_code.co_filename.startswith(LIBRARY):
        if "importlib" in frame.f_code.co_filename or "site-packages" in frame.f_code.co_filename:
            return
        frame = frame.f_back
    if frame is not None and is_under_test(frame):
        files.trace.refuse(f"call C code by ctypes ({what[-1]})", "the crash lab cannot follow it: call it by Python")


def _signal(files: Files, event: str, pid: int, *_: Any) -> None:
    if pid not in {0, files.trace.pid}:
        files.trace.refuse(f"reach process {pid} of this machine by {event}", ALONE)


def _import(files: Files, _: str, module: str, *__: Any) -> None:
    name = module.partition(".")[0]
    if name in DRIVERS and find_spec(name):
        files.trace.refuse(f"load {name}, which writes by C code", "the crash lab sees psycopg's SQL and sqlite3's")
    if name in MESSENGERS and find_spec(name):
        files.trace.refuse(f"load {name}, which speaks to others by C code", "speak HTTP to a service(app)")


def _syslog(files: Files, *_: Any) -> None:
    if "/dev/log" not in files.ignore:
        files.trace.refuse("write to the log of this machine (syslog)", f"log to a file; {ELSEWHERE}: /dev/log")


SHM_OPEN = _posixshmem.shm_open
RULES: dict[str, Callable[..., None]] = {
    **dict.fromkeys(PROCESSES, _process),
    **dict.fromkeys(NAMES, _names),
    **dict.fromkeys(("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"), _socket),
    **dict.fromkeys(("ctypes.dlopen", "ctypes.dlsym", "ctypes.dlsym/handle"), _ctypes),
    **dict.fromkeys(("os.kill", "os.killpg", "resource.prlimit"), _signal),
    **dict.fromkeys(("syslog.openlog", "syslog.syslog"), _syslog),
    "import": _import,
    "open": _open,
    "sqlite3.connect": _sqlite,
    "mmap.__new__": _mmap,
}


def _share(files: Files, name: str, *args: Any, **kwargs: Any) -> int:
    if not files.trace.lenient:
        files.trace.refuse(f"share memory ({name})", "keep state in the current folder")
    return SHM_OPEN(name, *args, **kwargs)


class SemLock(_multiprocessing.SemLock):
    """What multiprocessing's locks are made of: its queues and pools begin with one, and ask no hook."""

    def __new__(cls, *arguments: Any) -> Self:
        """Refused where no other process may be started."""
        if ACTIVE and not ACTIVE[0].trace.lenient:
            ACTIVE[0].trace.refuse("make a lock of multiprocessing", f"{ALONE}: use threading's")
        return super().__new__(cls, *arguments)


def install() -> None:
    """Guard every child, from its activation to its end: once, in the zygote, as there is no way back."""
    sys.addaudithook(_ask)
    real = _posixsubprocess.fork_exec

    def fork_exec(*arguments: Any) -> int:
        _ask("os.fork", ())  # multiprocessing asks no hook
        return real(*arguments)

    replace("fork_exec", fork_exec, _posixsubprocess)
    replace("SemLock", SemLock, _multiprocessing)
    stand_in("shm_open", _share, ACTIVE, _posixshmem)  # asks no hook either


def _ask(event: str, arguments: tuple[Any, ...]) -> None:
    if ACTIVE and event in RULES and not ACTIVE[0].trace.lenient:
        RULES[event](ACTIVE[0], event, *arguments)
