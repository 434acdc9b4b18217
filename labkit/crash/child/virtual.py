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
from labkit.crash.child.patch import replace
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


def install(channel: Connection, elapsed: float, seed: int, trace: Trace) -> RemoteWorld:
    """Make this process live in the world at the other end of `channel`: its time, its chance."""
    world = RemoteWorld(channel)
    _install_time(world, elapsed, trace)
    _install_chance(seed)
    return world


def _install_time(world: RemoteWorld, elapsed: float, trace: Trace) -> None:
    start = FakeClock().now().timestamp()
    traveller = time_machine.travel(start + elapsed, tick=False).start()

    def move(now: float) -> None:
        nonlocal elapsed
        elapsed = now
        traveller.move_to(start + now)

    world.on_time = move
    waiting = waits.Waits(trace, world.sleep)
    asyncio_time.install(waiting.sleep)
    wall = time.time

    def clock() -> float:
        waiting.read()
        return BOOT + elapsed

    def wall_clock() -> float:
        waiting.read()
        return wall()

    for name in ("monotonic", "perf_counter"):
        replace(name, clock, time)
        replace(f"{name}_ns", lambda: int(clock() * 1e9), time)
    replace("time", wall_clock, time)
    waits.install(waiting)


def _install_chance(seed: int) -> None:
    source = random.Random(seed)
    real_seed = random.Random.seed

    def seeded(self: random.Random, a: Any = None, version: int = 2) -> None:
        real_seed(self, source.random() if a is None else a, version)

    replace("seed", seeded, random.Random)
    replace("seed", random._inst.seed, random)  # noqa: SLF001 - the module's functions are this object's methods
    replace("urandom", source.randbytes, os, __import__(os.name))
    replace("_urandom", source.randbytes, random)
    random.seed(seed)  # draws nothing from the source: names that notebooks show hang on it
    # uuid1 by Python's own code, from the virtual time: libuuid has the machine's.
    uuid._generate_time_safe = uuid._UuidCreate = None  # noqa: SLF001
    uuid._node = NODE  # noqa: SLF001 - what getnode returns
