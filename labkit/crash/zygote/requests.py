"""What the zygote's process can be asked for: a sweep, a crash point once more, a run line by line, a single trial."""

from functools import partial
from pathlib import Path

from labkit.crash.jobs import Job, Programs, Stop
from labkit.crash.zygote.explore import Explorer
from labkit.crash.zygote.trees import read_tree, shown, write_tree
from labkit.crash.zygote.zygote import Memory, NotExploredError, Told, Zygote
from labkit.isolation import process

FEW = 4
"""Crash points that are not worth a second processor."""


def sweep(zygote: Zygote, programs: Programs) -> Told:
    """Explore every crash point, on as many processors as there are. What stands in the way is the `problem`."""
    before = zygote.processes
    answer: Told = {"effects": [], "points": [], "problem": None, "lines": [], "spawned": process.SPAWN}
    try:
        explorer = Explorer(zygote, programs)
    except NotExploredError as problem:
        return {**answer, "problem": str(problem), "lines": problem.lines, "processes": zygote.processes - before}
    effects = [{key: effect[key] for key in ("op", "target", "lines")} for effect in explorer.recording.effects]
    parts = shares(len(effects) + 1, zygote.width)
    answer |= {"effects": effects, "processes": zygote.processes - before}
    for told in zygote.in_parallel([partial(explorer.points, part) for part in parts]):
        answer["points"] += told["points"]
        answer["processes"] += told["processes"]
        if answer["problem"] is None:
            answer |= {"problem": told["problem"], "lines": told["lines"]}
    return answer


def shares(count: int, width: int) -> list[range]:
    """`count` crash points in neighbouring parts, one for each processor; few points stay together."""
    width = min(width, max(1, count // FEW))
    return [range(count * i // width, count * (i + 1) // width) for i in range(width)]


def step(zygote: Zygote, programs: Programs, k: int) -> Told:
    """Run up to crash point k once more and tell every line."""
    explorer = Explorer(zygote, programs)
    job = programs.job("run", stop=Stop(k), by_line=True)
    write_tree(explorer.sandbox, explorer.start[0])
    events = zygote.perform(job, explorer.start[1], explorer.sandbox).events
    return {"events": events, "files": shown(read_tree(explorer.sandbox))}


def replay(zygote: Zygote, programs: Programs, k: int) -> Told:
    """Explore crash point k again."""
    return Explorer(zygote, programs).point(k)


def trial(zygote: Zygote, job: Job, memory: Memory, sandbox: Path | None, setup: Job | None) -> Told:
    """Run a job once, in `sandbox` as it is or in an empty one."""
    folder = sandbox or zygote.folder / "sandbox"
    if sandbox is None:
        write_tree(folder, {})
    if setup is not None:
        ending = zygote.perform(setup, memory, folder)
        if ending.how != "returned":
            raise NotExploredError(f"setup {ending.failure}")
        memory = ending.memory
    ending = zygote.perform(job, memory, folder)
    files = shown(read_tree(folder)) if sandbox is None else {}
    answer = {"how": ending.how, "failure": ending.failure, "last": ending.last, "labels": ending.labels}
    return {**answer, "files": files, "memory": ending.memory, "output": ending.output}
