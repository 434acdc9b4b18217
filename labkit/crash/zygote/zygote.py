"""The parent of every child: a clean interpreter with one thread that never loads the code under test.

It forks a world and a child per job, kills the child where it stopped, and sees with its own eyes how it ended.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import Any

from labkit.crash.channel import hear, tell
from labkit.crash.child import main
from labkit.crash.news import FINAL, understood
from labkit.crash.world_process.serve import serve
from labkit.isolation import process
from labkit.isolation.confine import Confinement

Told = dict[str, Any]
"""Plain data for the report."""
Memory = dict[str, Any]
"""What a world remembers: World.to_json."""


class NotExploredError(Exception):
    """The sweep cannot go on, or would prove nothing. Its text says why; `lines` where."""

    def __init__(self, text: str, lines: list[Any] | None = None) -> None:
        super().__init__(text)
        self.lines = lines or []


@dataclass
class Ending:
    """How a child ended."""

    how: str
    """stopped (and was killed), returned, raised, died (by itself), hung, garbled, or flooded (too many effects)."""
    events: list[dict[str, Any]]
    """What it told, in order; the last one says how it ended."""
    status: int = 0
    """As in subprocess: −9 was killed by SIGKILL."""
    memory: Memory = field(default_factory=dict)
    output: str = ""

    @property
    def last(self) -> dict[str, Any]:
        """What it told last."""
        return self.events[-1] if self.events else {}

    @property
    def effects(self) -> list[dict[str, Any]]:
        """The effects it had, in order."""
        return [event for event in self.events if event["event"] == "effect"]

    @property
    def labels(self) -> list[str]:
        """The effects by name."""
        return [f"{effect['op']} {effect['target']}".strip() for effect in self.effects]

    @property
    def failure(self) -> str:
        """How it ended, as the predicate of a sentence."""
        match self.how:
            case "raised":
                return f"raised {self.last['error']}: {self.last['text']}"
            case "hung":
                return "did not end in time"
            case "flooded":
                return f"had more effects than the limit of {self.last['limit']} allows"
            case "garbled":
                return "told the crash lab something that it does not understand"
            case "died":
                return f"ended by itself, with exit status {self.status}"
        return self.how


class WorldProcess:
    """A world in a process of its own. Its control side stays with the zygote."""

    def __init__(self) -> None:
        self._control, theirs = Pipe()
        self.pid = process.start(serve, [theirs], ())
        theirs.close()

    def begin(self, memory: Memory, *, may_arrange: bool) -> Connection:
        """Become a world with this memory; returns the socket over which to reach it, and perhaps to arrange it."""
        ours, theirs = Pipe()
        tell(self._control, ["begin", memory, may_arrange])
        send_handle(self._control, theirs.fileno(), None)
        theirs.close()
        hear(self._control)
        return ours

    def memory(self) -> Memory:
        """What it remembers now."""
        tell(self._control, ["memory"])
        answer = hear(self._control)
        if "problem" in answer:
            raise NotExploredError(answer["problem"])
        return answer["value"]


@dataclass
class Zygote:
    """Runs one job at a time. `seconds` of real time are what a child may take, and `limit` effects."""

    folder: Path
    seconds: float = 10.0
    limit: int = 2000
    world: WorldProcess = field(default_factory=WorldProcess)
    processes: int = 0
    """How many children it has run."""
    confinement: Confinement | None = None
    """What its children are left with, if what they run is not to be trusted."""

    def __post_init__(self) -> None:
        process.adopt_orphans()

    @property
    def width(self) -> int:
        """How many processors may be used at once."""
        return 1 if process.SPAWN else process.processors()

    def in_parallel(self, tasks: list[Callable[["Zygote"], Told]]) -> list[Told]:
        """What each task returns, done by a zygote of its own if there are several; this one waits."""
        if len(tasks) == 1:
            return [tasks[0](self)]
        started = [self._start(task, self.folder / str(number)) for number, task in enumerate(tasks)]
        answers = [hear(channel) for _, channel in started]
        for pid, channel in started:
            channel.close()
            os.waitpid(pid, 0)
        return answers

    def _start(self, task: Callable[["Zygote"], Told], folder: Path) -> tuple[int, Connection]:
        ours, theirs = Pipe()
        pid = process.start(_work, [theirs], (task, folder, self.seconds, self.limit, self.confinement))
        theirs.close()
        return pid, ours

    def perform(self, job: main.Job, memory: Memory, sandbox: Path) -> Ending:
        """Run a job in a fresh child in `sandbox`, against a world with this memory."""
        self.processes += 1
        self.folder.mkdir(exist_ok=True)
        output = self.folder / "output"
        client = self.world.begin(memory, may_arrange=job.role == "setup")
        channel, theirs = Pipe()
        pid = process.start(main.main, [theirs, client], (job, sandbox, memory["elapsed"], self.confinement), output)
        theirs.close()
        client.close()
        try:
            ending = self._listen(channel)
            if ending.how in {"returned", "raised"}:
                channel.poll(1.0)  # it is about to leave by itself
        finally:
            status = process.end(pid)
            channel.close()
            process.end_children(but=self.world.pid)
        ending.status = status
        ending.memory = self.world.memory()
        ending.output = output.read_text(errors="replace").replace(f"{sandbox}{os.sep}", "")
        return ending

    def _listen(self, channel: Connection) -> Ending:
        deadline = time.monotonic() + self.seconds
        ending = Ending("died", [])
        effects = 0
        while ending.how == "died":
            if not channel.poll(max(0.0, deadline - time.monotonic())):
                ending.how = "hung"
                break
            try:
                news = hear(channel)
            except (EOFError, ValueError):
                break
            if not understood(news):
                ending.how = "garbled"
                break
            ending.events += news
            effects += sum(event["event"] == "effect" for event in news)
            if effects > self.limit:
                ending.how = "flooded"
                ending.events.append({"event": "flooded", "limit": self.limit, "lines": ending.last.get("lines", [])})
            elif ending.last["event"] in FINAL:
                ending.how = ending.last["event"]
        return ending


def _work(
    channel: Connection,
    task: Callable[[Zygote], Told],
    folder: Path,
    seconds: float,
    limit: int,
    to: Confinement | None,
) -> None:
    tell(channel, task(Zygote(folder, seconds, limit, confinement=to)))
