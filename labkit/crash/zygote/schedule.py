"""One order with real children: the machine that `walk` runs.

Each worker is a child of the zygote, on the same sandbox, world and database. Each stands before its next step; it gets
the virtual time with its turn. Time itself can be a participant, and so can whoever kills one of the workers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from labkit.crash.asked import Race
from labkit.crash.jobs import Among, Memory, Stop
from labkit.crash.race.footprints import Step, followed, touches
from labkit.crash.race.node import Standing
from labkit.crash.race.walk import Took
from labkit.crash.zygote.blocking import blockers, holders
from labkit.crash.zygote.polling import Alone, polls
from labkit.crash.zygote.workers import Taken, Worker
from labkit.crash.zygote.zygote import Zygote
from labkit.isolation import process

KILL = "kill "
"""How a participant is called that kills the worker named behind it."""
CLOCK = ("clock",)


@dataclass
class Schedule:
    """The participants of one execution."""

    race: Race
    zygote: Zygote
    among: Among
    elapsed: float
    workers: dict[str, Worker] = field(default_factory=dict)
    passing: dict[str, float] = field(default_factory=dict)
    """Time that is still to pass, by participant."""
    files: dict[str, str] = field(default_factory=dict)
    taken: list[Taken] = field(default_factory=list)
    killed: str = ""
    alone: Alone = field(default_factory=Alone)
    crowded: bool = False
    """Whether somebody was not let wait behind another, though it makes a difference."""

    def begin(self, memory: Memory) -> None:
        """Start every worker, and wait until each stands before its first step."""
        folder = self.zygote.folder / "sandbox"
        client = self.zygote.world.begin(memory, may_arrange=False)
        for number, (name, code) in enumerate(self.race.workers.items()):
            if isinstance(code, float):
                self.passing[name] = code
                continue
            output = self.zygote.folder / f"output{number}"
            worker = Worker(name, number, self.zygote.limits.seconds, output=output, files=self.files)
            client = client or self.zygote.world.join()
            job = self.race.job("worker", code, stop=Stop(), life=number, among=self.among)
            worker.pid, worker.channel = self.zygote.start(job, client, folder, self.elapsed, worker.output)
            self.workers[name] = worker
            client = None
        for worker in self.workers.values():
            worker.listen(self._is_blocked)

    def pending(self) -> dict[str, Step]:
        """Everybody's next step."""
        return dict(self._pending())

    def _pending(self) -> Iterator[tuple[str, Step]]:
        for name, code in self.race.workers.items():
            if name in self.passing:
                yield name, Step("time passes", f"{code:g} s", frozenset({(CLOCK, True)}))
            elif name in self.workers and (step := self.workers[name].step):
                yield name, Step(step.op, step.target, step.touches | {(("life", name), False)}, step.lines)
        if self.race.crash and not self.killed:
            for worker in self.workers.values():
                if worker.step:
                    yield f"{KILL}{worker.name}", self._kill_of(worker)

    def _kill_of(self, worker: Worker) -> Step:
        """Its death, which frees what it holds."""
        told = {(("life", worker.name), True), (("kill",), True)}
        return Step("killed", "", frozenset(told) | touches(worker.held))

    def standing(self) -> Standing:
        """Who waits for a lock; who polls, for ever or not, while others can do something: see `walk.Machine`."""
        pending, stubborn = self.pending(), self.alone.stubborn
        begun = [w for w in self.workers.values() if w.has_begun]
        never = {*(w.name for w in begun), *(f"{KILL}{w.name}" for w in begun if w.inside)}
        if self.alone.name:
            return Standing(pending, {*pending} - {self.alone.name}, never)
        waiting, idle = self._waiting()
        inside = {f"{KILL}{w.name}" for w in self.workers.values() if w.inside}  # nobody is killed in mid-statement
        return Standing(pending, waiting | inside | (idle & stubborn), never, idle - stubborn)

    def _waiting(self) -> tuple[set[str], set[str]]:
        """Who waits for a lock; who polls, unless nobody else can do anything."""
        waiting = {
            w.name
            for w in self.workers.values()
            if w.step and (w.inside or w.lock or holders(self.workers.values(), w))
        }
        idle = {w.name for w in self.workers.values() if w.step and w.idle} - waiting
        others = {*self.passing, *(w.name for w in self.workers.values() if w.step)} - waiting - idle
        return waiting, idle if others else set()

    def in_vain(self) -> bool:
        """Whether who was let on polls and polls: see `walk.Machine`."""
        return self.alone.in_vain()

    def take(self, name: str) -> Took:
        """Let somebody take a step: see `walk.Machine`."""
        step = self.pending()[name]
        if name in self.standing().polling:
            self.alone.begin(name)
        if name in self.passing:
            self.elapsed = self.zygote.world.ask("pass", self.passing.pop(name))
        elif name.startswith(KILL) and name not in self.workers:
            self.killed = name.removeprefix(KILL)
            self.workers[self.killed].kill()
            self._wait_until_gone(self.workers[self.killed])
        else:
            worker, backend = self.workers[name], self.workers[name].backend
            if worker.final:
                worker.leave()
                self._wait_until_gone(worker)
            else:
                worker.let(self.elapsed)
                worker.listen(self._is_blocked)
            if worker.inside or worker.lock:
                took = self._waits(worker)
                if took is Took.BEGUN:
                    self._note(name, replace(step, op=f"{step.op} (waits)"))
                return took
            if step.op == "CLOSE":
                self.zygote.world.ask("gone", [backend])
                worker.backends.discard(backend)
        self._note(name, step)
        return Took.DONE

    def _waits(self, worker: Worker) -> Took:
        others = [w for w in self.workers.values() if w.inside and w is not worker]
        if worker.inside and others and self.zygote.world.ask("is_behind", worker.backend):
            if not all(w.has_begun for w in others):
                return Took.PRECEDED
            self.crowded = self.crowded or worker.begins
            return Took.BEHIND
        return Took.BEGUN if worker.has_begun else Took.BLOCKED

    def _note(self, name: str, step: Step) -> None:
        """A step was taken: who may go on because of it."""
        worker = self.workers.get(name)
        writes = step.writes and not (worker and worker.in_vain)
        self.taken.append(Taken(name, step, worker.saw if worker else "", writes))
        changed = {thing for thing, written in step.touches if written and writes}
        for other in self.workers.values():
            if other.lock in changed:
                other.lock = None
            other.idle = other.idle and (other is worker or not changed - {CLOCK})
            if other.step and step.op == "rename":
                other.step = followed(other.step, *step.target.split(" → "))
        if worker:
            self.elapsed = max(self.elapsed, worker.elapsed)
            worker.idle = polls([taken for taken in self.taken if taken.worker == name])
            self.alone.taken(self.taken[-1], at_its_end=not worker.step)

    def let_through(self) -> list[str]:
        """Whose statements have ended: see `walk.Machine`."""
        through: list[str] = []
        while True:
            found = [worker for worker in self.workers.values() if worker.inside and self._is_through(worker)]
            through += [worker.name for worker in found]
            if not found:
                return through

    def _is_through(self, worker: Worker) -> bool:
        step = self.pending()[worker.name]
        worker.listen(self._is_blocked)
        if worker.inside:
            return False
        self._note(worker.name, step)
        return True

    def _is_blocked(self, worker: Worker) -> bool:
        return bool(self.blockers(worker))

    def blockers(self, worker: Worker) -> list[str]:
        """For whom a worker waits."""
        return blockers(self.zygote.world, self.workers.values(), worker)

    def _wait_until_gone(self, worker: Worker) -> None:
        if worker.backends and not worker.step:
            self.zygote.world.ask("gone", sorted(worker.backends))

    def end(self) -> str:
        """Kill whoever is left; what all have printed."""
        for worker in self.workers.values():
            worker.stop()
        process.end_children(but=self.zygote.beside)
        return "".join(w.output.read_text(errors="replace") for w in self.workers.values() if w.output.exists())
