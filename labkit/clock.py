"""Time as a parameter: the code under test never reads the machine's clock by itself.

SystemClock is the machine's; FakeClock only moves when it is told to, so a test of ten minutes takes none.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""For times that do not matter, or that are long over."""


class Clock(Protocol):
    """What code may ask of time."""

    def now(self) -> datetime:
        """Wall time, aware, in UTC: the kind of time that can be stored and survives a restart."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back, means nothing in another process."""

    def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Wall time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since an arbitrary start."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block this thread for `seconds`."""
        time.sleep(seconds)


class FakeClock:
    """A clock that stands still until someone sleeps on it."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, 9, tzinfo=UTC)) -> None:
        self._start = self._now = start
        self._elapsed = 0.0

    def now(self) -> datetime:
        """`start` plus everything slept since."""
        return self._now

    def monotonic(self) -> float:
        """Seconds slept since `start`."""
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        """Advance by `seconds` at once; like time.sleep, ValueError if negative or NaN, OverflowError if endless."""
        if not seconds >= 0:  # NaN is not, either
            raise ValueError(f"cannot sleep {seconds} seconds: time does not go back")
        elapsed = self._elapsed + seconds
        self._now, self._elapsed = self._start + timedelta(seconds=elapsed), elapsed
