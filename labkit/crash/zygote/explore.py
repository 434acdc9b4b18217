"""A sweep, as the zygote's process does it: record a run, kill it at every crash point, recover, ask the invariant.

It handles plain data only: the code under test stays pickled until a child loads it.
"""

import json

from labkit.crash.jobs import Job, Programs, Stop
from labkit.crash.preload import preload
from labkit.crash.report.findings import KILLED, POWER_CUT
from labkit.crash.world_process.database import tables
from labkit.crash.zygote.disk import Disk
from labkit.crash.zygote.trees import Tree, read_tree, shown, write_tree
from labkit.crash.zygote.zygote import Ending, Memory, NotExploredError, Told, Zygote
from labkit.world import World

DOWNTIME = 60.0
"""Virtual seconds between a crash and the restart."""


class Explorer:
    """A program whose sandbox starts from the same tree each time, and its world from the same memory."""

    def __init__(self, zygote: Zygote, programs: Programs) -> None:
        """Record the run. NotExploredError if it does not come to its end."""
        self.zygote, self.programs = zygote, programs
        self.sandbox = zygote.folder / "sandbox"
        self.start: tuple[Tree, Memory] = {}, World().to_json()
        self.restarts: dict[str, list[Told]] = {}
        if programs.setup is not None:
            ending = self._perform(programs.job("setup"), *self.start)
            if ending.how != "returned":
                raise NotExploredError(f"setup {ending.failure}", ending.last.get("lines"))
            self.start = read_tree(self.sandbox), ending.memory
        self.recording = self._record()
        if preload(self.recording.last.get("loaded", ())):
            self.recording = self._record()  # to import a module may draw numbers, and the others will not import it
        if self.recording.how != "returned":
            raise NotExploredError(f"run {self.recording.failure}", self.recording.last.get("lines"))
        if outside := [event["path"] for event in self.recording.events if event["event"] == "outside"]:
            raise NotExploredError(f"run wrote to {outside[0]}, outside its folder, where no crash was explored")
        self._check_requests(self.recording, self.start[1])

    def points(self, part: range, zygote: Zygote) -> Told:
        """Explore some crash points by this zygote, up to the first that cannot be explored."""
        self.zygote, self.sandbox = zygote, zygote.folder / "sandbox"
        before = zygote.processes
        points: list[Told] = []
        problem, lines = None, []
        try:
            points.extend(self.point(k) for k in part)
        except NotExploredError as error:
            problem, lines = str(error), error.lines
        return {"points": points, "problem": problem, "lines": lines, "processes": zygote.processes - before}

    def point(self, k: int) -> Told:
        """Crash at point k in every way asked for, recover in a fresh process, and ask the invariant in a third."""
        ending, disk, memory = self._kill(self.programs.job("run", stop=Stop(k)), *self.start, self.recording.labels)
        left = disk.tree()
        outcomes = [{**told, "model": KILLED} for told in self._restart(left, memory, self.programs.depth)]
        if self.programs.power:
            on_ext4 = self._power_cuts(replayed(self.start[0], ending, ext4=True), memory)
            fails_on_ext4 = {told["loss"] for told in on_ext4 if not told["survives"]}
            outcomes += [{**told, "ext4": told["loss"] in fails_on_ext4} for told in self._power_cuts(disk, memory)]
        return {"k": k, "outcomes": outcomes, "output": ending.output}

    def _record(self) -> Ending:
        return self._perform(self.programs.job("run", stop=Stop()), *self.start)

    def _power_cuts(self, disk: Disk, memory: Memory) -> list[Told]:
        """Recover from each tree that a power cut may leave and a kill does not."""
        seen, outcomes = [disk.tree()], []
        for loss, tree in disk.power_cuts():
            if tree not in seen:
                seen.append(tree)
                outcomes.append({**self._restart(tree, memory, 1)[0], "model": POWER_CUT, "loss": loss})
        return outcomes

    def _perform(self, job: Job, tree: Tree, memory: Memory) -> Ending:
        write_tree(self.sandbox, tree)
        return self.zygote.perform(job, memory, self.sandbox)

    def _kill(self, job: Job, tree: Tree, memory: Memory, labels: list[str]) -> tuple[Ending, Disk, Memory]:
        """Kill a run that was recorded. It must be that run, and must have left what the recording says."""
        ending, k = self._perform(job, tree, memory), job.stop.at
        if ending.how != "stopped" or ending.status != -9:
            raise NotExploredError(f"crash point {k} was not reached: the {job.role} {ending.failure}")
        if ending.labels != labels[:k]:
            raise NotExploredError(
                f"NONDETERMINISTIC: the {job.role}, repeated with the same seed, did {ending.labels} "
                f"where it had done {labels[:k]}: threads, or chance and time from outside Python?"
            )
        self._check_requests(ending, memory)
        disk, there = replayed(tree, ending), read_tree(self.sandbox)
        expected = disk.tree()
        if expected != there:
            names = [n for n in sorted({*expected, *there}) if expected.get(n, 0) != there.get(n, 0)]
            raise NotExploredError(
                f"something changed {', '.join(names)} that the crash lab did not see (seen before crash point {k}: "
                f"{', '.join(ending.labels) or 'nothing'}), so not every crash point was explored"
            )
        return ending, disk, {**ending.memory, "elapsed": ending.memory["elapsed"] + DOWNTIME}

    def _check_requests(self, ending: Ending, memory: Memory) -> None:
        """Each request that the model server has had must be an effect that was seen."""
        served = [each["model"].get("requests", 0) for each in (memory, ending.memory)]
        seen = sum(effect["op"] in {"GET", "POST"} for effect in ending.effects)
        if served[1] - served[0] > seen:
            raise NotExploredError(
                f"the model was asked {served[1] - served[0]} times, and the crash lab saw {seen} of them: "
                "make the client by labkit.llm.client"
            )

    def _restart(self, tree: Tree, memory: Memory, depth: int, life: int = 0) -> list[Told]:
        """Recover from what was left; with depth 2, also kill that recovery at each of its crash points."""
        left = json.dumps([shown(tree, "latin-1"), memory, depth, life])
        if left not in self.restarts:  # recovery is deterministic: from the same, the same follows
            self.restarts[left] = [self._recover(tree, memory, life)]
            if depth > 1:
                self.restarts[left] += self._kill_recovery(tree, memory)
        return self.restarts[left]

    def _recover(self, tree: Tree, memory: Memory, life: int) -> Told:
        recovered = verdict = self._perform(self.programs.job("recover", life=life), tree, memory)
        after = read_tree(self.sandbox)
        if recovered.how == "returned":
            given = {"state": recovered.last["value"], **recovered.memory}
            job = self.programs.job("invariant", given=given)
            verdict = self.zygote.perform(job, recovered.memory, self.sandbox)
        return {
            "survives": verdict.how == "returned",
            "role": "recover" if verdict is recovered else "invariant",
            "failure": verdict.last if verdict.how == "raised" else {"error": "", "text": verdict.failure},
            "before": {**shown(tree), **tables(memory)},
            "after": {**shown(after), **tables(recovered.memory)},
            "ledger": recovered.memory["ledger"],
            "output": recovered.output,
        }

    def _kill_recovery(self, tree: Tree, memory: Memory) -> list[Told]:
        recording = self._perform(self.programs.job("recover", stop=Stop()), tree, memory)
        outcomes = []
        for j in range(len(recording.effects) + 1 if recording.how == "returned" else 0):
            job = self.programs.job("recover", stop=Stop(j))
            _, disk, later = self._kill(job, tree, memory, recording.labels)
            again = ["the start", *recording.labels][j]
            outcomes += [{**told, "again": again} for told in self._restart(disk.tree(), later, 1, life=1)]
        return outcomes


def replayed(tree: Tree, ending: Ending, *, ext4: bool = False) -> Disk:
    """The model of the disk after the effects of a run."""
    disk = Disk(tree, ext4=ext4)
    for event in ending.events:
        if event["event"] == "handle":
            disk.bind(event["handle"], event["path"])
        elif event["event"] == "effect":
            disk.apply(event["op"], event)
    return disk
