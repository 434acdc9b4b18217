"""Time, chance and numbers of a child: the same at every run, so that a verdict is, too.

Time is that of `clocks`. Chance comes from a seed, and recovery gets another one than the run:
a process that starts again draws other numbers. What hangs on os.urandom (secrets, uuid4, temporary names) follows.
"""

import builtins
import os
import random
import signal
import sys
import threading
import uuid
from typing import Any

from labkit.crash.child import asyncio_time, clocks, locks, waits
from labkit.crash.child.patch import replace, stand_in, standing_in
from labkit.crash.child.trace import Trace
from labkit.crash.under_test import is_under_test

NODE = 0x02_42_AC_11_00_02
"""The address of the network card."""
ADDRESSES, THREADS = 1 << 34, 1000
"""How far the first ids of two processes lie apart, and those of a process and its threads."""
SEED, ID, NATIVE_ID = random.Random.seed, id, threading.get_native_id
IDENT, PTHREAD_KILL = threading.get_ident, getattr(signal, "pthread_kill", None)


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


NUMBERS: list[Numbers] = []
CHANCE: list[random.Random] = []
"""Those of this process, once it is a child."""


def _seed(source: random.Random, self: random.Random, a: Any = None, version: int = 2) -> None:
    SEED(self, source.random() if a is None else a, version)


def install() -> None:
    """Stand-ins for what tells the time and draws lots."""
    clocks.install()
    stand_in("seed", _seed, CHANCE, random.Random)
    replace("seed", random._inst.seed, random)  # noqa: SLF001 - the module's functions are this object's methods
    stand_in("urandom", random.Random.randbytes, CHANCE, os, __import__(os.name))
    stand_in("getrandom", lambda source, size, flags=0: source.randbytes(size), CHANCE, os, __import__(os.name))
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


def activate(
    world: clocks.Timed, elapsed: float, pid: int, trace: Trace, waits_as: type[waits.Waits] = waits.Waits
) -> None:
    """Make this process live in a world: its time, its chance, its numbers."""
    waiting = waits_as(trace, world.sleep)
    clocks.ACTIVE.append(clocks.Clock(world, elapsed, waiting))
    waits.ACTIVE.append(waiting)
    waits.ALARMED.extend([] if trace.lenient else [waiting])
    NUMBERS.append(Numbers(pid))
    threading.main_thread()._set_native_id()  # noqa: SLF001 - it has asked before, and keeps it
    CHANCE.append(random.Random(pid))
    random.seed(pid)  # draws nothing from the source: names that notebooks show hang on it
    if numpy_random := sys.modules.get("numpy.random"):  # it drew its seed when it was imported
        numpy_random.seed(pid)
