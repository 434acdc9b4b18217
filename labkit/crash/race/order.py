"""Which orders of steps there are to explore: one of each class of equivalent ones.

Depth-first, by source-DPOR with sleep sets (Abdulla, Aronis, Jonsson, Sagonas: Optimal Dynamic Partial Order Reduction,
POPL 2014). Each order is executed from its start. Whoever executes it asks `choose` before each step and tells
`performed` after it. Two orders are equivalent if neighbouring steps that commute lead from one to the other.

In the paper nobody disables a step of another; here a lock does, and a kill. Three things make up for that. Each
conflicting pair counts as a race, not only those with nothing in between. A step that somebody was about to take and
never took races with what came before it, as if it had been taken (Flanagan, Godefroid: Dynamic Partial-Order
Reduction for Model Checking Software, POPL 2005). And where a worker proves to be blocked, all others are candidates.
That may begin an order in vain; the sleep sets end it.
"""

from collections.abc import Collection, Iterator

from labkit.crash.race.footprints import Step, conflict
from labkit.crash.race.happened import Happened
from labkit.crash.race.node import NOBODY, Node, Pending, Standing


class NotTheSameError(Exception):
    """A worker, in the same order as before, was going to do something else. Its text says what."""


class Orders:
    """All orders, one after the other."""

    def __init__(self, last: Collection[str] = ()) -> None:
        self.last = frozenset(last)
        """Who is chosen only where there is a reason: whoever kills."""
        self.path: list[Node] = []
        self.depth = 0
        self._begun = self._again = False

    def more(self) -> bool:
        """Begin the next order; False if there is none left."""
        if self._begun and not self._again and not self._back():
            return False
        self._begun, self._again, self.depth = True, False, 0
        return True

    def choose(self, now: Standing) -> str | None:
        """Who takes the next step; None if all that follows was explored before."""
        if self.depth < len(self.path):
            return self._same(self.path[self.depth], now)
        node = self._node(now)
        awake = [w for w in now.pending if w not in {*now.waiting, *node.sleep}]
        before = self.path[-1].chosen if self.path else ""
        willing = [w for w in awake if w not in {*self.last, *now.polling}]
        self.path.append(node)
        node.chosen = before if before in willing else next(iter([*willing, *awake]), "")
        node.todo = {node.chosen, *now.polling} if node.chosen else set()
        return node.chosen or None

    def is_blocked(self, worker: str) -> None:
        """The one who was chosen waits for another. Choose again."""
        node = self.path[self.depth]
        node.blocked.add(worker)
        node.todo |= {*node.pending} - self.last

    def must(self, worker: str, pending: Pending, *, forced: bool) -> bool:
        """`worker` was blocked, and has taken its step by now. False if that was explored before."""
        if self.depth < len(self.path):
            return True
        node = Node(dict(pending), self._asleep(), worker, {worker}, forced=forced)
        if forced:
            self._brought(node.step)
        self.path.append(node)
        return worker not in node.sleep

    def performed(self) -> None:
        """The one who was chosen has taken its step."""
        self.depth += 1

    def stuck(self, now: Standing) -> bool:
        """Whether nobody can go on, and nobody is to be killed here."""
        able = {*now.pending} - {*now.waiting} - self.last
        for node in self.path[self.depth : self.depth + 1]:
            able = {node.chosen} - node.blocked - {""} or able - node.blocked
        return not able

    def ended(self, left: Standing | None = None) -> None:
        """Nobody takes another step, though those left would: find what could have come in another order."""
        happened = Happened()
        for index, node in enumerate(self.path[: self.depth]):
            for worker, step in self._lost(index, left):
                self._reverse(happened.then(worker, step))
                if not node.forced:
                    node.offer({worker}, worker)
            happened = happened.then(node.chosen, node.step)
            self._reverse(happened)
        if left and self.depth == len(self.path):
            self.path.append(self._node(left))
        for node in self.path[self.depth : self.depth + 1]:
            for worker in node.pending if left else node.blocked:
                self._reverse(happened.then(worker, node.pending[worker]))
            if left:  # who waits for ever can be killed instead
                node.todo |= {*node.pending} & self.last

    def repeat(self) -> None:
        """Execute the same steps again, without what proved to be blocked: it could not be said whose turn it was."""
        self._again = True

    def _node(self, now: Standing) -> Node:
        # In another execution, who waits now may not have tried: then it can be killed.
        blocked = {*now.pending} & {*now.waiting} - (self.last - {*now.begun})
        return Node(dict(now.pending), self._asleep(), blocked=blocked, polling=now.polling)

    def _same(self, node: Node, now: Standing) -> str | None:
        """Who was chosen here before; once that one has proved to be blocked, another."""
        if node.chosen in node.blocked:
            if not node.open():
                node.todo |= {*node.pending}
            node.chosen = next((w for w in node.open() if w not in now.waiting), "")
        if node.chosen:
            is_now = now.pending.get(node.chosen)
            if is_now is None or is_now.label != node.step.label:
                raise NotTheSameError(
                    f"{node.chosen} did {is_now.label if is_now else 'nothing'}, and before {node.step.label}"
                )
        return node.chosen or None

    def _asleep(self) -> dict[str, Step]:
        if not self.path:
            return {}
        last = self.path[-1]
        asleep = {**last.sleep, **last.done}
        return {w: s for w, s in asleep.items() if w != last.chosen and not conflict(s.touches, last.step.touches)}

    def _brought(self, step: Step) -> None:
        """The last step that was chosen has let another one through: both are one, for all who could come between."""
        for node in reversed(self.path):
            node.widen(step)
            if not node.forced:
                return

    def _back(self) -> bool:
        """Go back to the last state with something left to choose, and choose that."""
        while self.path:
            node = self.path[-1]
            if node.chosen in node.polling:  # alone: what it does when others act in between was not explored
                node.blocked.add(node.chosen)
            elif node.chosen and node.chosen not in node.blocked:
                node.done[node.chosen] = node.step
            if found := node.open():
                node.chosen = found[0]
                return True
            self.path.pop()
        return False

    def _lost(self, index: int, left: Standing | None) -> Iterator[tuple[str, Step]]:
        """Who could take a step here, and never did: it was killed, or nobody was left to be killed."""
        node = self.path[index]
        after = self.path[index + 1].pending if index + 1 < len(self.path) else left.pending if left else NOBODY
        tried = node.chosen in self.last and node.done
        for worker, step in node.pending.items():
            if worker != node.chosen and worker not in after and not (tried and worker in self.last):
                yield worker, step

    def _reverse(self, happened: Happened) -> None:
        """For each step that conflicts with the last one: make sure that an order is explored with it later."""
        worker = happened.steps[-1][0]
        for early in happened.conflicting():
            while self.path[early].forced:
                early -= 1  # noqa: PLW2901 - before that which let it go on
            if self.path[early].chosen != worker:
                self.path[early].offer(happened.first(early), worker)
