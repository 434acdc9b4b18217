"""Replaces functions of the standard library, by setattr: once, in the zygote, by stand-ins that sleep.

A stand-in calls the real function until a child is active. So nothing is replaced anew in each child, which would copy
the pages that it shares with its parent.
"""

import os
import sys
from collections.abc import Callable, Sequence
from functools import update_wrapper, wraps
from types import BuiltinFunctionType
from typing import Any

Real = Callable[..., Any]
ABLE = ("supports_dir_fd", "supports_fd", "supports_follow_symlinks", "supports_effective_ids")
"""What `os` says of its functions, and others ask before they use them."""
STAND_INS: dict[Any, Real] = {}
"""By the real function, what stands in its place."""


class StandIn:
    """In the place of a function of C: as that, it is not bound where a class has it as an attribute."""

    def __init__(self, real: Real, function: Real, active: Sequence[Any]) -> None:
        update_wrapper(self, real, updated=())
        self._real, self._function, self._active = real, function, active

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the one that stands in, or the real one."""
        return self._function(self._active[0], *args, **kwargs) if self._active else self._real(*args, **kwargs)

    def __reduce__(self) -> str:
        return self.__name__


def replace(name: str, new: Real, *places: Any) -> None:
    """Put `new` in the place of a function of the standard library."""
    for place in places:
        setattr(place, name, new)


def standing_in(real: Real, function: Real, active: Sequence[Any]) -> Real:
    """What calls `function` with the first that is active and the arguments; the real one if none is."""

    @wraps(real)
    def stand_in(*args: Any, **kwargs: Any) -> Any:
        return function(active[0], *args, **kwargs) if active else real(*args, **kwargs)

    of_c = isinstance(real, BuiltinFunctionType | StandIn)
    STAND_INS[real] = StandIn(real, function, active) if of_c else stand_in
    return STAND_INS[real]


def stand_in(name: str, function: Real, active: Sequence[Any], *places: Any) -> None:
    """Put a stand-in in the place of a function, if this Python has it."""
    if real := getattr(places[0], name, None):
        replace(name, standing_in(real, function, active), *places)


def stand_in_os(name: str, made: Callable[[Real], Real], active: Sequence[Any]) -> None:
    """The same for a function of `os`; `made` makes what is called of the real one."""
    if real := getattr(os, name, None):
        shown = standing_in(real, made(real), active)
        for able in ABLE:
            getattr(os, able).update({shown} if real in getattr(os, able) else ())
        replace(name, shown, os)


def asker() -> str:
    """The module whose code has called a stand-in."""
    frame = sys._getframe(2)  # noqa: SLF001 - public in all but name
    while frame is not None and (name := frame.f_globals.get("__name__", "")).startswith("labkit.crash.child"):
        frame = frame.f_back
    return name if frame is not None else ""
