"""Races beside frontrun 0.7 (DPOR over processes) on the same programs: how many orders, in what time, what breaks.

    pip install "frontrun[process,sql]==0.7.0"
    python bench/race_beside.py

Both run all orders on the same PostgreSQL; each round of one is followed by a round of the other. frontrun keeps its
workers alive between orders (`reuse_workers`), without a bound on preemptions; a process of ours is new for each
order. Fewer orders are better only if they find what breaks the program.
"""

import os

try:
    import frontrun
except ImportError:
    frontrun = None
import race_programs
from figures import Took, beside, installed, interleaved, seconds
from race_programs import PROGRAMS, set_up

from labkit import database, race
from labkit.crash import Observation


def ours(name: str) -> tuple[int, int]:
    """Orders, and how many of them break it."""
    workers, is_well = PROGRAMS[name]

    def invariant(_: Observation) -> None:
        assert is_well()

    report = race([getattr(race_programs, worker) for worker in workers], invariant, set_up)
    assert report.complete, report.problem
    return len(report.orders), len(report.broken)


def theirs(name: str) -> tuple[int, int]:
    """The same."""
    workers, is_well = PROGRAMS[name]
    result = frontrun.explore_processes(
        [frontrun.Subprocess(f"race_programs:{worker}") for worker in workers],
        setup=set_up,
        invariant=lambda _: is_well(),
        preemption_bound=None,
        stop_on_first=False,
        reuse_workers=True,
    )
    return result.iterations, len(result.failures)


def compare(name: str, url: str) -> None:
    """One figure, which says what both found."""
    found: dict[str, tuple[int, int]] = {}

    def race_ours() -> Took:
        os.environ.pop("RACE_URL", None)
        return seconds(lambda: found.update(labkit=ours(name)))

    def race_theirs() -> Took:
        os.environ["RACE_URL"] = url
        return seconds(lambda: found.update(frontrun=theirs(name)))

    ways = {"labkit": race_ours, "frontrun": race_theirs}
    rounds = interleaved(ways)
    said = ", ".join(f"{who} {orders} orders, {broken} break it" for who, (orders, broken) in found.items())
    beside(f"{name} ({said})", rounds, *ways)


def main() -> None:
    """Each program."""
    if installed("frontrun", what="races beside frontrun"):
        for name in PROGRAMS:
            compare(name, database.url())


if __name__ == "__main__":
    main()
