"""How long a case may take: the judge's own time on the clock, and what one process of an answer may work."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from labkit.crash.client import CLIENT

PATIENCE = 4.0
"""Seconds of processor time that one process of an answer may take; where it waits for a database, the lab's own."""


@contextmanager
def impatient() -> Iterator[None]:
    """Answers are small: one that works for long is endless. Only a database may keep a right one waiting."""
    before = CLIENT.seconds
    CLIENT.seconds = min(before, PATIENCE)
    try:
        yield
    finally:
        CLIENT.seconds = before


def within(seconds: float | None, do: Callable[..., None], *arguments: Any) -> None:
    """Call it. AssertionError if it takes more than these seconds; then this must be the main thread of a process."""
    if seconds is None:
        return do(*arguments)

    def give_up(*_: Any) -> NoReturn:
        raise AssertionError(f"the answer had not ended after {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return do(*arguments)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
