"""How fast is a sweep? As a ratio to the least that it could cost: fork, SIGKILL and wait of as many processes.

    python bench/sweep.py

Both are measured side by side, several times in one run; what counts is the ratio of the medians. The aim is 5, the
limit 8. Then: a sweep of 8 crash points once warm (aim 100 ms), the memory that 100 sweeps leave behind (none), and a
run of 1,000 effects (limit a minute).
"""

import json
import os
import resource
import signal
import statistics
from functools import partial
from pathlib import Path
from timeit import timeit

from labkit import ack, sweep
from labkit.crash import Observation, Report
from labkit.crash.client import CLIENT

ROUNDS = 5
SAVES = 33
"""Each of 6 effects, and a return: 200 crash points."""


def save(number: int) -> None:
    """A store that saves right."""
    with open("task.tmp", "w") as file:
        json.dump({"number": number}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace("task.tmp", "task.json")
    folder = os.open(".", os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    ack(str(number))


def save_often(times: int) -> None:
    """Many saves."""
    for number in range(times):
        save(number)


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


def swept(times: int, *, power: bool = False) -> Report:
    """A sweep of so many saves; it must survive, or what is measured is worth nothing."""

    def run() -> None:
        save_often(times)

    report = sweep(run, recover, invariant, setup, power=power)
    report.assert_survives()
    return report


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


def resident() -> int:
    """Pages of memory that the zygote holds."""
    return int(Path(f"/proc/{CLIENT.pid}/statm").read_text().split()[1])


def main() -> None:
    """Measure and print."""
    report = swept(SAVES, power=True)
    states = sum(len(point.outcomes) for point in report.points)
    sweeps, forks = [], []
    for _ in range(ROUNDS):
        sweeps.append(timeit(partial(swept, SAVES, power=True), number=1))
        forks.append(timeit(partial(bare, report.processes), number=1))
    print(f"{len(report.points)} crash points, {states} states, {report.processes} processes")
    ratio = statistics.median(sweeps) / statistics.median(forks)
    print(
        f"sweep {statistics.median(sweeps):.2f} s, bare processes {statistics.median(forks):.2f} s: ratio {ratio:.1f}"
    )

    small = [timeit(partial(swept, 1), number=1) for _ in range(20)]
    print(f"8 crash points, warm: {statistics.median(small) * 1000:.0f} ms")
    before = resident()
    for _ in range(100):
        swept(1)
    grown = (resident() - before) * resource.getpagesize() / 1e6
    print(f"after 100 more sweeps the zygote has grown by {grown:.1f} MB")
    print(f"1,000 effects: {timeit(partial(swept, 166), number=1):.0f} s")


if __name__ == "__main__":
    main()
