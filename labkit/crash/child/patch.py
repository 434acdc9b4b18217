"""Replaces functions of the standard library for the life of a child, by setattr."""

from collections.abc import Callable
from typing import Any

Real = Callable[..., Any]


def replace(name: str, new: Real, *modules: Any) -> None:
    """Put `new` in the place of a function of the standard library."""
    for module in modules:
        setattr(module, name, new)
