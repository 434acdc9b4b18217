"""What the zygote imports so that its children need not: an import in a child is paid again at every crash point.

Only what is installed, never a file of the program's. What the lab ships is known to be harmless; anything else is
imported in a child first (`child.rehearsal`), to see what that does.
"""

import gc
import importlib
import sys
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from labkit.crash.under_test import LIBRARY

SHIPPED = (
    *("labkit.", "pydantic", "pydantic_core", "openai", "httpx2", "httpcore2", "asyncio"),
    *("psycopg", "psycopg_binary", "sqlalchemy", "filelock", "numpy", "psutil"),
    *("h11", "httpx", "httpcore", "anyio", "requests", "urllib3", "aiohttp", "http.client"),
)
"""Names begin like this of modules that cost time to import and do nothing else."""
NOT_FOR_CHILDREN = (
    *("labkit.crash", "labkit.isolation", "labkit.grading", "labkit.cli", "labkit.course.answers"),
    *("labkit.gauntlet.course", "labkit.gauntlet.checklist"),
)
BUT = {f"labkit.grading.judge.{name}" for name in ("program", "source", "calls", "differences")}
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


def imported(before: Collection[str]) -> list[str]:
    """In a child: what it has imported since, as far as that may be worth while for the next."""
    new = [name for name in [*sys.modules] if name not in before] if len(sys.modules) > len(before) else []
    known = {*filter(is_shipped, new), *(name for name in new if is_installed(sys.modules[name]))}
    return [*filter(known.__contains__, new), *(TRACERS if "psycopg" in known else [])]


def is_installed(module: Any) -> bool:
    """Whether a module is Python's or a package's, by where its file lies."""
    return str(getattr(getattr(module, "__spec__", module), "origin", None) or "").startswith(LIBRARY)


def named(names: Sequence[Any]) -> tuple[list[str], list[str]]:
    """Of names that a child has told, which may be any: what may be imported, and what is to be rehearsed first."""
    new = [name for name in names[:MOST] if isinstance(name, str) and name not in sys.modules]
    found = [name for name in new if name.startswith("labkit.") or _is_found(name)]
    return [*filter(is_shipped, found)], [name for name in found if not is_shipped(name) and name not in REHEARSED]


def _is_found(name: str) -> bool:
    with suppress(ImportError, ValueError):
        return is_installed(find_spec(name.partition(".")[0]))
    return False


def preload(modules: Iterable[str]) -> bool:
    """Import them here; whether any was new. What cannot be loaded here, the child will report."""
    new, before = [module for module in modules if module not in sys.modules], {*sys.modules}
    for module in new:
        with suppress(Exception):
            importlib.import_module(module)
    if new:
        LOADED.update(
            name.partition(".")[0] for name in sys.modules if name not in before and not name.startswith(SHIPPED)
        )
        gc.collect()
        gc.freeze()
    return bool(new)


def forget_namesakes(path: Sequence[str]) -> None:
    """In a child: let modules of the program's own be found, where an installed one of that name was preloaded."""
    for folder in path if LOADED else ():
        with suppress(OSError):
            here = () if folder.startswith(LIBRARY) else Path(folder).iterdir()
            own = LOADED & {each.name.removesuffix(".py") for each in here}
            for name in [name for name in sys.modules if name.partition(".")[0] in own]:
                del sys.modules[name]
