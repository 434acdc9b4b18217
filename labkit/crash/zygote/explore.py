"""A sweep, as the zygote's process does it: record a run, kill it at every crash point, recover, ask the invariant.

It handles plain data only: the code under test stays pickled until a child loads it.
"""

import json
from dataclasses import replace

from labkit.crash.asked import Explored, Failure, Left, PointLeft
from labkit.crash.jobs import Job, Memory, Programs, Stop
from labkit.crash.report.findings import KILLED, POWER_CUT
from labkit.crash.world_process.database import tables
from labkit.crash.zygote.disk import Disk
from labkit.crash.zygote.endings import Ending, How, NotExploredError
from labkit.crash.zygote.evidence import check_explained, check_let, check_repeats, check_requests, replayed
from labkit.crash.zygote.imports import meet
from labkit.crash.zygote.patience import Over
from labkit.crash.zygote.power_cuts import power_cuts
from labkit.crash.zygote.trees import Tree, digest, read_tree, shown, write_tree
from labkit.crash.zygote.zygote import Zygote

DOWNTIME = 60.0
"""Virtual seconds between a crash and the restart."""
SEEDS = {"run": 0, "recover": 1, "setup": 3}
"""By which texts are hashed; each further life has the next. Only where a program hashes: each but 0 costs a start."""
BUSY = "the machine is busy with other things; ask again"
IMPORTS = 4
"""How often a child begins anew with what it wanted to import: a refused one had not come to its last import."""
LONGEST = 20_000
"""Bytes of a file that are shown of it, at each crash point."""


