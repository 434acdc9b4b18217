"""Races beside frontrun 0.7 (DPOR over processes) on the same programs: how many orders, in what time, what breaks.

    pip install "frontrun[process,sql]==0.7.0"
    python bench/race_beside.py

Both run all orders on the same PostgreSQL; each round of one is followed by a round of the other. Medians, and the
ratio. frontrun keeps its workers alive between orders (`reuse_workers`), without a bound on preemptions; a process of
ours is new for each order. Fewer orders are better only if they find what breaks the program.
"""

import os
import time
from collections.abc import Callable
from statistics import median

import frontrun
import race_programs
from race_programs import PROGRAMS, set_up

from labkit import database, race
from labkit.crash import Observation

ROUNDS = 5


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


def timed(function: Callable[[str], tuple[int, int]], name: str) -> tuple[float, tuple[int, int]]:
    """Seconds, and what was found."""
    begun = time.perf_counter()
    found = function(name)
    return time.perf_counter() - begun, found


def main() -> None:
    """One line for each program."""
    url = database.url()
    for name in PROGRAMS:
        rounds: dict[str, list[float]] = {"ours": [], "theirs": []}
        found = {}
        for _ in range(ROUNDS):
            os.environ.pop("RACE_URL", None)
            seconds, found["ours"] = timed(ours, name)
            rounds["ours"].append(seconds)
            os.environ["RACE_URL"] = url
            seconds, found["theirs"] = timed(theirs, name)
            rounds["theirs"].append(seconds)
        we, they = median(rounds["ours"]), median(rounds["theirs"])
        for who, seconds in (("labkit", we), ("frontrun", they)):
            orders, broken = found["ours" if who == "labkit" else "theirs"]
            print(f"{name}: {who}: {orders} orders, {broken} break it, {seconds:.2f} s")
        print(f"{name}: {we / they:.2f} × frontrun's time")


if __name__ == "__main__":
    main()
