"""A state on the way through one order: how all stand, and what is to be tried from there."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from labkit.crash.race.footprints import Step

Pending = Mapping[str, Step]
"""By participant: its next step. Only of those that have one."""
NOBODY: Pending = MappingProxyType({})


@dataclass(frozen=True)
class Standing:
    """How all participants stand before a step."""

    pending: Pending
    waiting: Collection[str] = ()
    """Who cannot take its step now."""
    begun: Collection[str] = ()
    """Of those: whose wait is a step that was taken, and who would kill one of them."""
    polling: Collection[str] = ()
    """Who polls, while others can do something: chosen after them, and then alone until it gives up."""


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
    polling: Collection[str] = ()
    forced: bool = False
    """Nothing could be chosen: what was waited for, in a wait that began as a step, is there."""

    @property
    def step(self) -> Step:
        """What was chosen."""
        return self.pending[self.chosen]

    def open(self) -> list[str]:
        """Who is still to be chosen here."""
        found = [w for w in self.pending if w in self.todo and w not in {*self.done, *self.sleep, *self.blocked}]
        return sorted(found, key=[*self.polling].__contains__)

    def offer(self, first: Collection[str], worker: str) -> None:
        """An order that any of `first` begins, best the worker, is to be explored from here; if nobody can, any."""
        able = {*first} & {*self.pending} - self.blocked
        if not able:
            self.todo |= {*self.pending}
        elif not able & self.todo:
            self.todo.add(worker if worker in able else min(able))

    def widen(self, step: Step) -> None:
        """What was chosen here has brought another step with it."""
        both = replace(self.step, touches=self.step.touches | step.touches)
        self.pending = {**self.pending, self.chosen: both}
