"""What the model will say, and what will go wrong on the way: plain data, kept in `World.model`.

{"turns": [Turn, …], "faults": [Fault or null, …], "requests": how many there were}
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from labkit.world import arrange


@dataclass(frozen=True)
class Turn:
    """One reply of the model: text, tool calls or both, after some virtual seconds.

    Arguments given as text are sent as they are, so that a script can hold some that nobody can parse.
    """

    content: str | None = None
    calls: tuple[tuple[str, dict[str, Any] | str], ...] = ()
    seconds: float = 2.0
    shown: tuple[str, ...] = ()
    """What the model must have been shown, or it does not say this. In a script with such conditions, it says the first
    turn whose conditions are met, however often it has spoken."""
    hidden: tuple[str, ...] = ()
    """What it must not have been shown."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The turn that `asdict` and JSON made this of."""
        return cls(**{**data, "calls": tuple((name, arguments) for name, arguments in data["calls"])})

    def fits(self, read: str) -> bool:
        """Whether its conditions are met by what the model has read."""
        return all(text in read for text in self.shown) and not any(text in read for text in self.hidden)


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request. Made by the functions below."""

    status: int = 200
    """An HTTP error comes in the place of the reply."""
    retry_after: float | None = None
    seconds: float | None = None
    """The delay of each piece; None: the turn's own."""
    pieces: int = 1
    ending: str = "whole"
    """whole, cut, garbled or never"""


NEVER = Fault(ending="never")
"""No reply comes. Who has no timeout waits until, after 24 virtual hours, the connection is dropped."""
CUT = Fault(ending="cut")
"""The connection is closed in the middle of the reply."""
GARBLED = Fault(ending="garbled")
"""Status 200, and JSON that lacks a brace."""


def rate_limited(retry_after: float | None = None) -> Fault:
    """429, with the header Retry-After (seconds) if it is given."""
    return Fault(429, retry_after)


def failing(status: int = 500) -> Fault:
    """An HTTP error: 500, 503, 401, 400, … ValueError if the status is no error."""
    if not 400 <= status <= 599:
        raise ValueError(f"the status {status} is no error: those are 400 to 599")
    return Fault(status)


def late(seconds: float) -> Fault:
    """The reply, after so many virtual seconds. ValueError if they are fewer than 0."""
    if not seconds >= 0:  # NaN is not, either
        raise ValueError(f"a reply cannot come {seconds} seconds late")
    return Fault(seconds=seconds)


def dripping(pieces: int, seconds: float) -> Fault:
    """The reply in so many pieces, each that many virtual seconds after the one before. ValueError if there is none."""
    if pieces < 1 or not seconds >= 0:
        raise ValueError(f"a reply cannot come in {pieces} pieces, one every {seconds} seconds")
    return Fault(seconds=seconds, pieces=pieces)


def use(turns: Iterable[Turn], faults: Iterable[Fault | None] = ()) -> None:
    """Let the current world's model follow this script from now on; fault number i meets request number i."""
    arrange(
        model={
            "turns": [asdict(turn) for turn in turns],
            "faults": [fault and asdict(fault) for fault in faults],
            "requests": 0,
        }
    )


DISK = (
    Turn(calls=(("check_disk", {}),)),
    Turn(calls=(("clean_logs", {}),)),
    Turn("The disk was full of old logs. They are gone, and there is room again."),
)
"""For the request: the disk is full, sort it out."""

_STEPS = ("create_dns", "issue_certificate", "deploy_container", "configure_monitoring", "notify")
DEPLOY = (*(Turn(calls=((step, {"service": "shop"}),)) for step in _STEPS), Turn("The shop is live."))
"""For the request: put the shop online. One step a turn."""
