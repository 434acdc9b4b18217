"""Executes one order of steps on a machine, which may be real processes: asks whose turn it is, tells what came of it.

A worker that waits for another is found out by letting it try. It stays in the middle of its step then, until a step of
another lets it through.
"""

from collections.abc import Collection
from enum import Enum, StrEnum
from typing import Protocol

from labkit.crash.race.node import Standing
from labkit.crash.race.order import Orders


class Took(Enum):
    """What came of letting a worker take a step."""

    DONE = "it is taken"
    BEGUN = "another one stands in its way, and that it waits from now on is a step"
    BLOCKED = "another one stands in its way"
    BEHIND = "it waits behind one that waits: who of them goes on first is not ours to say"
    PRECEDED = "it waits behind one that waits, and need not have tried"


class Machine(Protocol):
    """Workers that stand before their next steps, or in the middle of one, where they wait."""

    def standing(self) -> Standing:
        """How all stand, always in the same succession."""

    def in_vain(self) -> bool:
        """Whether who was let on polls and polls: it does not give up."""

    def take(self, worker: str) -> Took:
        """Let a worker take its step. If another one stands in its way, it waits in the middle of it."""

    def let_through(self) -> list[str]:
        """Who was in the middle of a step, and has taken it by now."""


class Walked(StrEnum):
    """How the execution of an order ended."""

    COMPLETE = "complete"
    DEADLOCK = "deadlock"
    ENDLESS = "endless"
    """More steps than `most`."""
    REDUNDANT = "redundant"
    """What follows was explored before."""
    AGAIN = "again"
    """Two went on at once, or waited for one thing: to be executed again, in a way in which they do not."""


def walk(orders: Orders, machine: Machine, most: int) -> Walked:
    """Execute the next order."""
    how = _walk(orders, machine, most)
    if how is Walked.AGAIN:
        orders.repeat()
    else:
        orders.ended(machine.standing() if how in {Walked.DEADLOCK, Walked.ENDLESS} else None)
    return how


def _walk(orders: Orders, machine: Machine, most: int) -> Walked:
    while (now := machine.standing()).pending:
        if orders.stuck(now):
            return Walked.DEADLOCK
        if orders.depth >= most:
            return Walked.ENDLESS
        worker = None if machine.in_vain() else orders.choose(now)
        if worker is None:
            return Walked.REDUNDANT
        took = machine.take(worker)
        if took in {Took.DONE, Took.BEGUN}:
            orders.performed()
        elif took is not Took.PRECEDED:
            orders.is_blocked(worker)
        if took in {Took.BEHIND, Took.PRECEDED}:
            return Walked.AGAIN
        if took is Took.DONE and (stopped := _let_through(orders, machine, now.begun)):
            return stopped
    return Walked.COMPLETE


def _let_through(orders: Orders, machine: Machine, begun: Collection[str]) -> Walked | None:
    """Who goes on because of a step; what ends this order, if that does."""
    here = machine.standing().pending
    through = machine.let_through()
    if len(through) > 1 and not {*through} <= {*begun}:
        return Walked.AGAIN
    for other in through:
        if not orders.must(other, here, forced=other in begun):
            return Walked.REDUNDANT
        orders.performed()
        now = machine.standing().pending
        here = {w: now[w] if w == other else step for w, step in here.items() if w != other or w in now}
    return None
