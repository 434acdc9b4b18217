"""Replaces functions of the standard library, by setattr: once, in the zygote, by stand-ins that sleep.

A stand-in calls the real function until a child is active. So nothing is replaced anew in each child, which would copy
the pages that it shares with its parent.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

Real = Callable[..., Any]
STAND_INS: dict[Any, Real] = {}
"""By the real function, what stands in its place."""


def replace(name: str, new: Real, *places: Any) -> None:
    """Put `new` in the place of a function of the standard library."""
    for place in places:
        setattr(place, name, new)


def standing_in(real: Real, function: Real, active: Sequence[Any]) -> Real:
    """What calls `function` with the first that is active and the arguments; the real one if none is."""

    @wraps(real)
    def stand_in(*args: Any, **kwargs: Any) -> Any:
        return function(active[0], *args, **kwargs) if active else real(*args, **kwargs)

    STAND_INS[real] = stand_in
    return stand_in


def stand_in(name: str, function: Real, active: Sequence[Any], *places: Any) -> None:
    """Put a stand-in in the place of a function, if this Python has it."""
    if real := getattr(places[0], name, None):
        replace(name, standing_in(real, function, active), *places)
