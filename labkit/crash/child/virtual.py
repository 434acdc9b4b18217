"""Time, chance and process id of a child: the same at every run, so that a verdict is, too.

Time is the world's and survives the child. Chance comes from a seed, and recovery gets another one than the run:
a process that starts again draws other numbers. What hangs on os.urandom (secrets, uuid4, temporary names) follows.
"""

import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from labkit.clock import FakeClock
from labkit.crash.child import asyncio_time
from labkit.crash.child.patch import replace
from labkit.crash.child.remote_world import RemoteWorld


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

BOOT = 1000.0
"""What time.monotonic shows when the world begins."""


def install(channel: Connection, elapsed: float, seed: int, pid: int) -> RemoteWorld:
    """Make this process live in the world at the other end of `channel`: its time, its chance, its process id."""
    world = RemoteWorld(channel)
    _install_time(world, elapsed)
    _install_chance(seed)
    _install_pid(pid)
    return world


def _install_time(world: RemoteWorld, elapsed: float) -> None:
    start = FakeClock().now().timestamp()
    traveller = time_machine.travel(start + elapsed, tick=False).start()

    def move(now: float) -> None:
        nonlocal elapsed
        elapsed = now
        traveller.move_to(start + now)

    world.on_time = move
    replace("sleep", world.sleep, time)
    asyncio_time.install(world.sleep)
    for name in ("monotonic", "perf_counter"):
        replace(name, lambda: BOOT + elapsed, time)
        replace(f"{name}_ns", lambda: int((BOOT + elapsed) * 1e9), time)


def _install_chance(seed: int) -> None:
    source = random.Random(seed)
    real_seed = random.Random.seed

    def seeded(self: random.Random, a: Any = None, version: int = 2) -> None:
        real_seed(self, source.random() if a is None else a, version)

    replace("seed", seeded, random.Random)
    replace("urandom", source.randbytes, os, __import__(os.name))
    replace("_urandom", source.randbytes, random)
    random.seed()


def _refuse_fork() -> int:
    raise RuntimeError("the crash lab explores one process: it cannot follow os.fork")


def _install_pid(number: int) -> None:
    replace("fork", _refuse_fork, os, __import__(os.name))
    real, real_kill = os.getpid(), os.kill
    replace("getpid", lambda: number, os, __import__(os.name))
    replace("kill", lambda pid, sig: real_kill(real if pid == number else pid, sig), os, __import__(os.name))
