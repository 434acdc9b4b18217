"""What a step touches, and when two steps may change places.

An object is a path of words, as ("file", "task.json") or ("sql", "orders"); an object contains those that it begins.
A step reads it or writes it. Two steps commute if they touch no common object, or only read those that they share.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

Touch = tuple[tuple[str, ...], bool]
"""An object, and whether it is written."""


@dataclass(frozen=True)
class Step:
    """What a worker does next: its name, and what it touches."""

    op: str
    target: str = ""
    touches: frozenset[Touch] = frozenset()
    lines: tuple[Any, ...] = ()

    @property
    def label(self) -> str:
        """The step by name."""
        return f"{self.op} {self.target}".strip()

    @property
    def writes(self) -> bool:
        """Whether it changes anything that others could notice."""
        return any(written for _, written in self.touches)


def touches(told: Iterable[Any]) -> frozenset[Touch]:
    """A footprint from plain data: pairs of an object and whether it is written."""
    return frozenset((tuple(map(str, thing)), bool(written)) for thing, written in told)


def conflict(one: Iterable[Touch], other: Iterable[Touch]) -> bool:
    """Whether the order of two steps with these footprints can matter."""
    other = [*other]
    return any(
        (written or also) and (thing[: len(same)] == same or same[: len(thing)] == thing)
        for thing, written in one
        for same, also in other
    )


def followed(pending: Step, old: str, new: str) -> Step:
    """A step that is to come, after a file that it has open got another name."""
    was, now = ("data", *old.split("/")), ("data", *new.split("/"))
    more = {(now, written) for thing, written in pending.touches if thing == was}
    return replace(pending, touches=pending.touches | more)
