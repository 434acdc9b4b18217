"""File locks in a race: flock and lockf. Who does not get one at once is told as blocked, and tries again when let.

Elsewhere a child is alone, and gets every lock.
"""

import errno
import fcntl
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from labkit.crash.child import filelocks
from labkit.crash.child.patch import stand_in

ACTIVE: list[Any] = []
"""The SharedFiles of this process, if it is a worker of a race."""
FLOCK, LOCKF, FCNTL = fcntl.flock, fcntl.lockf, fcntl.fcntl
HELD: dict[tuple[str, str], set[int]] = {}
"""By lock, and the name of its file: the descriptors by which this process has it."""
BY_FCNTL = {getattr(fcntl, name, -1) for name in ("F_SETLK", "F_SETLKW", "F_OFD_SETLK", "F_OFD_SETLKW")}


def install() -> None:
    """Stand-ins, which sleep everywhere but in a worker of a race."""
    stand_in("flock", partial(_lock, FLOCK), ACTIVE, fcntl)
    stand_in("lockf", partial(_lock, LOCKF), ACTIVE, fcntl)
    stand_in("fcntl", _fcntl, ACTIVE, fcntl)


def held() -> list[Any]:
    """What this process has locked, as touches."""
    return [each for key in sorted(HELD) for each in _touches(*key)]


def close(files: Any, fd: int) -> None:
    """A descriptor is about to be closed: a step if that may free a lock. Any of a file frees what lockf has locked."""
    keys = [key for key in _keys(files, fd) if key in HELD and (fd in HELD[key] or key[0].startswith("lockf"))]
    if keys:
        touches = [each for key in keys for each in _touches(*key)]
        files.trace.step("unlock", files.opened[fd].path, touches, lambda: [_freed(key, fd) for key in keys])


def _keys(files: Any, fd: int) -> list[tuple[str, str]]:
    """The locks that a file has: two of its names are one file, and what comes under its name later is another."""
    with files.trace.quietly():
        number = os.fstat(fd).st_ino
    return [(f"{kind} {number}", files.opened[fd].path) for kind in ("flock", "lockf")]


def _touches(lock: str, path: str) -> list[Any]:
    return [[["lock", path], True], [["held", lock], True]]


def _lock(real: Callable[..., None], files: Any, fd: Any, operation: int, *rest: Any) -> None:
    number = fd if isinstance(fd, int) else fd.fileno()
    if number not in files.opened:
        real(number, operation, *rest)
        return
    if any(rest):
        files.trace.refuse("lock a part of a file in a race", "lock the whole of it, or another file")
    path, key = files.opened[number].path, _keys(files, number)[real is LOCKF]
    touches = _touches(*key)
    if operation & fcntl.LOCK_UN:
        freed = partial(_unlock, key, number, partial(real, number, operation, *rest))
        files.trace.step("unlock", path, touches, freed)
    else:
        attempt = partial(real, number, operation | fcntl.LOCK_NB, *rest)
        waits = not operation & fcntl.LOCK_NB or filelocks.waits()
        op = "share" if operation & fcntl.LOCK_SH else "lock" if waits else "try lock"
        files.trace.step(op, path, touches, partial(_take, files.trace, key, number, attempt, waits=waits))


def _take(trace: Any, key: tuple[str, str], fd: int, attempt: Callable[[], None], *, waits: bool) -> None:
    while True:
        try:
            attempt()
        except OSError as error:
            gave = key[0].startswith("flock") and fd in HELD.get(key, ())
            if gave:  # Linux lets a lock go before it takes another kind of it
                _freed(key, fd)
            if error.errno not in {errno.EAGAIN, errno.EACCES} or not waits:
                trace.saw("(another has it)")
                raise
            trace.blocked(["held", key[0]], gave=gave)
        else:
            HELD.setdefault(key, set()).add(fd)
            return


def _unlock(key: tuple[str, str], fd: int, real: Callable[[], None]) -> None:
    real()
    _freed(key, fd)


def _freed(key: tuple[str, str], fd: int) -> None:
    HELD.get(key, set()).discard(fd)
    if key[0].startswith("lockf") or not HELD.get(key):
        HELD.pop(key, None)


def _fcntl(files: Any, fd: Any, command: int, *args: Any) -> Any:
    if command in BY_FCNTL:
        files.trace.refuse("lock by fcntl.fcntl in a race", "use fcntl.flock or fcntl.lockf")
    return FCNTL(fd, command, *args)
