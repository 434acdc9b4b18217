"""How code under test travels to a child: by cloudpickle, by value where no other process could import it."""

import io
import os
import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import cloudpickle

from labkit.crash.jobs import CrashLabError
from labkit.crash.under_test import LIBRARY


class _Pickler(cloudpickle.Pickler):
    def reducer_override(self, thing: Any) -> Any:
        # IPython puts an `open` of its own into every notebook; it would pass the children's traced one by.
        if getattr(thing, "__name__", "") == "_modified_open" and callable(thing):
            return getattr, (__import__("builtins"), "open")
        return super().reducer_override(thing)


def pickled(function: Callable[..., Any]) -> bytes:
    """`function` as it travels to a child: by value if it was defined in a notebook, a script or a test.

    What cannot be copied so, such as the classes of an ORM, the child imports, if there is a file to import it from.
    """
    named = unwrapped(function)
    module = sys.modules.get(named.__module__)
    if module is None or module.__name__ == "__main__" or is_library(module.__name__):
        return _dumped(function)
    cloudpickle.register_pickle_by_value(module)
    try:
        return _dumped(function)
    except CrashLabError:
        if not _is_found(module):
            raise
    finally:
        cloudpickle.unregister_pickle_by_value(module)
    return _dumped(function)


def _dumped(function: Callable[..., Any]) -> bytes:
    try:
        buffer = io.BytesIO()
        _Pickler(buffer).dump(function)
        return buffer.getvalue()
    except (TypeError, pickle.PicklingError) as error:
        named = unwrapped(function)
        name = getattr(named, "__name__", type(named).__name__)
        raise CrashLabError(
            f"{name} uses something that cannot travel to another process: {error}. Make it inside of a function, or "
            "import it from a file"
        ) from None


def _is_found(module: ModuleType) -> bool:
    """Whether another process with the same path would import this very module."""
    with suppress(ImportError, ValueError, AttributeError, OSError):
        found = find_spec(module.__name__)
        return bool(found and found.origin and module.__file__ and os.path.samefile(found.origin, module.__file__))
    return False


def travels(value: Any) -> bool:
    """Whether a child can be given this value."""
    try:
        _Pickler(io.BytesIO()).dump(value)
    except (TypeError, pickle.PicklingError):
        return False
    return True


def unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function inside of functools.partial, which has the `__name__` and `__module__` that a partial lacks."""
    return unwrapped(function.func) if isinstance(function, partial) else function


def is_library(module: str) -> bool:
    """Whether a module is labkit's, Python's or an installed package's."""
    origin = getattr(sys.modules[module], "__file__", None) or ""
    return module.startswith("labkit.") or not origin or origin.startswith(LIBRARY)
