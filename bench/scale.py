"""What would a class of 10,000 with 12 exercises take, on 1 to 100 workers, and what would be full first? Simulated.

    python bench/scale.py

Nothing is graded. Each submission goes its way from the coordinator, who reads it, over the queue to a worker and back,
with costs that were measured (`COSTS`; docs/SCALE.md says how), and waits wherever somebody is busy: at the
coordinator, at the database, for a worker. One in 200 students never comes to an end in some exercise. The draw is
seeded: each run prints the same.
"""

import heapq
import random
from dataclasses import dataclass

STUDENTS, EXERCISES = 10_000, 12
WORKERS = (1, 2, 5, 10, 20, 50, 100)
SEED = 25


@dataclass(frozen=True)
class Costs:
    """Seconds of one processor for each submission of one exercise, unless it says otherwise."""

    read: float = 0.039
    """By a reader at the coordinator, in its sandbox, so many at a time as the coordinator has processors."""
    hand_out: float = 0.006
    """By the coordinator alone: its journal, the request, its rows and those of DBOS."""
    put: float = 0.017
    """By the coordinator alone: the result into journal and book, both on disk."""
    judge: float = 3.3
    """By a worker: judging, and running the notebook; between half and twice of that."""
    worker: float = 0.130
    """By a worker: the queue, and on average half of the pause between two looks into it."""
    server: float = 0.015
    """By PostgreSQL."""
    look: float = 0.002
    """By PostgreSQL, whenever a worker looks into the queue."""
    pace: float = 0.2
    """Seconds between two looks, of a worker that judges as well."""
    commits: int = 28
    commit: float = 0.002
    """Until it is on disk. Those at one time share it, up to `together`."""
    together: int = 8
    connections: int = 3
    """Of each worker, and of the coordinator."""
    sent: int = 40_000
    """Bytes, both ways, of answers and verdicts."""
    endless: float = 420.0
    """An exercise that never ends: one case, and then the notebooks."""
    endless_share: float = 0.005
    """Of students, who have one such exercise."""


@dataclass(frozen=True)
class Machines:
    """Where all of it runs."""

    coordinator: int = 8
    server: int = 4
    """Processors."""
    connections: int = 97
    """That PostgreSQL has for us, unless it is told otherwise."""
    network: float = 1e8
    """Bytes a second, of the database's."""


COSTS, MACHINES = Costs(), Machines()


@dataclass
class Ran:
    """How a simulation went."""

    hours: float
    busy: dict[str, float]
    """How much of the time each part was at work; of connections, how many of those there are."""
    slowest: float
    """Hours, of the longest submission alone."""


def lengths(exercises: int, rng: random.Random) -> list[float]:
    """Seconds for which each submission keeps a worker."""
    found = []
    for _ in range(STUDENTS):
        each = [COSTS.judge * 2 ** rng.uniform(-1, 1) for _ in range(exercises)]
        if rng.random() < COSTS.endless_share * exercises / EXERCISES:
            each[rng.randrange(exercises)] = COSTS.endless
        found.append(sum(each) + COSTS.worker)
    return found


def simulate(workers: int, exercises: int) -> Ran:
    """A class that hands in so many exercises each, which are graded together."""
    rng = random.Random(SEED)
    took = lengths(exercises, rng)
    read = STUDENTS * exercises * COSTS.read / MACHINES.coordinator  # all are read before any is handed out
    free, server = [read] * workers, [read] * MACHINES.server
    ended, disk = [], read
    for number, seconds in enumerate(took):
        out = read + number * COSTS.hand_out * exercises
        begins = max(out, heapq.heappop(free))
        turn = max(begins, heapq.heappop(server)) + COSTS.server
        heapq.heappush(server, turn)
        disk = max(disk, begins) + COSTS.commits * COSTS.commit / min(COSTS.together, max(1, workers))
        heapq.heappush(free, max(turn, disk) + seconds)
        ended.append(max(turn, disk) + seconds)
    book = read + len(took) * COSTS.hand_out * exercises  # the coordinator collects when it has handed out
    for end in sorted(ended):
        book = max(book, end) + COSTS.put * exercises
    grading = max(ended) - read
    busy = {
        "workers": sum(took) / workers / grading,
        "coordinator": STUDENTS * exercises * (COSTS.hand_out + COSTS.put) / (book - read),
        "server": (STUDENTS * COSTS.server / grading + workers * COSTS.look / COSTS.pace) / MACHINES.server,
        "commits": STUDENTS * COSTS.commits * COSTS.commit / min(COSTS.together, max(1, workers)) / grading,
        "network": STUDENTS * exercises * COSTS.sent / MACHINES.network / grading,
        "connections": (workers + 1) * COSTS.connections / MACHINES.connections,
    }
    return Ran(book / 3600, busy, max(took) / 3600)


def rates() -> dict[str, float]:
    """How many submissions of one exercise go through each part in a second, if nobody else holds them up."""
    mean = sum(lengths(1, random.Random(SEED))) / STUDENTS
    return {
        "one worker": 1 / mean,
        "coordinator": 1 / (COSTS.hand_out + COSTS.put),
        "readers": MACHINES.coordinator / COSTS.read,
        "server": MACHINES.server / COSTS.server,
        "commits": COSTS.together / (COSTS.commits * COSTS.commit),
        "network": MACHINES.network / COSTS.sent,
    }


def main() -> None:
    """Simulate, and print."""
    for what, exercises in (("one exercise, as each week", 1), ("all 12 exercises at once", EXERCISES)):
        print(f"{STUDENTS} students, {what}:")
        parts = list(simulate(1, exercises).busy)
        print(f"  workers   hours   {'   '.join(f'{part:>11}' for part in parts)}   full first")
        for workers in WORKERS:
            ran = simulate(workers, exercises)
            shares = "   ".join(f"{ran.busy[part]:11.1%}" for part in parts)
            print(f"  {workers:7}   {ran.hours:5.1f}   {shares}   {max(parts, key=ran.busy.get)}")
        print(f"  the slowest submission alone: {ran.slowest * 60:.0f} minutes")
    print("What each part can do in a second, in submissions of one exercise:")
    for part, rate in rates().items():
        print(f"  {part:11} {rate:8.2f}")


if __name__ == "__main__":
    main()
