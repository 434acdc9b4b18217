"""What the zygote imports so that its children need not: an import in a child is paid again at every crash point."""

import gc
import importlib
import sys
from collections.abc import Iterable
from contextlib import suppress

SHIPPED = (
    *("labkit.", "pydantic", "pydantic_core", "openai", "httpx2", "httpcore2", "asyncio"),
    *("psycopg", "psycopg_binary", "sqlalchemy", "filelock"),
    *("h11", "httpx", "httpcore", "anyio", "requests", "urllib3", "aiohttp", "http.client"),
)
"""Names begin like this of modules that cost time to import and do nothing else."""
NOT_FOR_CHILDREN = (
    *("labkit.crash", "labkit.isolation", "labkit.grading", "labkit.cli", "labkit.course.answers"),
    *("labkit.gauntlet.course", "labkit.gauntlet.checklist"),
)
BUT = {"labkit.grading.judge.program", "labkit.grading.judge.source"}
"""The exception: the children of a judge unpickle into them."""


def shipped() -> list[str]:
    """Of the modules that this process has imported, those that its children are going to import as well."""
    ours = [name for name in sys.modules if name.startswith(SHIPPED)]
    worth = [name for name in ours if name in BUT or not name.startswith(NOT_FOR_CHILDREN)]
    return (
        [*worth, *(f"labkit.crash.child.{each}" for each in ("sql", "shared_sql"))] if "psycopg" in worth else worth
    )  # who has the driver traces it


def preload(modules: Iterable[str]) -> bool:
    """Import them here; whether any was new. What cannot be loaded here, the child will report.

    Only what may be shipped: children name them, and what they run may name anything.
    """
    new = [module for module in modules if str(module).startswith(SHIPPED) and module not in sys.modules]
    for module in new:
        with suppress(Exception):
            importlib.import_module(module)
    if new:
        gc.collect()
        gc.freeze()
    return bool(new)
