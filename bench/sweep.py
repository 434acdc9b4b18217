"""How fast is a sweep? As a ratio to the least that it could cost: fork, SIGKILL and wait of as many processes.

    python bench/sweep.py

Both are measured side by side, several times in one run; what counts is the ratio of the medians. The aim is 5, the
limit 8.
"""

import json
import os
import signal
import statistics
import time
from collections.abc import Callable

from labkit import ack, sweep
from labkit.crash import Observation

ROUNDS = 5
SAVES = 33
"""Each of 6 effects, and a return."""


def run() -> None:
    """A store that saves often, and right."""
    for number in range(SAVES):
        with open("task.tmp", "w") as file:
            json.dump({"number": number}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace("task.tmp", "task.json")
        folder = os.open(".", os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        ack(str(number))


def recover() -> dict:
    """Read what is there."""
    with open("task.json") as file:
        return json.load(file)


def setup() -> None:
    """An old task."""
    with open("task.json", "w") as file:
        json.dump({"number": -1}, file)


def invariant(seen: Observation) -> None:
    """What was acknowledged is there."""
    assert seen.state["number"] >= len(seen.acknowledged) - 1


def bare(processes: int) -> None:
    """Fork, kill and wait, and nothing else; on as many processors as a sweep uses."""
    width = len(os.sched_getaffinity(0))
    for _ in range(width):
        if not os.fork():
            for _ in range(processes // width):
                fork_and_kill()
            os._exit(0)
    for _ in range(width):
        os.wait()


def fork_and_kill() -> None:
    """The life of one process."""
    pid = os.fork()
    if not pid:
        signal.pause()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def seconds(function: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    report = sweep(run, recover, invariant, setup, power=True)
    report.assert_survives()
    states = sum(len(point.outcomes) for point in report.points)
    sweeps, forks = [], []
    for _ in range(ROUNDS):
        sweeps.append(seconds(lambda: sweep(run, recover, invariant, setup, power=True)))
        forks.append(seconds(lambda: bare(report.processes)))
    swept, forked = statistics.median(sweeps), statistics.median(forks)
    print(f"{len(report.points)} crash points, {states} states, {report.processes} processes")
    print(f"sweep {swept:.2f} s, bare processes {forked:.2f} s: ratio {swept / forked:.1f}")


if __name__ == "__main__":
    main()
