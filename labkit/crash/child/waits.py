"""Waiting in a child: every wait that only time can end moves the world's clock, and one that nothing ends is told.

Nobody else runs in a child's world. So whoever has slept PATIENCE times and changed nothing in between waits for ever.
"""

import operator
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from labkit.crash.child.patch import replace
from labkit.crash.child.trace import Trace

PATIENCE = 4_000
"""Sleeps: more than an hour of them, a second each."""
READS = 10_000
"""Looks at the clock, after which it must be a busy wait: from then on each look takes TICK of the world's time."""
TICK = 0.1
MOMENT = 1.0
"""Real seconds that are left to other threads."""


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


def install(waits: Waits) -> None:
    """Replace what waits in Python's standard library."""
    real_sleep, real_select = time.sleep, select.select

    def sleep(seconds: Any, /) -> None:
        value = seconds if isinstance(seconds, float) else operator.index(seconds)
        if not 0 <= value <= threading.TIMEOUT_MAX:
            real_sleep(seconds)  # raises what it raises
        waits.sleep(float(value))

    def selected(read: Any, write: Any, errors: Any, timeout: float | None = None) -> Any:
        if timeout is None or [*read, *write, *errors]:
            return real_select(read, write, errors, timeout)
        sleep(timeout)
        return [], [], []

    def refuse(*_: Any) -> None:
        waits.trace.refuse("set an alarm", "an alarm follows real time, and the crash lab's is virtual")

    replace("sleep", sleep, time)
    replace("select", selected, select)
    for name in () if waits.trace.lenient else ("alarm", "setitimer"):
        replace(name, refuse, signal)
    _install_condition(waits)


def _install_condition(waits: Waits) -> None:
    """What Event, Queue, Semaphore, Barrier and Future wait by."""
    real = threading.Condition.wait

    def wait(self: threading.Condition, timeout: float | None = None) -> bool:
        alone = threading.active_count() == 1 and self._is_owned()
        if alone and timeout is None:
            waits.trace.wait_for_ever()
        done = False if alone else real(self, timeout if timeout is None else min(timeout, MOMENT))
        if not done and timeout is not None:
            waits.sleep(max(0.0, timeout))
        return done

    replace("wait", wait, threading.Condition)
    for name, module in (("_time", "threading"), ("time", "queue")):
        if module in sys.modules:  # they keep monotonic under a name of their own
            replace(name, time.monotonic, sys.modules[module])
