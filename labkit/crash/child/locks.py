"""Locks and queues of C, and threads that are joined: code under test gets such as wait by the world's clock.

Libraries keep their own: what they wait for is theirs, and they are waited for in real time. Another thread has a
MOMENT of that to let a lock go; after it, a wait with a limit takes the world's time, as every other wait does.
"""

import queue
import sys
import threading
from typing import Any

from labkit.crash.child.patch import replace, stand_in
from labkit.crash.child.waits import ACTIVE, MOMENT, Waits
from labkit.crash.under_test import is_under_test

REAL_LOCK, REAL_RLOCK, RealQueue, JOIN = threading.Lock, threading.RLock, queue.SimpleQueue, threading.Thread.join
FOREVER = -1


def _asked_by_code_under_test() -> bool:
    return bool(ACTIVE) and is_under_test(sys._getframe(2))  # noqa: SLF001 - public in all but name


def _is_limit(timeout: Any) -> bool:
    return isinstance(timeout, int | float) and 0 <= timeout <= threading.TIMEOUT_MAX


def _acquire(real: Any, blocking: bool, timeout: float) -> bool:  # noqa: FBT001 - as acquire has it
    """Take a lock: at once, when another thread lets it go, or not before virtual `timeout` seconds are over."""
    if not blocking or not (timeout == FOREVER or _is_limit(timeout)):
        return real(blocking, timeout)  # which may raise
    if real(False):  # noqa: FBT003
        return True
    alone = threading.active_count() == 1
    if timeout == FOREVER:
        return ACTIVE[0].trace.wait_for_ever() if alone else real()
    done = not alone and real(True, min(timeout, MOMENT))  # noqa: FBT003
    if not done:
        ACTIVE[0].sleep(timeout)
    return done


class _LockKind(type):
    def __instancecheck__(cls, thing: Any) -> bool:
        return type(thing) in {cls, type(REAL_LOCK())}


class Lock(metaclass=_LockKind):
    """A lock that code under test has made; for anybody else, the real one is."""

    def __new__(cls) -> Any:
        """Whose it is hangs on the caller."""
        return super().__new__(cls) if _asked_by_code_under_test() else REAL_LOCK()

    def __init__(self) -> None:
        self._real = REAL_LOCK()
        self.release, self.locked = self._real.release, self._real.locked

    def acquire(self, blocking: bool = True, timeout: float = FOREVER) -> bool:  # noqa: FBT001, FBT002
        """As the real one, by the world's clock."""
        return _acquire(self._real.acquire, blocking, timeout)

    __enter__ = acquire

    def __exit__(self, *_: object) -> None:
        """Let it go."""
        self.release()


class _RLock(type(REAL_RLOCK())):
    def acquire(self, blocking: bool = True, timeout: float = FOREVER) -> bool:  # noqa: FBT001, FBT002
        return _acquire(super().acquire, blocking, timeout)

    __enter__ = acquire


def _rlock() -> Any:
    return _RLock() if _asked_by_code_under_test() else REAL_RLOCK()


class SimpleQueue(RealQueue):
    """A queue of which code under test takes by the world's clock."""

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002
        """As the real one."""
        if not block or not ACTIVE or not self.empty() or not (timeout is None or _is_limit(timeout)):
            return super().get(block, timeout)
        alone = threading.active_count() == 1
        if timeout is None:
            return ACTIVE[0].trace.wait_for_ever() if alone else super().get()
        try:
            return super().get(not alone, min(timeout, MOMENT))
        except queue.Empty:
            ACTIVE[0].sleep(timeout)
            raise


def _join(waits: Waits, thread: threading.Thread, timeout: float | None = None) -> None:
    if timeout is None:
        JOIN(thread)
        return
    JOIN(thread, min(timeout, MOMENT))
    if thread.is_alive():
        waits.sleep(max(0.0, timeout))


def install() -> None:
    """Put them in the place of Python's."""
    replace("Lock", Lock, threading)
    replace("RLock", _rlock, threading)
    replace("SimpleQueue", SimpleQueue, queue)
    stand_in("join", _join, ACTIVE, threading.Thread)
