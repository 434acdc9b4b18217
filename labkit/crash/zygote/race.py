"""All orders of a race, as the zygote's process runs them: setup once, each order from the start, then the invariant.

The invariant is asked once for equal ends: files, database, world, and what each worker came to.
"""

import json
from dataclasses import asdict, replace

from labkit.crash.asked import Failure, OrderLeft, Race, Raced
from labkit.crash.jobs import Among, Memory
from labkit.crash.race.order import NotTheSameError, Orders
from labkit.crash.race.walk import Walked, walk
from labkit.crash.world_process.control import WorldUnreadableError
from labkit.crash.world_process.database import tables
from labkit.crash.zygote.endings import How, NotExploredError
from labkit.crash.zygote.explore import DOWNTIME, LONGEST, SEEDS
from labkit.crash.zygote.given_order import GivenOrder
from labkit.crash.zygote.imports import meet
from labkit.crash.zygote.polling import Alone
from labkit.crash.zygote.schedule import Schedule
from labkit.crash.zygote.trees import Tree, digest, read_tree, shown, write_tree
from labkit.crash.zygote.zygote import Zygote

MOST_STEPS = 200
"""Of one order. Then it is a livelock."""
Judged = tuple[str, Failure | None, str]
"""Who had the last word, what it said, and what was printed."""


class RaceExplorer:
    """A race whose sandbox starts from the same tree each time, and its world from the same memory."""

    def __init__(self, zygote: Zygote, race: Race) -> None:
        self.zygote, self.race = zygote, race
        self.sandbox, self.tmp = zygote.folder / "sandbox", zygote.tmp
        self.tree: Tree = {}
        self.memory = Memory()
        self.judged: dict[tuple[bytes, str], Judged] = {}
        timed = race.timed or any(isinstance(code, float) for code in race.workers.values())
        self.among = Among(len(race.workers), timed=timed)
        self.stubborn: set[str] = set()
        self.hashes = self.looked = self.moved = self.crowded = False

    def explore(self) -> Raced:
        """Run every order. What stands in the way is the `problem`."""
        before, raced = self.zygote.processes, Raced()
        try:
            self._set_up()
            raced.complete = self._run_all(raced)
            raced.crowded = self.crowded
        except NotExploredError as problem:
            raced.problem, raced.lines = str(problem), problem.lines
        except NotTheSameError as problem:
            raced.problem = f"NONDETERMINISTIC: in the same order, {problem}: threads, or chance from outside Python?"
        raced.processes = self.zygote.processes - before
        return raced

    def _set_up(self) -> None:
        write_tree(self.sandbox, self.tmp, {})
        if self.race.setup is not None:
            ending = self.zygote.perform(self.race.job("setup"), self.memory, self.sandbox)
            meet(self.zygote, ending.loaded)
            if ending.how is not How.RETURNED:
                raise NotExploredError(f"setup {ending.words}", ending.failure.lines)
            self.tree, self.memory = read_tree(self.sandbox, self.tmp), ending.memory
            self.among = replace(self.among, tables=self.zygote.world.ask("catalogue"))

    def _run_all(self, raced: Raced) -> bool:
        orders = self._orders()
        while orders.more():
            if len(raced.orders) == self.race.limit or self._enough(raced):
                return False
            left = self._run(orders)
            if self.looked and self.moved and not self.among.timed:
                self.among, orders = replace(self.among, timed=True), self._orders()
                raced.orders.clear()
            elif left:
                raced.orders.append(left)
            if left and self.race.only is not None:
                return True
            if left and left.how == Walked.ENDLESS:
                return False
        return True

    def _enough(self, raced: Raced) -> bool:
        least = self.race.enough
        return least is not None and len(raced.orders) >= least and any(order.failure for order in raced.orders)

    def _orders(self) -> Orders:
        killers = [f"kill {name}" for name, code in self.race.workers.items() if not isinstance(code, float)]
        return Orders(killers) if self.race.only is None else GivenOrder(self.race.only, killers)

    def _run(self, orders: Orders) -> OrderLeft | None:
        """One order; None if it was explored before."""
        write_tree(self.sandbox, self.tmp, self.tree)
        schedule = Schedule(self.race, self.zygote, self.among, self.memory.elapsed, alone=Alone(self.stubborn))
        waits: dict[str, list[str]] = {}
        try:
            schedule.begin(self.memory)
            how = walk(orders, schedule, MOST_STEPS)
            if how is Walked.DEADLOCK:
                waits = {name: schedule.blockers(worker) for name, worker in schedule.workers.items() if worker.step}
        finally:
            left = schedule.pending()
            output = schedule.end()
        self._learn(schedule)
        if how in {Walked.REDUNDANT, Walked.AGAIN}:
            return None
        memory = self._memory()
        ends = {worker.name: asdict(worker.end) for worker in schedule.workers.values() if worker.end}
        if how is Walked.COMPLETE:
            role, failure, more = self._judge(memory, ends, killed=bool(schedule.killed))
        else:
            role, failure, more = "workers", Failure(how), ""
        steps = [
            (t.worker, t.step.op, t.step.target, t.saw, [*t.step.lines], sorted(t.step.touches)) for t in schedule.taken
        ]
        files = {**shown(read_tree(self.sandbox, self.tmp), LONGEST), **tables(memory)}
        stuck = {n: [s.op, s.target, [*s.lines], waits.get(n, [])] for n, s in left.items() if n in schedule.workers}
        return OrderLeft(steps, how, ends, stuck, role, failure, files, memory.world["ledger"], output + more)

    def _learn(self, schedule: Schedule) -> None:
        """What the next execution should know: modules to be loaded, whether texts are hashed, whether time matters."""
        finals = [worker.final for worker in schedule.workers.values() if worker.final]
        for final in finals:
            meet(self.zygote, final.loaded)
            self.hashes = self.hashes or getattr(final, "hashes", False)
        self.among = replace(self.among, known=self.among.known or len(finals) == len(schedule.workers))
        self.looked = self.looked or any(worker.looked for worker in schedule.workers.values())
        self.moved = self.moved or schedule.elapsed > self.memory.elapsed
        self.crowded = self.crowded or schedule.crowded

    def _memory(self) -> Memory:
        try:
            return self.zygote.world.memory()
        except WorldUnreadableError as error:
            raise NotExploredError(str(error)) from None

    def _judge(self, memory: Memory, ends: dict[str, object], *, killed: bool) -> Judged:
        """Recover, if somebody was killed and there is a recovery; then ask the invariant."""
        end = digest(read_tree(self.sandbox, self.tmp)), json.dumps([memory, ends, killed], default=vars)
        if end not in self.judged:
            self.judged[end] = self._ask(memory, ends, killed=killed)
        return self.judged[end]

    def _ask(self, memory: Memory, ends: dict[str, object], *, killed: bool) -> Judged:
        state, output = None, ""
        if killed and self.race.recover is not None:
            seed = SEEDS["recover"] if self.hashes else 0
            job, memory = self.race.job("recover"), memory.later(DOWNTIME)
            recovered = self.zygote.perform_by_seed(seed, job, memory, self.sandbox)
            output = recovered.output
            if recovered.how is not How.RETURNED:
                return "recover", recovered.failure, output
            state, memory = recovered.returned.value, recovered.memory
        given = {"state": state, "workers": ends, **memory.world}
        asked = self.zygote.perform(self.race.job("invariant", given=given), memory, self.sandbox)
        return "invariant", None if asked.how is How.RETURNED else asked.failure, output + asked.output
