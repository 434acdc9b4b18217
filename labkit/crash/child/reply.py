"""What an application answers to a request, as plain data, with the time of each piece.

{"status", "headers", "seconds": until they come, "pieces": [[seconds, data], …], "endless": if there were too many}
"""

from typing import Any, Protocol

Data = dict[str, Any]
MOST = 100
"""Pieces of one reply that are made."""
HOST = "127.0.0.1"


class Timed(Protocol):
    """Who knows the time."""

    def elapsed(self) -> float:
        """Virtual seconds since the world began."""


class EndlessError(BaseException):
    """The reply has had MOST pieces."""


class Reply:
    """A reply as it is being made."""

    def __init__(self, clock: Timed) -> None:
        self._clock, self._begun = clock, clock.elapsed()
        self.told: Data = {"pieces": [], "endless": False}

    def start(self, status: int, headers: list[list[str]]) -> None:
        """Its status and headers."""
        self.told |= {"status": status, "headers": headers, "seconds": self._seconds()}

    def add(self, data: bytes) -> None:
        """A piece of its body, if there is anything in it."""
        if len(self.told["pieces"]) == MOST:
            self.told["endless"] = True
            raise EndlessError
        if data:
            self.told["pieces"].append([self._seconds(), data.decode("latin-1")])

    def _seconds(self) -> float:
        return self._clock.elapsed() - self._begun
