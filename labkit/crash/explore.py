"""What the zygote's process does on request: record a run, kill it at every crash point, recover, ask the invariant.

It speaks plain data: the code under test stays pickled until a child loads it.
"""

import gc
import importlib
import json
import pickle
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from labkit.crash.child import Job
from labkit.crash.disk import Disk, Tree, read_tree, write_tree
from labkit.crash.trace import Stop
from labkit.crash.zygote import Ending, Memory, Zygote
from labkit.world import World, tell

DOWNTIME = 60.0
"""Virtual seconds between a crash and the restart."""


class NotExploredError(Exception):
    """The sweep cannot go on, or would prove nothing. Its text says why; `lines` where."""

    def __init__(self, text: str, lines: list[Any] | None = None) -> None:
        super().__init__(text)
        self.lines = lines or []


@dataclass
class Programs:
    """The code under test, pickled."""

    run: bytes
    recover: bytes
    invariant: bytes
    setup: bytes | None = None
    path: tuple[str, ...] = ()

    def job(self, role: str, **options: Any) -> Job:
        """What a child in this role is to do."""
        return Job(role, getattr(self, role), path=self.path, **options)


@dataclass
class Explorer:
    """One sweep: a sandbox that starts from the same tree and a world that starts from the same memory every time."""

    zygote: Zygote
    programs: Programs

    def __post_init__(self) -> None:
        self.sandbox = self.zygote.folder / "sandbox"
        self.tree: Tree = {}
        self.memory: Memory = World().to_json()
        self.restarts: dict[str, dict[str, Any]] = {}
        write_tree(self.sandbox, {})
        if self.programs.setup is not None:
            ending = self.zygote.perform(self.programs.job("setup"), self.memory, self.sandbox)
            if ending.how != "returned":
                raise NotExploredError(f"setup {failure(ending)}", ending.last.get("lines"))
            self.tree, self.memory = read_tree(self.sandbox), ending.memory
        self.recording = self._run(None)
        if self.recording.how != "returned":
            raise NotExploredError(f"run {failure(self.recording)}", self.recording.last.get("lines"))

    def _run(self, at: int | None) -> Ending:
        write_tree(self.sandbox, self.tree)
        return self.zygote.perform(self.programs.job("run", stop=Stop(at)), self.memory, self.sandbox)

    def point(self, k: int) -> dict[str, Any]:
        """Kill the run at crash point k, recover in a fresh process, and ask the invariant in a third."""
        crashed = self._run(k)
        before = read_tree(self.sandbox)
        self._check(k, crashed, before)
        memory = {**crashed.memory, "elapsed": crashed.memory["elapsed"] + DOWNTIME}
        left = json.dumps([shown(before, "latin-1"), memory])
        if left not in self.restarts:  # recovery is deterministic: from what was left, the same thing happens again
            self.restarts[left] = self._restart(memory)
        restarted = self.restarts[left]
        return {**restarted, "k": k, "before": shown(before), "output": crashed.output + restarted["output"]}

    def _restart(self, memory: Memory) -> dict[str, Any]:
        recovered = self.zygote.perform(self.programs.job("recover"), memory, self.sandbox)
        after = read_tree(self.sandbox)
        verdict = recovered
        if recovered.how == "returned":
            given = {"state": recovered.last["value"], **recovered.memory}
            verdict = self.zygote.perform(self.programs.job("invariant", given=given), recovered.memory, self.sandbox)
        return {
            "survives": verdict.how == "returned",
            "role": "recover" if verdict is recovered else "invariant",
            "failure": verdict.last if verdict.how == "raised" else {"error": "", "text": failure(verdict)},
            "after": shown(after),
            "ledger": recovered.memory["ledger"],
            "output": recovered.output,
        }

    def _check(self, k: int, crashed: Ending, tree: Tree) -> None:
        """The killed run must be the recorded one, up to here, and must have left what the recording says."""
        if crashed.how != "stopped" or crashed.status != -9:
            raise NotExploredError(f"crash point {k} was not reached: the run {failure(crashed)}")
        if crashed.labels != self.recording.labels[:k]:
            raise NotExploredError(
                "NONDETERMINISTIC: run again with the same seed, it did "
                f"{crashed.labels} where it had done {self.recording.labels[:k]}"
            )
        model = Disk(self.tree)
        for event in crashed.events:
            if event["event"] == "handle":
                model.bind(event["handle"], event["path"])
            elif event["event"] == "effect":
                model.apply(event["op"], event)
        expected = model.tree()
        if expected != tree:
            names = [n for n in sorted({*expected, *tree}) if expected.get(n, 0) != tree.get(n, 0)]
            raise NotExploredError(
                f"something changed {', '.join(names)} that the crash lab did not see (seen before crash point {k}: "
                f"{', '.join(crashed.labels) or 'nothing'}), so not every crash point was explored"
            )


