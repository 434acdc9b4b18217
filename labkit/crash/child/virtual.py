"""Time, chance and numbers of a child: the same at every run, so that a verdict is, too.

Time is the world's and survives the child. Chance comes from a seed, and recovery gets another one than the run:
a process that starts again draws other numbers. What hangs on os.urandom (secrets, uuid4, temporary names) follows.
"""

import builtins
import os
import random
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Protocol

from labkit.clock import FakeClock
from labkit.crash.child import asyncio_time, locks, waits
from labkit.crash.child.patch import replace, stand_in, standing_in
from labkit.crash.child.remote_world import OnTime
from labkit.crash.child.trace import Trace
from labkit.crash.under_test import is_under_test


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

NODE = 0x02_42_AC_11_00_02
"""The address of the network card."""
BOOT = 1000.0
"""What time.monotonic shows when the world begins."""
ADDRESSES, THREADS = 1 << 34, 1000
"""How far the first ids of two processes lie apart, and those of a process and its threads."""
SEED, ID, NATIVE_ID = random.Random.seed, id, threading.get_native_id
IDENT, PTHREAD_KILL = threading.get_ident, getattr(signal, "pthread_kill", None)


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
        wall = time.time

        @wraps(wall)  # so it travels by name
        def wall_clock() -> float:
            waiting.read()
            return wall()

        replace("time", wall_clock, time)  # time_machine has just patched the real one, and would not a stand-in

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


class Numbers:
    """What tells an object and a thread from others: in the order of asking, and others in the next life."""

    def __init__(self, pid: int) -> None:
        self._pid, self._ids, self._threads = pid, {}, {NATIVE_ID(): pid}
        self._idents: dict[int, int] = {}
        self._kept: list[Any] = []

    def id(self, thing: Any, /) -> int:
        """For `id`, asked by code under test: libraries ask for objects that come and go, and keep no number."""
        if not is_under_test(sys._getframe(2)):  # noqa: SLF001 - public in all but name
            return ID(thing)
        if ID(thing) not in self._ids and isinstance(thing, str | bytes | int | float):
            self._kept.append(thing)  # or another may lie there next, or not, as other memory is used
        return self._ids.setdefault(ID(thing), ADDRESSES * self._pid + 16 * len(self._ids))

    def get_native_id(self) -> int:
        """The first thread's is the process id, as Linux has it."""
        return self._threads.setdefault(NATIVE_ID(), self._pid + THREADS + len(self._threads))

    def get_ident(self) -> int:
        """For code under test, as `id`: forks of one process would all have the same, and real lives have not."""
        return self._ident(IDENT()) if is_under_test(sys._getframe(2)) else IDENT()  # noqa: SLF001 - as above

    def ident(self, thread: threading.Thread) -> int | None:
        """The same of any thread; None before it has begun."""
        real = thread._ident  # noqa: SLF001 - what the property reads
        return self._ident(real) if real and is_under_test(sys._getframe(2)) else real  # noqa: SLF001 - as above

    def pthread_kill(self, ident: int, number: int, /) -> None:
        """To one of the threads that have been asked for their number."""
        PTHREAD_KILL(next((real for real, told in self._idents.items() if told == ident), ident), number)

    def _ident(self, real: int) -> int:
        return self._idents.setdefault(real, ADDRESSES * self._pid + (len(self._idents) << 20))


CLOCK: list[Clock] = []
NUMBERS: list[Numbers] = []
CHANCE: list[random.Random] = []
"""Those of this process, once it is a child."""


def _seed(source: random.Random, self: random.Random, a: Any = None, version: int = 2) -> None:
    SEED(self, source.random() if a is None else a, version)


def install() -> None:
    """Stand-ins for what tells the time and draws lots."""
    for name in ("monotonic", "perf_counter"):
        stand_in(name, Clock.monotonic, CLOCK, time)
        stand_in(f"{name}_ns", Clock.monotonic_ns, CLOCK, time)
    stand_in("seed", _seed, CHANCE, random.Random)
    replace("seed", random._inst.seed, random)  # noqa: SLF001 - the module's functions are this object's methods
    stand_in("urandom", random.Random.randbytes, CHANCE, os, __import__(os.name))
    stand_in("id", Numbers.id, NUMBERS, builtins)
    stand_in("get_native_id", Numbers.get_native_id, NUMBERS, threading)
    stand_in("get_ident", Numbers.get_ident, NUMBERS, threading)
    threading.Thread.ident = property(standing_in(threading.Thread.ident.fget, Numbers.ident, NUMBERS))
    stand_in("pthread_kill", Numbers.pthread_kill, NUMBERS, signal)
    # uuid1 by Python's own code, from the virtual time: libuuid has the machine's.
    uuid._generate_time_safe = uuid._UuidCreate = None  # noqa: SLF001
    uuid._node = NODE  # noqa: SLF001 - what getnode returns
    waits.install()
    locks.install()
    asyncio_time.install()


def activate(world: Timed, elapsed: float, pid: int, trace: Trace, waits_as: type[waits.Waits] = waits.Waits) -> None:
    """Make this process live in a world: its time, its chance, its numbers."""
    waiting = waits_as(trace, world.sleep)
    CLOCK.append(Clock(world, elapsed, waiting))
    waits.ACTIVE.append(waiting)
    waits.ALARMED.extend([] if trace.lenient else [waiting])
    NUMBERS.append(Numbers(pid))
    threading.main_thread()._set_native_id()  # noqa: SLF001 - it has asked before, and keeps it
    CHANCE.append(random.Random(pid))
    random.seed(pid)  # draws nothing from the source: names that notebooks show hang on it
    if numpy_random := sys.modules.get("numpy.random"):  # it drew its seed when it was imported
        numpy_random.seed(pid)
