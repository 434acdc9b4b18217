"""A reply that was read whole, and how its delays are replayed to the client that asked.

    x-lab-delay: 2.0    so many virtual seconds of silence come before each piece; inf: there will be none
    x-lab-pieces: 3     the body comes in so many pieces

Both are headers of the scripted server. A reply without them takes no time here: it has already taken real time.
"""

import asyncio
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import httpx2

from labkit.clock import Clock, SystemClock

DROPPED = 24 * 3600.0
"""Seconds after which a connection without a reply is gone."""


@dataclass(frozen=True)
class Whole:
    """A reply, and the read timeout of who waits for it. Like a real one it limits each silence, not their sum."""

    status: int
    headers: httpx2.Headers
    body: bytes
    limit: float
    """Seconds; infinite if there is no timeout."""

    def pieces(self) -> list[bytes]:
        """The body in as many pieces as the header says, of about one length."""
        count = int(self.headers.get("x-lab-pieces", "1"))
        ends = [len(self.body) * index // count for index in range(count + 1)]
        return [self.body[start:end] for start, end in pairwise(ends)]

    def silence(self) -> tuple[float, httpx2.TransportError | None]:
        """Seconds until the next piece or the end of patience, and the error in the second case."""
        delay = float(self.headers.get("x-lab-delay", "0"))
        if math.isinf(delay) and self.limit > DROPPED:
            return DROPPED, httpx2.RemoteProtocolError("Server disconnected without sending a response.")
        if delay > self.limit:
            return self.limit, httpx2.ReadTimeout(f"no reply within {self.limit:g} s")
        return delay, None

    def response(self, content: Any) -> httpx2.Response:
        """What the client is given, with the pieces as its content."""
        return httpx2.Response(self.status, headers=self.headers, content=content)


async def pause(clock: Clock, seconds: float) -> None:
    """Sleep in the event loop if time is the machine's, so that others go on; else on the clock."""
    if isinstance(clock, SystemClock):
        await asyncio.sleep(seconds)
    else:
        clock.sleep(seconds)