def sweep(zygote: Zygote, programs: Programs) -> dict[str, Any]:
    """Explore every crash point. Whatever stands in the way is the answer's `problem`."""
    answer: dict[str, Any] = {"effects": [], "points": [], "problem": None, "lines": []}
    try:
        explorer = Explorer(zygote, programs)
        answer["effects"] = [{key: e[key] for key in ("op", "target", "lines")} for e in explorer.recording.effects]
        for k in range(len(explorer.recording.effects) + 1):
            answer["points"].append(explorer.point(k))
    except NotExploredError as problem:
        answer |= {"problem": str(problem), "lines": problem.lines}
    return answer


def replay(zygote: Zygote, programs: Programs, k: int) -> dict[str, Any]:
    """Explore crash point k again."""
    return Explorer(zygote, programs).point(k)


def trial(zygote: Zygote, job: Job, memory: Memory, sandbox: Path | None, setup: Job | None) -> dict[str, Any]:
    """Run a job once, in `sandbox` as it is or in an empty one."""
    folder = sandbox or zygote.folder / "sandbox"
    if sandbox is None:
        write_tree(folder, {})
    if setup is not None:
        ending = zygote.perform(setup, memory, folder)
        if ending.how != "returned":
            raise NotExploredError(f"setup {failure(ending)}")
        memory = ending.memory
    ending = zygote.perform(job, memory, folder)
    files = shown(read_tree(folder)) if sandbox is None else {}
    answer = {"how": ending.how, "failure": failure(ending), "last": ending.last, "labels": ending.labels}
    return {**answer, "files": files, "memory": ending.memory, "output": ending.output}


def failure(ending: Ending) -> str:
    """How a child ended, as the predicate of a sentence."""
    match ending.how:
        case "raised":
            return f"raised {ending.last['error']}: {ending.last['text']}"
        case "hung":
            return "did not end in time"
        case "flooded":
            return f"had more effects than the limit allows, at {len(ending.effects) - 1}"
        case "died":
            return f"ended by itself, with exit status {ending.status}"
    return ending.how


def shown(tree: Tree, encoding: str = "utf-8") -> dict[str, str | None]:
    """A tree as text."""
    return {
        name: content.decode(encoding, "replace") if isinstance(content, bytes) else content
        for name, content in tree.items()
    }


def main() -> None:
    """The zygote's process: answer requests. Arguments: the descriptor of its parent's socket, and its folder."""
    channel, folder = Connection(int(sys.argv[1])), Path(sys.argv[2])
    zygote = Zygote(folder)
    actions = {"sweep": sweep, "replay": replay, "trial": trial}
    while True:
        try:
            request = pickle.loads(channel.recv_bytes())  # noqa: S301 - from our own parent
        except EOFError:  # the parent is gone, perhaps killed: what it cannot tidy up any more is ours to remove
            shutil.rmtree(folder, ignore_errors=True)
            return
        preload(request.pop("preload"))
        zygote.seconds, zygote.limit = request.pop("seconds"), request.pop("limit")
        try:
            answer = actions[request.pop("action")](zygote, **request)
        except NotExploredError as problem:
            answer = {"problem": str(problem)}
        tell(channel, answer)


def preload(modules: list[str]) -> None:
    """Import here what every child would import again. What cannot be loaded here, the child will report."""
    new = [module for module in modules if module not in sys.modules]
    for module in new:
        with suppress(Exception):
            importlib.import_module(module)
    if new:
        gc.collect()
        gc.freeze()
