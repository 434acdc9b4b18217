"""A sweep, as the zygote's process does it: record a run, kill it at every crash point, recover, ask the invariant.

It handles plain data only: the code under test stays pickled until a child loads it.
"""

import json
from dataclasses import replace

from labkit.crash.jobs import Explored, Job, Left, Memory, PointLeft, Programs, Stop
from labkit.crash.news import Done, Opened, Outside
from labkit.crash.preload import preload
from labkit.crash.report.findings import KILLED, POWER_CUT
from labkit.crash.world_process.database import tables
from labkit.crash.zygote.disk import Disk
from labkit.crash.zygote.endings import Ending, How, NotExploredError
from labkit.crash.zygote.trees import Tree, differing, read_tree, shown, write_tree
from labkit.crash.zygote.zygote import Zygote

DOWNTIME = 60.0
"""Virtual seconds between a crash and the restart."""


class Explorer:
    """A program whose sandbox starts from the same tree each time, and its world from the same memory."""

    def __init__(self, zygote: Zygote, programs: Programs) -> None:
        """Record the run. NotExploredError if it does not come to its end."""
        self.zygote, self.programs = zygote, programs
        self.sandbox = zygote.folder / "sandbox"
        self.tree: Tree = {}
        self.memory = Memory()
        self.restarts: dict[str, list[Left]] = {}
        if programs.setup is not None:
            ending = self._perform(programs.job("setup"), {}, self.memory)
            if ending.how is not How.RETURNED:
                raise NotExploredError(f"setup {ending.words}", ending.failure.lines)
            self.tree, self.memory = read_tree(self.sandbox), ending.memory
        self.recording = self._record()
        if preload(self.recording.returned.loaded):
            self.recording = self._record()  # to import a module may draw numbers, and the others will not import it
        if self.recording.how is not How.RETURNED:
            raise NotExploredError(f"run {self.recording.words}", self.recording.failure.lines)
        if outside := [news.path for news in self.recording.news if isinstance(news, Outside)]:
            raise NotExploredError(f"run wrote to {outside[0]}, outside its folder, where no crash was explored")
        _check_requests(self.recording, self.memory)

    def points(self, part: range, zygote: Zygote) -> Explored:
        """Explore some crash points by this zygote, up to the first that cannot be explored."""
        self.zygote, self.sandbox = zygote, zygote.folder / "sandbox"
        before = zygote.processes
        explored = Explored()
        try:
            explored.points.extend(self.point(k) for k in part)
        except NotExploredError as error:
            explored.problem, explored.lines = str(error), error.lines
        explored.processes = zygote.processes - before
        return explored

    def point(self, k: int) -> PointLeft:
        """Crash at point k in every way asked for, recover in a fresh process, and ask the invariant in a third."""
        job = self.programs.job("run", stop=Stop(k))
        ending, disk, memory = self._kill(job, self.tree, self.memory, self.recording.labels)
        outcomes = [replace(left, model=KILLED) for left in self._restart(disk.tree(), memory, self.programs.depth)]
        if self.programs.power:
            on_ext4 = self._power_cuts(replayed(self.tree, ending, ext4=True), memory)
            fails_on_ext4 = {left.loss for left in on_ext4 if left.failure}
            outcomes += [replace(left, ext4=left.loss in fails_on_ext4) for left in self._power_cuts(disk, memory)]
        return PointLeft(k, outcomes, ending.output)

    def _record(self) -> Ending:
        return self._perform(self.programs.job("run", stop=Stop()), self.tree, self.memory)

    def _power_cuts(self, disk: Disk, memory: Memory) -> list[Left]:
        """Recover from each tree that a power cut may leave and a kill does not."""
        seen, outcomes = [disk.tree()], []
        for loss, tree in disk.power_cuts():
            if tree not in seen:
                seen.append(tree)
                outcomes.append(replace(self._restart(tree, memory, 1)[0], model=POWER_CUT, loss=loss))
        return outcomes

    def _perform(self, job: Job, tree: Tree, memory: Memory) -> Ending:
        write_tree(self.sandbox, tree)
        return self.zygote.perform(job, memory, self.sandbox)

    def _kill(self, job: Job, tree: Tree, memory: Memory, labels: list[str]) -> tuple[Ending, Disk, Memory]:
        """Kill a run that was recorded. It must be that run, and must have left what the recording says."""
        ending, k = self._perform(job, tree, memory), job.stop.at
        if ending.how is not How.STOPPED or ending.status != -9:
            raise NotExploredError(f"crash point {k} was not reached: the {job.role} {ending.words}")
        if ending.labels != labels[:k]:
            raise NotExploredError(
                f"NONDETERMINISTIC: the {job.role}, repeated with the same seed, did {ending.labels} "
                f"where it had done {labels[:k]}: threads, or chance and time from outside Python?"
            )
        _check_requests(ending, memory)
        disk = replayed(tree, ending)
        if names := differing(disk.tree(), read_tree(self.sandbox)):
            raise NotExploredError(
                f"something changed {', '.join(names)} that the crash lab did not see (seen before crash point {k}: "
                f"{', '.join(ending.labels) or 'nothing'}), so not every crash point was explored"
            )
        return ending, disk, ending.memory.later(DOWNTIME)

    def _restart(self, tree: Tree, memory: Memory, depth: int, life: int = 0) -> list[Left]:
        """Recover from what was left; with depth 2, also kill that recovery at each of its crash points."""
        left = json.dumps([shown(tree, "latin-1"), memory, depth, life], default=vars)
        if left not in self.restarts:  # recovery is deterministic: the same start, the same outcomes
            self.restarts[left] = [self._recover(tree, memory, life)]
            if depth > 1:
                self.restarts[left] += self._kill_recovery(tree, memory)
        return self.restarts[left]

    def _recover(self, tree: Tree, memory: Memory, life: int) -> Left:
        recovered = self._perform(self.programs.job("recover", life=life), tree, memory)
        after, role, failure = read_tree(self.sandbox), "recover", recovered.failure
        if recovered.how is How.RETURNED:
            given = {"state": recovered.returned.value, **recovered.memory.world}
            asked = self.zygote.perform(self.programs.job("invariant", given=given), recovered.memory, self.sandbox)
            role, failure = "invariant", None if asked.how is How.RETURNED else asked.failure
        before, after = {**shown(tree), **tables(memory)}, {**shown(after), **tables(recovered.memory)}
        return Left(role, failure, before, after, recovered.memory.world["ledger"], recovered.output)

    def _kill_recovery(self, tree: Tree, memory: Memory) -> list[Left]:
        recording = self._perform(self.programs.job("recover", stop=Stop()), tree, memory)
        outcomes = []
        for j in range(len(recording.effects) + 1 if recording.how is How.RETURNED else 0):
            job = self.programs.job("recover", stop=Stop(j))
            _, disk, later = self._kill(job, tree, memory, recording.labels)
            again = ["the start", *recording.labels][j]
            outcomes += [replace(left, again=again) for left in self._restart(disk.tree(), later, 1, life=1)]
        return outcomes


def _check_requests(ending: Ending, memory: Memory) -> None:
    """Each request that the model server has had must be an effect that was seen."""
    served = [each.world["model"].get("requests", 0) for each in (memory, ending.memory)]
    seen = sum(effect.op in {"GET", "POST"} for effect in ending.effects)
    if served[1] - served[0] > seen:
        raise NotExploredError(
            f"the model was asked {served[1] - served[0]} times, and the crash lab saw {seen} of them: "
            "make the client by labkit.llm.client"
        )


def replayed(tree: Tree, ending: Ending, *, ext4: bool = False) -> Disk:
    """The model of the disk after the effects of a run."""
    disk = Disk(tree, ext4=ext4)
    for news in ending.news:
        if isinstance(news, Opened):
            disk.bind(news.handle, news.path)
        elif isinstance(news, Done):
            disk.apply(news)
    return disk
