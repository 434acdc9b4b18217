"""Stopping in time: a deadline for the whole run, and what it leaves for each operation.

The deadline itself is wall time, because it is stored and a restart must not move it. What is left of it is measured
by the monotonic clock, because wall time can be set back.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol, Self

from labkit.clock import Clock


class DeadlineExceeded(Exception):  # noqa: N818 - the name that the exercises use
    """The deadline of the run has passed, or the operation would begin too late. It is no use to try again."""


class Remaining(Protocol):
    """Whatever can tell how much time is left."""

    def remaining(self) -> float:
        """Seconds left; zero or less when it is over."""


class Deadline:
    """The moment by which a run must end."""

    def __init__(self, at: datetime, clock: Clock) -> None:
        """The deadline `at` (aware wall time, as it is stored), seen from now on by `clock`."""
        if at.utcoffset() is None:
            raise ValueError(f"the deadline {at} is in no time zone: make it with datetime.now(UTC)")
        self.at = at
        self._clock = clock
        self._end = clock.monotonic() + (at - clock.now()).total_seconds()

    @classmethod
    def after(cls, seconds: float, clock: Clock) -> Self:
        """A deadline `seconds` from now. Store its `at`, and a restart makes the same deadline of it."""
        return cls(clock.now() + timedelta(seconds=seconds), clock)

    def remaining(self) -> float:
        """Seconds left; zero or less when it is over."""
        return self._end - self._clock.monotonic()

    def check(self) -> None:
        """Raise DeadlineExceeded if it is over."""
        if self.remaining() <= 0:
            raise DeadlineExceeded(f"the deadline {self.at.astimezone(UTC):%H:%M:%S} UTC has passed")

    @asynccontextmanager
    async def scope(self) -> AsyncIterator[None]:
        """`async with deadline.scope():` cancels what is inside when the deadline comes: DeadlineExceeded."""
        self.check()
        try:
            async with asyncio.timeout(self.remaining()) as inside:
                yield
        except TimeoutError:
            if not inside.expired():
                raise
            raise DeadlineExceeded("the deadline came, and what was going on was cancelled") from None


def step_timeout(deadline: Remaining, limit: float) -> float:
    """Seconds that the next operation may take: `limit`, or what is left if that is less.

    DeadlineExceeded if nothing is left. Hand the answer to the operation itself, as in `timeout=`.
    """
    left = deadline.remaining()
    if left <= 0:
        raise DeadlineExceeded("the deadline of the run has passed: nothing may start")
    return min(limit, left)
