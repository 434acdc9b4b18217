"""How does a sweep grow? From 10 to 1,000 effects, from 1 KB to 20 MB written, and with large packages loaded.

    python bench/sweep_large.py

Seconds for a crash point among 1,000 effects, beside one among 10: every point is reached by a run from the beginning,
so that the whole grows with the square. The aims: 1,000 effects in 12 s, 20 MB in 10 s. It takes some minutes.
"""

import importlib
import importlib.util
import os
from collections.abc import Callable
from functools import partial

from figures import TRY, beside, compare, interleaved, missing

from labkit import sweep
from labkit.crash import Observation

SECONDS = 600
EFFECTS = (2, 4) if TRY else (10, 100, 1_000)
MEGABYTES = 0.01 if TRY else 20
LIMIT = "Each crash point is reached by a process that begins at the beginning, so effects are made again with each."


def nothing(_: Observation) -> None:
    """Every end is good."""


def swept(run: Callable[[], object]) -> None:
    """A sweep of it, which must survive, or what is measured is worth nothing."""
    sweep(run, lambda: None, nothing).assert_survives()


def of_effects(effects: int) -> Callable[[], object]:
    """A program of so many effects."""

    def run() -> None:
        for number in range(effects):
            os.mkdir(f"folder {number}")

    return run


def of_bytes(size: int) -> Callable[[], object]:
    """A program that writes so many bytes, in ten files."""

    def run() -> None:
        for number in range(10):
            with open(f"file {number}", "wb") as file:
                file.write(b"x" * (size // 10))

    return run


def with_package(name: str) -> Callable[[], object]:
    """A program of ten effects that imports a package first; with an empty name, none."""

    def run() -> None:
        if name:
            importlib.import_module(name)
        for number in range(10):
            os.mkdir(f"folder {number}")

    return run


def main() -> None:
    """Measure and tell."""
    whole = interleaved({f"{n:,} effects": partial(swept, of_effects(n)) for n in EFFECTS})
    points = {f"{n:,} effects": [took / (n + 1) for took in whole[f"{n:,} effects"]] for n in EFFECTS}
    few, *others = points
    for many in others:
        beside("seconds for a crash point", points, many, few, limit=LIMIT)
    beside("sweep", whole, others[-1], aim=12, limit=LIMIT)
    large, small = of_bytes(int(MEGABYTES * 1e6)), of_bytes(1000)
    written = interleaved({"20 MB": partial(swept, large), "1 KB": partial(swept, small)})
    beside("sweep of ten files", written, "20 MB", aim=10, limit=LIMIT)
    beside("sweep of ten files", written, "20 MB", "1 KB", limit=LIMIT)
    for name in ("sqlalchemy", "pandas"):
        if importlib.util.find_spec(name) is None:
            missing(f"sweep with {name} imported", f"{name} is not installed")
            continue
        ways = {f"with {name}": partial(swept, with_package(name)), "without": partial(swept, with_package(""))}
        compare("sweep of ten effects", ways, limit="A process with more memory takes longer to fork.")


if __name__ == "__main__":
    main()
