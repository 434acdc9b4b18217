"""Which orders of steps there are to explore: one of each class of equivalent ones.

Depth-first, by source-DPOR with sleep sets (Abdulla, Aronis, Jonsson, Sagonas: Optimal Dynamic Partial Order Reduction,
POPL 2014). Each order is executed from its start. Whoever executes it asks `choose` before each step and tells
`performed` after it. Two orders are equivalent if neighbouring steps that commute lead from one to the other.

What can be disabled makes a difference to the paper: a worker that waits for a lock cannot be chosen where the other
one holds it. So each conflicting pair counts as a race, not only those with nothing in between; and where a worker
proves to be blocked, all others are candidates. That may begin an order in vain; the sleep sets end it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from labkit.crash.race.footprints import Step, conflict

Pending = Mapping[str, Step]
"""By worker: its next step. Only of those that have one."""
NOBODY: Pending = MappingProxyType({})
Event = tuple[str, Step]
"""A step that was taken, and by whom."""


class NotTheSameError(Exception):
    """A worker, in the same order as before, was going to do something else. Its text says what."""


@dataclass
class Node:
    """A state on the way: what could be chosen there, what was, and what is still to be."""

    pending: Pending
    sleep: dict[str, Step]
    """Whose step was explored elsewhere, in an equivalent order."""
    chosen: str = ""
    todo: set[str] = field(default_factory=set)
    done: dict[str, Step] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)
    polling: frozenset[str] = frozenset()
    """Who polls: chosen after all others."""
    forced: bool = False
    """Nothing could be chosen: what was waited for, in a wait that began as a step, is there."""

    def open(self) -> list[str]:
        """Who is still to be chosen here."""
        found = [w for w in self.pending if w in self.todo and w not in {*self.done, *self.sleep, *self.blocked}]
        return sorted(found, key=self.polling.__contains__)


class Orders:
    """All orders, one after the other."""

    def __init__(self, last: Collection[str] = ()) -> None:
        self.last = last
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

    def choose(self, pending: Pending, waiting: Collection[str] = (), polling: Collection[str] = ()) -> str | None:
        """Who takes the next step, of those not `waiting`; None if all that follows was explored before."""
        if self.depth < len(self.path):
            return self._same(self.path[self.depth], pending, waiting)
        node = Node(dict(pending), self._asleep(), blocked={*waiting} - {*self.last}, polling=frozenset(polling))
        able = [w for w in pending if w not in waiting]
        awake = [w for w in able if w not in node.sleep]
        before = self.path[-1].chosen if self.path else ""
        willing = [w for w in awake if w not in {*self.last, *polling}]
        self.path.append(node)
        node.chosen = before if before in willing else next(iter([*willing, *awake]), "")
        node.todo = {node.chosen, *polling} if node.chosen else set()
        return node.chosen or None

    def is_blocked(self, worker: str) -> None:
        """The one who was chosen waits for another. Choose again."""
        node = self.path[self.depth]
        node.blocked.add(worker)
        node.todo |= {*node.pending} - {*self.last}

    def must(self, worker: str, pending: Pending, *, forced: bool) -> bool:
        """`worker` was blocked, and has taken its step by now. False if that was explored before."""
        if self.depth < len(self.path):
            return True
        node = Node(dict(pending), self._asleep(), worker, {worker}, forced=forced)
        self.path.append(node)
        return worker not in node.sleep

    def performed(self) -> None:
        """The one who was chosen has taken its step."""
        self.depth += 1

    def ended(self, missed: Pending, stuck: Pending = NOBODY) -> None:
        """Nobody takes another step, though the stuck ones would: find what could have come in another order.

        What was missed could have been done at any time.
        """
        left = {**stuck, **missed}
        events = [(node.chosen, node.pending[node.chosen]) for node in self.path[: self.depth]]
        known: list[int] = []
        for worker, step in events:
            known.append(_before(events, known, worker, step))
            self._reverse(events, known, len(known) - 1)
        if stuck:  # who waits for ever can be killed instead
            if self.depth == len(self.path):
                self.path.append(Node(dict(stuck), self._asleep(), blocked={*stuck} - {*self.last}))
            self.path[self.depth].todo |= {*stuck} & {*self.last}
        for worker, step in left.items():
            known.append(_before(events, known, worker, step))
            self._reverse([*events, (worker, step)], known, len(events))
            known.pop()

    def repeat(self) -> None:
        """Execute the same steps again: after the last of them, it could not be said whose turn it was."""
        del self.path[self.depth :]
        self._again = True

    def _same(self, node: Node, pending: Pending, waiting: Collection[str]) -> str | None:
        """Who was chosen here before; once that one has proved to be blocked, another."""
        if node.chosen in node.blocked:
            if not node.open():
                node.todo |= {*node.pending}
            node.chosen = next((w for w in node.open() if w not in waiting), "")
        if node.chosen:
            was, now = node.pending[node.chosen], pending.get(node.chosen)
            if now is None or now.label != was.label:
                raise NotTheSameError(f"{node.chosen} did {now.label if now else 'nothing'}, and before {was.label}")
        return node.chosen or None

    def _asleep(self) -> dict[str, Step]:
        if not self.path:
            return {}
        last = self.path[-1]
        step = last.pending[last.chosen]
        asleep = {**last.sleep, **last.done}
        return {w: each for w, each in asleep.items() if w != last.chosen and not conflict(each.touches, step.touches)}

    def _back(self) -> bool:
        """Go back to the last state with something left to choose, and choose that."""
        while self.path:
            node = self.path[-1]
            if node.chosen in node.polling:  # alone: what it does when others act in between was not explored
                node.blocked.add(node.chosen)
            elif node.chosen and node.chosen not in node.blocked:
                node.done[node.chosen] = node.pending[node.chosen]
            if found := node.open():
                node.chosen = found[0]
                return True
            self.path.pop()
        return False

    def _reverse(self, events: list[Event], known: list[int], late: int) -> None:
        """For each earlier step that conflicts with this one: make sure that an order is explored with it later."""
        worker, step = events[late]
        for early, (other, before) in enumerate(events[:late]):
            if other != worker and conflict(before.touches, step.touches):
                while self.path[early].forced:
                    early -= 1  # noqa: PLW2901 - before that which let it go on
                if events[early][0] == worker:
                    continue
                node = self.path[early]
                able = _first(events, known, early, late) & {*node.pending} - node.blocked
                if not able:
                    node.todo |= {*node.pending}
                elif not able & node.todo:
                    node.todo.add(worker if worker in able else min(able))


def _before(events: list[Event], known: list[int], worker: str, step: Step) -> int:
    """Which of the events known so far cannot come later than this step, as the bits of a number."""
    found = 0
    for index, earlier in enumerate(known):
        other, done = events[index]
        if other == worker or conflict(done.touches, step.touches):
            found |= 1 << index | earlier
    return found


def _first(events: list[Event], known: list[int], early: int, late: int) -> set[str]:
    """Who could begin, at event `early`, an order in which it comes after event `late` (the paper's initials)."""
    between = [*(i for i in range(early + 1, late) if not known[i] >> early & 1), late]
    bits = sum(1 << i for i in between)
    return {events[i][0] for i in between if not known[i] & bits}