class Explorer:
    """A program whose sandbox starts from the same tree each time, and its world from the same memory."""

    def __init__(self, zygote: Zygote, programs: Programs) -> None:
        """Record the run. NotExploredError if it does not come to its end."""
        self.zygote, self.programs = zygote, programs
        self.sandbox, self.tmp = zygote.folder / "sandbox", zygote.tmp
        self.tree: Tree = {}
        self.memory = Memory()
        self.hashes = False
        """Whether the program may hash texts, so that each life must hash them otherwise."""
        self.restarts: dict[tuple[bytes, str], list[Left]] = {}
        self.verdicts: dict[tuple[bytes, str], Failure | None] = {}
        """What the invariant has said of what was left."""
        self.lies: Tree | None = None
        """What a kill has just left in the sandbox: who goes on from it finds the very same files (st_ino)."""
        if programs.setup is not None:
            ending = self._perform(programs.job("setup"), {}, self.memory)
            check_let("setup", ending)
            if ending.returned.hashes:
                self.hashes = True
                ending = self._perform(programs.job("setup"), {}, self.memory)
            if ending.how is not How.RETURNED:
                raise NotExploredError(f"setup {ending.words}", ending.failure.lines)
            self.tree, self.memory = read_tree(self.sandbox, self.tmp), ending.memory
        self.recording = self._record()
        check_let("run", self.recording)
        if self.recording.how is not How.RETURNED:
            raise NotExploredError(f"run {self.recording.words}", self.recording.failure.lines)
        check_requests(self.recording, self.memory)
        self.hashes = self.hashes or self.recording.returned.hashes

    @property
    def seeds(self) -> range:
        """By which texts are hashed in the restarts."""
        return range(SEEDS["recover"], SEEDS["recover"] + self.programs.depth if self.hashes else 0)

    def points(self, part: range, zygote: Zygote) -> Explored:
        """Explore some crash points by this zygote, up to the first that cannot be explored."""
        self.zygote, self.sandbox, self.tmp, self.lies = zygote, zygote.folder / "sandbox", zygote.tmp, None
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
        ending, disk, tree, memory = self._kill(job, self.tree, self.memory, self.recording)
        outcomes = [replace(left, model=KILLED) for left in self._restart(tree, memory, self.programs.depth)]
        if self.programs.power:
            native = {name: content for name, content in tree.items() if name in ending.native}
            on_ext4 = self._power_cuts(replayed(self.tree, ending, ext4=True), native, memory)
            fails_on_ext4 = {left.loss for left in on_ext4 if left.failure}
            cuts = self._power_cuts(disk, native, memory)
            outcomes += [replace(left, ext4=left.loss in fails_on_ext4) for left in cuts]
        return PointLeft(k, outcomes, ending.output)

    def _record(self) -> Ending:
        return self._perform(self.programs.job("run", stop=Stop()), self.tree, self.memory)

    def _power_cuts(self, disk: Disk, native: Tree, memory: Memory) -> list[Left]:
        """Recover from each tree that a power cut may leave and a kill does not. What C code wrote stays as it is."""
        disk.take(native)
        seen, outcomes = [disk.tree()], []
        for loss, tree in power_cuts(disk):
            if tree not in seen:
                seen.append(tree)
                outcomes += [replace(left, model=POWER_CUT, loss=loss) for left in self._restart(tree, memory, 1)]
        return outcomes

    def _perform(self, job: Job, tree: Tree, memory: Memory) -> Ending:
        """How a job ended, which begins from `tree`. NotExploredError if the machine was too busy to know."""
        ending = self._attempt(job, tree, memory)
        for _ in range(IMPORTS):  # to import a module takes time, may draw numbers, and no other child does
            if not meet(self.zygote, ending.loaded):
                break
            ending = self._attempt(job, tree, memory)
        if ending.how is How.HUNG and ending.over is not Over.WORKED:  # on a busy machine, that is no verdict yet
            ending = self._attempt(job, tree, memory)
        if ending.how is How.HUNG:
            if ending.over is Over.KEPT:
                raise NotExploredError(f"{job.role} took too long here, which is no verdict: {BUSY}")
            self.zygote.hurry()
        return ending

    def _attempt(self, job: Job, tree: Tree, memory: Memory) -> Ending:
        if tree is not self.lies:
            write_tree(self.sandbox, self.tmp, tree)
        self.lies = None
        seed = SEEDS.get(job.role, 0) + job.life if self.hashes else 0
        return self.zygote.perform_by_seed(seed, job, memory, self.sandbox)

    def _kill(self, job: Job, tree: Tree, memory: Memory, recording: Ending) -> tuple[Ending, Disk, Tree, Memory]:
        """Kill a run that was recorded, and return what it left: that must be what its effects explain."""
        ending, k = self._perform(replace(job, expected=recording.news), tree, memory), job.stop.at
        check_repeats(job, ending, recording)
        check_requests(ending, memory)
        left, disk = read_tree(self.sandbox, self.tmp), replayed(tree, ending)
        check_explained(k, ending, disk, left)
        self.lies = left
        return ending, disk, left, ending.memory.later(DOWNTIME)

    def _restart(self, tree: Tree, memory: Memory, depth: int, life: int = 0) -> list[Left]:
        """Recover from what was left; with depth 2, also kill that recovery at each of its crash points."""
        left = digest(tree), json.dumps([memory, depth, life], default=vars)
        if left not in self.restarts:  # recovery is deterministic: from the same, the same follows
            self.restarts[left] = self._recover(tree, memory, life)
            if depth > 1:
                self.restarts[left] += self._kill_recovery(tree, memory)
        return self.restarts[left]

    def _recover(self, tree: Tree, memory: Memory, life: int) -> list[Left]:
        """What the restart comes to; once more with a stranger's process, if it asks who has the id of the dead one."""
        job = self.programs.job("recover", life=life)
        recovered, left = self._ask(job, tree, memory)
        if not recovered.asked:
            return [left]
        _, with_stranger = self._ask(replace(job, stranger=True), tree, memory)
        return [left, replace(with_stranger, stranger=recovered.asked[0])]

    def _ask(self, job: Job, tree: Tree, memory: Memory) -> tuple[Ending, Left]:
        recovered = self._perform(job, tree, memory)
        check_let("recover", recovered)
        after, role, failure = read_tree(self.sandbox, self.tmp), "recover", recovered.failure
        if recovered.how is How.RETURNED:
            role, failure = "invariant", self._judged(recovered, after)
        before = {**shown(tree, LONGEST), **tables(memory)}
        after = {**shown(after, LONGEST), **tables(recovered.memory)}
        return recovered, Left(role, failure, before, after, recovered.memory.world["ledger"], recovered.output)

    def _judged(self, recovered: Ending, tree: Tree) -> Failure | None:
        """What the invariant finds wrong with what a recovery left: asked once of the same."""
        left = digest(tree), json.dumps([recovered.returned.value, recovered.memory], default=vars)
        if left not in self.verdicts:
            given = {"state": recovered.returned.value, **recovered.memory.world}
            asked = self.zygote.perform(self.programs.job("invariant", given=given), recovered.memory, self.sandbox)
            check_let("invariant", asked)
            self.verdicts[left] = None if asked.how is How.RETURNED else asked.failure
        return self.verdicts[left]

    def _kill_recovery(self, tree: Tree, memory: Memory) -> list[Left]:
        recording = self._perform(self.programs.job("recover", stop=Stop()), tree, memory)
        outcomes = []
        for j in range(len(recording.effects) + 1 if recording.how is How.RETURNED else 0):
            job = self.programs.job("recover", stop=Stop(j))
            *_, left, later = self._kill(job, tree, memory, recording)
            again = ["the start", *recording.labels][j]
            outcomes += [replace(each, again=again) for each in self._restart(left, later, 1, life=1)]
        return outcomes
