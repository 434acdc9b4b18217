"""SIGTERM, as a question that the worker answers between two steps."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Stop:
    """Whether this process was told to stop."""

    told: bool = False


@contextmanager
def on_sigterm() -> Iterator[Stop]:
    """SIGTERM no longer ends the process, but is told: look between two steps, `drain`, and leave. Main thread only."""
    stop = Stop()
    before = signal.signal(signal.SIGTERM, lambda *_: setattr(stop, "told", True))
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)
