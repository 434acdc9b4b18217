"""File locks in a race: flock and lockf. Who does not get one at once is told as blocked, and tries again when let.

Elsewhere a child is alone, and gets every lock.
"""

import errno
import fcntl
from collections.abc import Callable
from functools import partial
from typing import Any

from labkit.crash.child import filelocks
from labkit.crash.child.patch import stand_in

ACTIVE: list[Any] = []
"""The SharedFiles of this process, if it is a worker of a race."""
FLOCK, LOCKF, FCNTL = fcntl.flock, fcntl.lockf, fcntl.fcntl
HELD: dict[str, set[int]] = {}
"""By path: the descriptors by which this process has a lock on it."""
BY_FCNTL = {getattr(fcntl, name, -1) for name in ("F_SETLK", "F_SETLKW", "F_OFD_SETLK", "F_OFD_SETLKW")}


def install() -> None:
    """Stand-ins, which sleep everywhere but in a worker of a race."""
    stand_in("flock", partial(_lock, FLOCK), ACTIVE, fcntl)
    stand_in("lockf", partial(_lock, LOCKF), ACTIVE, fcntl)
    stand_in("fcntl", _fcntl, ACTIVE, fcntl)


def held() -> list[Any]:
    """What this process has locked, as touches."""
    return [[["lock", path], True] for path in sorted(HELD)]


def close(files: Any, fd: int) -> None:
    """A descriptor is about to be closed: a step if that may free a lock."""
    path = files.opened[fd].path
    if path in HELD:
        files.trace.step("unlock", path, [[["lock", path], True]], partial(_freed, path, fd))


def _lock(real: Callable[..., None], files: Any, fd: Any, operation: int, *rest: Any) -> None:
    number = fd if isinstance(fd, int) else fd.fileno()
    if number not in files.opened:
        real(number, operation, *rest)
        return
    path = files.opened[number].path
    touches = [[["lock", path], True]]
    if operation & fcntl.LOCK_UN:
        files.trace.step(
            "unlock", path, touches, partial(_unlock, path, number, partial(real, number, operation, *rest))
        )
    else:
        attempt = partial(real, number, operation | fcntl.LOCK_NB, *rest)
        waits = not operation & fcntl.LOCK_NB or filelocks.waits()
        op = "share" if operation & fcntl.LOCK_SH else "lock" if waits else "try lock"
        files.trace.step(op, path, touches, partial(_take, files.trace, path, number, attempt, waits=waits))


def _take(trace: Any, path: str, fd: int, attempt: Callable[[], None], *, waits: bool) -> None:
    while True:
        try:
            attempt()
        except OSError as error:
            if error.errno not in {errno.EAGAIN, errno.EACCES} or not waits:
                trace.saw("(another has it)")
                raise
            trace.blocked(["lock", path])
        else:
            HELD.setdefault(path, set()).add(fd)
            return


def _unlock(path: str, fd: int, real: Callable[[], None]) -> None:
    real()
    _freed(path, fd)


def _freed(path: str, fd: int) -> None:
    HELD.get(path, set()).discard(fd)
    if not HELD.get(path):
        HELD.pop(path, None)


def _fcntl(files: Any, fd: Any, command: int, *args: Any) -> Any:
    if command in BY_FCNTL:
        files.trace.refuse("lock by fcntl.fcntl in a race", "use fcntl.flock or fcntl.lockf")
    return FCNTL(fd, command, *args)
