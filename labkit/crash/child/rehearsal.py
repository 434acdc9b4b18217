"""A child that imports installed modules, to see whether the zygote may: all its forks would have what an import did.

It looks at what is left of an import beside the module itself: files, threads, descriptors, variables of the
environment, numbers that were drawn, the time that was asked for, functions that were replaced.
"""

import importlib
import os
import random
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from labkit.crash.channel import tell
from labkit.crash.child import hosted, pids, virtual
from labkit.crash.child.trace import NotLetError, Trace
from labkit.crash.news import News
from labkit.crash.preload import is_installed
from labkit.isolation.confine import Confinement

KEPT = ("os", "builtins", "io", "time", "threading", "socket", "signal", "random", "importlib", "asyncio")
"""Modules that others may have patched."""


def main(channel: Connection, modules: Sequence[str], folder: Path, confinement: Confinement | None) -> None:
    """Tell whether to import these modules, in this order, is harmless."""
    trace = _Witness(channel)
    hosted.settle(trace, hosted.PID, folder, confinement)
    known, before = {*sys.modules}, _state(trace)
    try:
        for module in modules:
            importlib.import_module(module)
        harmless = _state(trace) == before and not any(_strange(sys.modules[name]) for name in {*sys.modules} - known)
    except BaseException:  # noqa: BLE001 - it may even leave
        harmless = False
    tell(channel, harmless)


def _strange(module: Any) -> bool:
    """Whether its file is none of Python's or a package's. Some have none: they are built in, or made in memory."""
    return bool(getattr(module, "__file__", None)) and not is_installed(module)


def _state(trace: "_Witness") -> tuple[Any, ...]:
    sys.stdout.flush()
    return (
        (trace.acted, trace.reads, trace.sleeps, pids.ACTIVE[0].told),
        (virtual.CHANCE[0].getstate(), random.getstate()),
        (threading.active_count(), _entries("/proc/self/task"), _entries("/proc/self/fd"), os.fstat(1).st_size),
        {number: signal.getsignal(number) for number in signal.valid_signals()},
        (dict(os.environ), os.getcwd(), [*sys.path]),
        {name: _functions(sys.modules[name]) for name in KEPT if name in sys.modules},
    )


def _entries(folder: str) -> int:
    """How many threads, or descriptors; numbers alone, as to look at them opens one more."""
    with suppress(OSError):
        return len(os.listdir(folder))
    return 0


def _functions(module: Any) -> dict[str, int]:
    return {name: virtual.ID(value) for name, value in vars(module).items() if callable(value)}


class _Witness(Trace):
    """Knows whether anything was done that others could notice, and tells nobody."""

    acted = False

    def note(self, news: News) -> None:
        """Nobody is told."""

    def begin(self, op: str, target: str) -> None:  # noqa: ARG002 - whichever it is
        """An effect is no harm in a child, and would be one in the zygote."""
        self.acted = True

    def refuse(self, what: str, todo: str) -> NoReturn:
        """As in any child."""
        self.acted = True
        raise NotLetError(f"the crash lab does not let a program {what}: {todo}")

    def wait_for_ever(self, *_: Any) -> NoReturn:
        """Whoever waits for nobody at an import would do so in the zygote."""
        raise NotLetError("it waits for what nothing will end")
