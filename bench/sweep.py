"""How fast is a sweep? As a ratio to the least that it could cost: fork, SIGKILL and wait of as many processes.

    python bench/sweep.py

The aim is 4. Then: a sweep of 8 crash points once warm (aim 100 ms), and the memory that sweeps leave behind (none).
bench/sweep_large.py has programs with many effects and many bytes.
"""

import json
import os
import resource
import signal
from functools import partial
from pathlib import Path

from figures import ROUNDS, TRY, Figure, beside, compare, interleaved, tell

from labkit import ack, sweep
from labkit.crash import Observation, Report
from labkit.crash.client import CLIENT

SAVES = 1 if TRY else 33
"""Each of 6 effects, and a return: 200 crash points."""
MANY = 1 if TRY else 20
"""Sweeps between two looks at the memory."""
LIMIT = (
    "Each crash point is reached by a process that begins at the beginning, and is forked from one that has loaded all."
)


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


def grown() -> float:
    """Megabytes by which the zygote grows in so many sweeps."""
    before = resident()
    for _ in range(MANY):
        swept(1)
    return (resident() - before) * resource.getpagesize() / 1e6


def main() -> None:
    """Measure and tell."""
    report = swept(SAVES, power=True)
    states = sum(len(point.outcomes) for point in report.points)
    what = f"{len(report.points)} crash points, {states} states, {report.processes} processes"
    ways = {"sweep": partial(swept, SAVES, power=True), "fork, kill, wait": partial(bare, report.processes)}
    compare(what, ways, aim=4, limit=LIMIT)
    beside("8 crash points, warm", interleaved({"sweep": partial(swept, 1)}, turns=4), "sweep", aim=0.1, limit=LIMIT)
    memory = {"the zygote": [grown() for _ in range(ROUNDS)]}
    tell(Figure(f"memory after {MANY} more sweeps", "the zygote", rounds=memory, unit="MB", aim=0))


if __name__ == "__main__":
    main()
