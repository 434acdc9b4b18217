"""Waiting in a child: every wait that only time can end moves the world's clock, and one that nothing ends is told.

Nobody else runs in a child's world. So whoever has slept PATIENCE times and changed nothing in between waits for ever.
"""

import operator
import select
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from labkit.crash.child.patch import stand_in
from labkit.crash.child.trace import Trace

PATIENCE = 4_000
"""Sleeps: more than an hour of them, a second each."""
READS = 10_000
"""Looks at the clock, after which it must be a busy wait: from then on each look takes TICK of the world's time."""
TICK = 0.1
MOMENT = 1.0
"""Real seconds that are left to other threads."""
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
        """With nothing to wait for, it is a sleep."""
        if timeout is None or [*read, *write, *errors]:
            return SELECT(read, write, errors, timeout)
        _sleep(self, timeout)
        return [], [], []

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
            self.sleep(max(0.0, timeout))
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


def install() -> None:
    """Stand-ins for what waits in Python's standard library."""
    stand_in("sleep", _sleep, ACTIVE, time)
    stand_in("select", Waits.select, ACTIVE, select)
    stand_in("wait", Waits.condition, ACTIVE, threading.Condition)
    for name in ("alarm", "setitimer"):
        stand_in(name, Waits.alarm, ALARMED, signal)
