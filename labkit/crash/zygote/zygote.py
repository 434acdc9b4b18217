"""The parent of every child: a clean interpreter with one thread that never loads the code under test.

It forks a world once and a child per job, kills the child where it stopped, and has its exit status from waitpid.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from labkit.crash.asked import Explored
from labkit.crash.channel import from_stranger, hear, made, pipe_to_stranger, tell
from labkit.crash.child import main
from labkit.crash.jobs import Job, Limits, Memory
from labkit.crash.metadata import TMP
from labkit.crash.news import FINAL, Done, Refused, parse
from labkit.crash.preload import namesakes, shipped
from labkit.crash.world_process.control import WorldProcess, WorldUnreadableError
from labkit.crash.zygote.endings import Ending, How, NotExploredError
from labkit.crash.zygote.patience import Patience
from labkit.crash.zygote.twin import Order, Twin
from labkit.isolation import process
from labkit.isolation.confine import Confinement
from labkit.isolation.writing import ruleset

HURRY = 0.5
"""The limit in seconds once a child has hung: the verdict is known then, and each crash point would cost as much."""
MOST_RULESETS = 8
"""That are kept: of the same folders for one child, or for each worker of a race."""


@dataclass
class Zygote:
    """Runs one job at a time."""

    folder: Path
    limits: Limits = field(default_factory=Limits)
    world: WorldProcess = field(init=False)
    processes: int = 0
    """How many children it has run."""
    confinement: Confinement | None = None
    """What its children are left with, if what they run is not to be trusted."""
    twins: dict[int, Twin] = field(default_factory=dict)
    """Those with other hash seeds, once they are needed."""

    _rulesets: dict[Any, Connection | None] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        process.adopt_orphans()
        self.world = WorldProcess(self.folder, self.confinement)

    @property
    def tmp(self) -> Path:
        """Where its children find their folder for temporary files."""
        return self.folder / "tmp"

    @property
    def width(self) -> int:
        """How many processors may be used at once."""
        return 1 if process.SPAWN else process.processors()

    def in_parallel(self, tasks: Sequence[Callable[["Zygote"], Explored]], seeds: Iterable[int]) -> list[Explored]:
        """What each task returns, done by a zygote of its own if there are several; this one waits.

        Of the twins with these `seeds`, each of those zygotes has a copy: to start one takes longer than many tasks.
        """
        if len(tasks) == 1:
            return [tasks[0](self)]
        twins = {seed: self._twin(seed) for seed in seeds}
        started = [self._start(task, self.folder / str(number), twins) for number, task in enumerate(tasks)]
        answers = [made(Explored, hear(channel)) for _, channel in started]
        for pid, channel in started:
            channel.close()
            os.waitpid(pid, 0)
        return answers

    def _start(
        self, task: Callable[["Zygote"], Explored], folder: Path, twins: dict[int, Twin]
    ) -> tuple[int, Connection]:
        ours, theirs = Pipe()
        channels = [theirs, *(twin.copy(self.confinement, shipped()) for twin in twins.values())]
        pid = process.start(_work, channels, ([*twins], task, folder, self.limits, self.confinement))
        for channel in channels:
            channel.close()
        return pid, ours

    def perform_by_seed(self, seed: int, job: Job, memory: Memory, sandbox: Path) -> Ending:
        """The same as `perform`, where texts hash by this seed."""
        if seed == 0:
            return self.perform(job, memory, sandbox)
        self.processes += 1
        fields = {"folder": self.folder, "limits": self.limits, "confinement": self.confinement}
        return self._twin(seed).perform(Order(Zygote, fields, shipped(), (job, memory, sandbox)))

    def _twin(self, seed: int) -> Twin:
        if seed not in self.twins or self.twins[seed].has_ended():
            self.twins[seed] = Twin.start(seed)
        return self.twins[seed]

    def hurry(self) -> None:
        """From now on, a child has HURRY: one has hung."""
        self.limits = replace(self.limits, seconds=min(self.limits.seconds, HURRY))

    @property
    def beside(self) -> set[int]:
        """The processes that live as long as this one."""
        return {self.world.pid, *(twin.pid for twin in self.twins.values())}

    def perform(self, job: Job, memory: Memory, sandbox: Path) -> Ending:
        """Run a job in a fresh child in `sandbox`, against a world with this memory."""
        output = self.folder / "output"
        client = self.world.begin(memory, may_arrange=job.role == "setup")
        pid, channel = self.start(job, client, sandbox, memory.elapsed, output)
        try:
            ending = self._listen(channel, pid, memory, job)
            if ending.how in {How.RETURNED, How.RAISED}:
                channel.poll(1.0)  # it is about to leave by itself
        finally:
            status = process.end(pid)
            channel.close()
            process.end_children(but=self.beside)
        ending.status = status
        try:
            ending.memory = self.world.memory()
        except WorldUnreadableError as error:
            raise NotExploredError(str(error)) from None
        ending.output = output.read_text(errors="replace").replace(f"{sandbox}{os.sep}", "").replace(str(self.tmp), TMP)
        return ending

    def start(
        self, job: Job, client: Connection, sandbox: Path, elapsed: float, output: Path
    ) -> tuple[int, Connection]:
        """Start a child that does a job as a `client` of the world: its process id, and where it tells its news."""
        self.processes += 1
        self.tmp.mkdir(parents=True, exist_ok=True)
        channel, theirs = pipe_to_stranger()
        writing = self._writing(job, sandbox, output)
        namesakes(job.path)
        channels, none = ([theirs, client, writing], ()) if writing else ([theirs, client], (None,))
        arguments = (*none, job, sandbox, self.tmp, elapsed, self.confinement)
        pid = process.start(main.main, channels, arguments, output)
        theirs.close()
        client.close()
        return pid, channel

    def _writing(self, job: Job, sandbox: Path, output: Path) -> Connection | None:
        """The ruleset that says where this child may write; kept as long as the folders are the same."""
        if self.confinement or job.lenient:  # which has its own, and which may write anywhere
            return None
        ignored = (os.path.join(sandbox, each) for each in job.ignore)
        places = str(sandbox), str(self.tmp), str(output), *ignored
        folders = *places, sandbox.stat().st_ino, self.tmp.stat().st_ino
        if folders not in self._rulesets:
            if len(self._rulesets) == MOST_RULESETS:
                self._rulesets.clear()
            output.touch()
            fd = ruleset(places)
            self._rulesets[folders] = fd if fd is None else Connection(fd)
        return self._rulesets[folders]

    def _listen(self, channel: Connection, pid: int, memory: Memory, job: Job) -> Ending:
        ending = Ending(How.DIED, memory, limit=self.limits.effects)
        effects, patience, hangs = 0, Patience(pid, self.limits.seconds), False
        while ending.how is How.DIED:
            if not patience.poll(channel):
                if hangs:
                    break
                os.kill(pid, main.WHERE)
                hangs, ending.over, patience = True, patience.over, Patience(pid, HURRY)
                continue
            try:
                news = parse(from_stranger(channel), job.expected[len(ending.news) :])
            except EOFError:
                break
            except ValueError:
                ending.how = How.GARBLED
                break
            ending.news += news
            effects += sum(isinstance(each, Done) for each in news)
            if not job.lenient and any(isinstance(each, Refused) for each in news):
                ending.how = How.REFUSED  # nothing that follows is explored
            elif effects > self.limits.effects:
                ending.how = How.FLOODED
            elif news and isinstance(news[-1], FINAL):
                ending.how = How(type(news[-1]).__name__.lower())
        if hangs and ending.how in {How.DIED, How.WAITING}:
            ending.how = How.HUNG
        return ending


def _work(channel: Connection, *rest: Any) -> None:
    *twins, seeds, task, folder, limits, confinement = rest
    known = dict(zip(seeds, map(Twin, twins), strict=True))
    tell(channel, task(Zygote(folder, limits, confinement=confinement, twins=known)), vars)
