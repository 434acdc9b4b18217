"""Clients that try again: what base, cap and jitter make of their requests, second by second."""

import random
from collections import Counter
from collections.abc import Iterator
from functools import partial
from heapq import heappop, heappush

from labkit.backoff import exponential, full_jitter
from labkit.learner.pieces.play import Control, play
from labkit.learner.pieces.view import Bar, Lane, View

SERVED = 10
"""Requests in a second that the service can serve."""
SHOWN = 120
"""Seconds that are drawn."""
MEANING = (("good", "all are served"), ("bad", f"more than {SERVED} in this second: the others are refused"))


def backoff_explorer() -> None:
    """Show how many requests a service gets that failed for all its clients in second 0: choose how they wait."""
    play(
        view,
        Control("base in seconds", (1, 4), 4),
        Control("cap in seconds", (15, 60), 60),
        Control("jitter", ("none", "full"), "full"),
        Control("clients", (10, 100, 200), 100),
    )


def view(base: float, cap: float, jitter: str, clients: int) -> View:
    """The load over time."""
    load = storm(base, cap, jitter, clients)
    peak, last = max(load.values()), max(load)
    bars = tuple(
        Bar(second, second + 1, f"{load[second]} requests", "bad" if load[second] > SERVED else "good", count / peak)
        for second, count in sorted(load.items())
        if second < SHOWN
    )
    title = f"All {clients} are served in second {last}: {load.total()} requests, {peak} in the worst second"
    axis = f"seconds, the first {SHOWN}" if last >= SHOWN else "seconds"
    return View(title, (Lane("requests", bars),), axis, min(last + 1, SHOWN), MEANING)


def storm(base: float, cap: float, jitter: str, clients: int) -> Counter[int]:
    """Requests in each second. Each client waits by its own delays, until it is one of those that are served."""
    rng, load = random.Random(1), Counter()
    delays = [_delays(base, cap, jitter, rng) for _ in range(clients)]
    waiting: list[tuple[float, int, Iterator[float]]] = []
    for client, own in enumerate(delays):
        heappush(waiting, (next(own), client, own))
    while waiting:
        second, client, own = heappop(waiting)
        load[int(second)] += 1
        if load[int(second)] > SERVED:
            heappush(waiting, (second + next(own), client, own))
    return load


def _delays(base: float, cap: float, jitter: str, rng: random.Random) -> Iterator[float]:
    delays = exponential(base=base, cap=cap)
    return map(partial(full_jitter, rng=rng), delays) if jitter == "full" else delays
