"""What the zygote imports so that its children need not: an import in a child is paid again at every crash point.

Only what is installed, never a file of the program's. What the lab ships is known to be harmless; anything else is
imported in a child first (`child.rehearsal`), to see what that does.
"""

import gc
import importlib
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from labkit.crash import first_uses
from labkit.crash.under_test import LIBRARY

SHIPPED = (
    *("labkit.", "pydantic", "pydantic_core", "openai", "httpx2", "httpcore2", "asyncio"),
    *("psycopg", "psycopg_binary", "sqlalchemy", "filelock", "numpy", "psutil"),
    *("h11", "httpx", "httpcore", "anyio", "requests", "urllib3", "aiohttp", "http.client"),
    *("mcp", "starlette", "sse_starlette", "uvicorn", "opentelemetry", "rich"),
    *("dbos", "temporalio", "google.protobuf", "nexusrpc"),
)
"""Names begin like this of modules that cost time to import and do nothing else."""
KEEPS_CACHES = ("matplotlib",)
"""Names begin like this of modules that write, when they are imported, in folders of whoever runs them.

That is no state of a program: the zygote does it."""
NOT_FOR_CHILDREN = (
    *("labkit.crash", "labkit.isolation", "labkit.grading", "labkit.cli", "labkit.course.answers"),
    *("labkit.gauntlet.course", "labkit.gauntlet.service.course", "labkit.gauntlet.checklist"),
    *("labkit.course.standing", "labkit.learner"),
)
BUT = {f"labkit.grading.judge.{name}" for name in ("program", "source", "calls", "differences", "stage")}
"""The exceptions: the children of a judge unpickle into them, and what a case sends there uses them."""
REHEARSED: dict[str, bool] = {}
"""Of the other modules that children have imported: whether the zygote may import them, too."""
LOADED: set[str] = set()
"""Packages that were loaded here, with those that they have loaded, apart from what the lab ships."""
TRACERS = ("labkit.crash.child.sql", "labkit.crash.child.shared_sql")
"""Who has the driver of PostgreSQL traces it."""
MOST = 5000
"""Modules that a child may name."""


def is_shipped(name: str) -> bool:
    """Whether a module is known to do nothing but take time."""
    return name.startswith(SHIPPED) and (name in BUT or not name.startswith(NOT_FOR_CHILDREN))


def shipped() -> list[str]:
    """Of the modules that this process has imported, those that its children are going to import as well."""
    worth = [name for name in sys.modules if is_shipped(name) or REHEARSED.get(name)]
    return [*worth, *TRACERS] if "psycopg" in worth else worth


def imported(before: int) -> list[str]:
    """In a child: what it has imported behind so many modules, as far as that may be worth while for the next."""
    new = loaded_behind(before)
    known = {*filter(is_shipped, new), *(name for name in new if is_installed(sys.modules[name]))}
    return [*filter(known.__contains__, new), *(TRACERS if "psycopg" in known else [])]


def loaded_behind(before: int) -> list[str]:
    """The names of the modules that were loaded behind so many."""
    return [*sys.modules][before:] if len(sys.modules) > before else []  # a copy touches, and so copies, many pages


def is_installed(module: Any) -> bool:
    """Whether a module is Python's or a package's, by where its file lies."""
    return str(getattr(getattr(module, "__spec__", module), "origin", None) or "").startswith(LIBRARY)


def named(names: Sequence[Any]) -> tuple[list[str], list[str]]:
    """Of names that a child has told, which may be any: what may be imported, and what is to be rehearsed first."""
    new = [name for name in names[:MOST] if isinstance(name, str) and name not in sys.modules]
    found = [name for name in new if name.startswith("labkit.") or _is_found(name)]
    known = [name for name in found if is_shipped(name) or name.startswith(KEEPS_CACHES)]
    return known, [name for name in found if name not in known and name not in REHEARSED]


def _is_found(name: str) -> bool:
    with suppress(ImportError, ValueError):
        return is_installed(find_spec(name.partition(".")[0]))
    return False


def preload(modules: Iterable[str]) -> bool:
    """Import them here; whether any was new. What cannot be loaded here, the child will report."""
    new, before = [module for module in modules if module not in sys.modules], {*sys.modules}
    for module in new:
        with suppress(Exception, SystemExit):  # some are programs
            importlib.import_module(module)
    if new:
        first_uses.use()
        LOADED.update(
            name.partition(".")[0] for name in sys.modules if name not in before and not name.startswith(SHIPPED)
        )
        gc.collect()
        gc.freeze()
    return bool(new)


def namesakes(path: Sequence[str]) -> set[str]:
    """Of the packages that were loaded here, those that a program with this path has of its own.

    Asked in the zygote as well: a child finds a folder that has not changed since in the cache.
    """
    own: set[str] = set()
    for folder in map(os.path.abspath, path if LOADED else ()):
        with suppress(OSError):
            own |= _named_in(folder, os.stat(folder).st_mtime_ns) & LOADED
    return own


@lru_cache
def _named_in(folder: str, changed: int) -> frozenset[str]:  # noqa: ARG001 - part of the key
    return frozenset(name.removesuffix(".py") for name in (() if folder.startswith(LIBRARY) else os.listdir(folder)))


def forget_namesakes(path: Sequence[str]) -> int:
    """In a child: let modules of the program's own be found, where an installed one of that name was preloaded.

    How many are loaded then.
    """
    if own := namesakes(path):
        for name in [name for name in sys.modules if name.partition(".")[0] in own]:
            del sys.modules[name]
    return len(sys.modules)
