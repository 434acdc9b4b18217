"""Waiting in a child: every wait that only time can end moves the world's clock, and one that nothing ends is told.

Nobody else runs in a child's world. So whoever has slept PATIENCE times and changed nothing in between waits for ever.
"""

import math
import operator
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from labkit.crash.child.patch import Real, replace, stand_in
from labkit.crash.child.trace import Trace
from labkit.crash.under_test import is_under_test

PATIENCE = 4_000
"""Sleeps: more than an hour of them, a second each."""
READS = 10_000
"""Looks at the clock, after which it must be a busy wait: from then on each look takes TICK of the world's time."""
TICK = 0.1
MOMENT = 1.0
"""Real seconds that are left to other threads."""
LEAST, OFTEN = 1e-6, 100
"""Virtual seconds of a wait for nothing, after so many: who asks until a time is over would else ask at it for ever."""
SIGTIMEDWAIT = getattr(signal, "sigtimedwait", None)
SLEEP, SELECT, WAIT = time.sleep, select.select, threading.Condition.wait


class Waits:
    """Counts how long a child has waited for nothing."""

    def __init__(self, trace: Trace, sleep: Callable[[float], None]) -> None:
        self.trace, self._sleep = trace, sleep

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        self.trace.reads = 0
        self._wait(seconds)

    def read(self) -> None:
        """Somebody looks at the clock."""
        self.trace.reads += 1
        if self.trace.reads > READS:
            self._wait(TICK)

    def _wait(self, seconds: float) -> None:
        self.trace.sleeps += 1
        if self.trace.sleeps > PATIENCE:
            self.trace.wait_for_ever()
        self._sleep(seconds)

    def select(self, read: Any, write: Any, errors: Any, timeout: float | None = None) -> Any:
        """With nothing to wait for, it is a sleep. What code under test waits for has a MOMENT to come."""
        waited_for = [*read, *write, *errors]
        if timeout is None or (waited_for and not is_under_test(sys._getframe(2))):  # noqa: SLF001 - as in virtual
            return SELECT(read, write, errors, timeout)
        ready = SELECT(read, write, errors, min(timeout, MOMENT)) if waited_for else ([], [], [])
        if not any(ready):
            _sleep(self, timeout)
        return ready

    def poll(self, *_: Any) -> Any:
        """Refused to code under test."""
        self.trace.refuse(
            "wait by select.poll or select.epoll", "use selectors or select.select: they follow its clock"
        )

    def signal(self, signals: Any, timeout: float = math.inf) -> Any:
        """What it has sent itself is there at once; nobody else sends it anything."""
        come = SIGTIMEDWAIT(signals, 0)
        if come is None and timeout == math.inf:
            self.trace.wait_for_ever()
        if come is None:
            _sleep(self, timeout)
        return come

    def alarm(self, *_: Any) -> None:
        """Refused."""
        self.trace.refuse("set an alarm", "an alarm follows real time, and the crash lab's is virtual")

    def condition(self, condition: threading.Condition, timeout: float | None = None) -> bool:
        """What Event, Queue, Semaphore, Barrier and Future wait by."""
        alone = threading.active_count() == 1 and condition._is_owned()  # noqa: SLF001 - as the real one asks
        if alone and timeout is None:
            self.trace.wait_for_ever()
        done = False if alone else WAIT(condition, timeout if timeout is None else min(timeout, MOMENT))
        if not done and timeout is not None:
            self.sleep(max(LEAST if self.trace.sleeps > OFTEN else 0.0, timeout))
        return done


ACTIVE: list[Waits] = []
"""Those of this process, once it is a child."""
ALARMED: list[Waits] = []
"""The same, unless it is a trial, which may set alarms."""


def _sleep(waits: Waits, seconds: Any, /) -> None:
    value = seconds if isinstance(seconds, float) else operator.index(seconds)
    if not 0 <= value <= threading.TIMEOUT_MAX:
        SLEEP(seconds)  # raises what it raises
    waits.sleep(float(value))


def _for_libraries(real: Real) -> Real:
    @wraps(real)
    def made(*args: Any, **kwargs: Any) -> Any:
        if ALARMED and is_under_test(sys._getframe(1)):  # noqa: SLF001 - as in virtual
            ALARMED[0].poll()
        return real(*args, **kwargs)

    return made


def install() -> None:
    """Stand-ins for what waits in Python's standard library."""
    stand_in("sleep", _sleep, ACTIVE, time)
    stand_in("select", Waits.select, ACTIVE, select)
    stand_in("wait", Waits.condition, ACTIVE, threading.Condition)
    for name in ("poll", "epoll"):
        if real := getattr(select, name, None):
            replace(name, _for_libraries(real), select)
    stand_in("pause", lambda waits: waits.trace.wait_for_ever(), ACTIVE, signal)
    stand_in("sigwait", lambda waits, signals: waits.signal(signals).si_signo, ACTIVE, signal)
    stand_in("sigwaitinfo", Waits.signal, ACTIVE, signal)
    stand_in("sigtimedwait", Waits.signal, ACTIVE, signal)
    for name in ("alarm", "setitimer"):
        stand_in(name, Waits.alarm, ALARMED, signal)
