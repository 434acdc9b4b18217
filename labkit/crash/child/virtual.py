"""Time and chance of a child: the same at every run, so that a verdict is, too.

Time is the world's and survives the child. Chance comes from a seed, and recovery gets another one than the run:
a process that starts again draws other numbers. What hangs on os.urandom (secrets, uuid4, temporary names) follows.
"""

import os
import random
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from labkit.clock import FakeClock
from labkit.crash.child import asyncio_time, waits
from labkit.crash.child.patch import replace, stand_in
from labkit.crash.child.remote_world import RemoteWorld
from labkit.crash.child.trace import Trace


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
SEED = random.Random.seed


class Clock:
    """The world's time, as this process reads it. It starts anew, as a machine's does, only with the world."""

    def __init__(self, world: RemoteWorld, elapsed: float, waiting: waits.Waits) -> None:
        self._start, self._elapsed, self._waiting = FakeClock().now().timestamp(), elapsed, waiting
        self._traveller = time_machine.travel(self._start + elapsed, tick=False).start()
        world.on_time = self._move
        wall = time.time

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


CLOCK: list[Clock] = []
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
    # uuid1 by Python's own code, from the virtual time: libuuid has the machine's.
    uuid._generate_time_safe = uuid._UuidCreate = None  # noqa: SLF001
    uuid._node = NODE  # noqa: SLF001 - what getnode returns
    waits.install()
    asyncio_time.install()


def activate(channel: Connection, elapsed: float, seed: int, trace: Trace) -> RemoteWorld:
    """Make this process live in the world at the other end of `channel`: its time, its chance."""
    world = RemoteWorld(channel)
    waiting = waits.Waits(trace, world.sleep)
    CLOCK.append(Clock(world, elapsed, waiting))
    waits.ACTIVE.append(waiting)
    waits.ALARMED.extend([] if trace.lenient else [waiting])
    CHANCE.append(random.Random(seed))
    random.seed(seed)  # draws nothing from the source: names that notebooks show hang on it
    return world
