"""The clocks of a child: all of them show the world's time, and none the machine's.

It is the world's and survives the child. time_machine moves what the time is called; what only counts moves with it.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from labkit.clock import FakeClock
from labkit.crash.child import waits
from labkit.crash.child.patch import replace, stand_in
from labkit.crash.child.remote_world import OnTime


@contextmanager
def _without(*modules: str) -> Iterator[None]:
    """What is imported here finds none of these modules, unless they are loaded already."""
    hidden = dict.fromkeys(name for name in modules if name not in sys.modules)
    sys.modules.update(hidden)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with _without("pytest", "dateutil"):  # time_machine loads them, and each fork would copy twice as many pages
    import time_machine

CTIME, ASCTIME = time.ctime, time.asctime
BOOT = 1000.0
"""What time.monotonic shows when the world begins."""
WORK = {getattr(time, f"CLOCK_{name}_CPUTIME_ID", None) for name in ("PROCESS", "THREAD")}
SINCE_BOOT = {getattr(time, f"CLOCK_{name}", None) for name in ("MONOTONIC", "MONOTONIC_RAW", "BOOTTIME", "UPTIME_RAW")}


class Timed(Protocol):
    """A world, as far as time goes."""

    on_time: OnTime

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""


class Clock:
    """The world's time, as this process reads it. It starts anew, as a machine's does, only with the world."""

    def __init__(self, world: Timed, elapsed: float, waiting: waits.Waits) -> None:
        self._start, self._elapsed, self._waiting = FakeClock().now().timestamp(), elapsed, waiting
        self._traveller = time_machine.travel(self._start + elapsed, tick=False).start()
        world.on_time = self._move
        self._traveller.time_ns = self._wall_ns  # all that tells what the time is called asks for it
        self._began, self._gettime, self._gettime_ns = elapsed, time.clock_gettime, time.clock_gettime_ns
        for name, told in (("clock_gettime", self.gettime), ("clock_gettime_ns", self.gettime_ns)):
            replace(name, told, time)

    def _wall_ns(self) -> int:
        self._waiting.read()
        return round((self._start + self._elapsed) * 1_000_000) * 1000

    def _move(self, now: float) -> None:
        self._elapsed = now
        self._traveller.move_to(self._start + now)

    def monotonic(self) -> float:
        """Seconds since the machine began."""
        self._waiting.read()
        return BOOT + self._elapsed

    def monotonic_ns(self) -> int:
        """The same in nanoseconds."""
        return int(self.monotonic() * 1e9)

    def worked(self) -> float:
        """Of the processor: as if this process were always at work."""
        return self.monotonic() - BOOT - self._began

    def worked_ns(self) -> int:
        """The same in nanoseconds."""
        return int(self.worked() * 1e9)

    def gettime(self, clock: int) -> float:
        """Of any of the system's clocks."""
        if clock in WORK:
            return self.worked()
        return self.monotonic() if clock in SINCE_BOOT else self._gettime(clock)

    def gettime_ns(self, clock: int) -> int:
        """The same in nanoseconds."""
        return int(self.gettime(clock) * 1e9) if clock in WORK | SINCE_BOOT else self._gettime_ns(clock)

    def ctime(self, seconds: float | None = None) -> str:
        """What time.ctime tells, which time_machine leaves alone."""
        return CTIME(time.time() if seconds is None else seconds)

    def asctime(self, moment: Any = None) -> str:
        """The same of time.asctime."""
        return ASCTIME(time.localtime() if moment is None else moment)

    def times(self) -> os.times_result:
        """What os.times tells."""
        return os.times_result((self.worked(), 0.0, 0.0, 0.0, self.monotonic()))


ACTIVE: list[Clock] = []
"""That of this process, once it is a child."""


def install() -> None:
    """Stand-ins for what tells the time; those that time_machine patches, a Clock replaces itself."""
    for name in ("monotonic", "perf_counter"):
        stand_in(name, Clock.monotonic, ACTIVE, time)
        stand_in(f"{name}_ns", Clock.monotonic_ns, ACTIVE, time)
    for name in ("process_time", "thread_time"):
        stand_in(name, Clock.worked, ACTIVE, time)
        stand_in(f"{name}_ns", Clock.worked_ns, ACTIVE, time)
    for name in ("ctime", "asctime"):
        stand_in(name, getattr(Clock, name), ACTIVE, time)
    stand_in("times", Clock.times, ACTIVE, os)
