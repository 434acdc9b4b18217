"""What a worker of a race tells beside what every child does: see `news`."""

from dataclasses import dataclass
from typing import Any


@dataclass(kw_only=True)
class Wants:
    """A worker of a race stands before its next step, and waits until it is let."""

    op: str
    target: str
    touches: list[Any]
    """Pairs of an object and whether it is written: see `race.footprints`."""
    lines: list[Any]
    elapsed: float
    """The virtual time as it knows it."""
    looked: bool
    """Whether it has looked at the clock since its last step."""
    backend: int | None = None
    """The server's process that the step will keep busy."""
    begins: bool = False
    """Whether its result hangs on when it begins, should it have to wait: a statement has its snapshot from then."""


@dataclass(kw_only=True)
class Blocked:
    """A worker of a race cannot take its step: another has the lock."""

    on: list[Any]
    """The lock, as an object."""
    gave: bool = False
    """Whether it has let go of what it had of it, and so done something."""


@dataclass(kw_only=True)
class Saw:
    """What the last step of a worker has read, as a short text."""

    text: str


@dataclass(kw_only=True)
class InVain:
    """The last step of a worker has failed, and changed nothing."""


@dataclass(kw_only=True)
class Holds:
    """What a worker has locked from now on: its end frees it."""

    touches: list[Any]


OfRaces = Wants | Blocked | Saw | InVain | Holds
