"""Executes one order of steps on a machine, which may be real processes: asks whose turn it is, tells what came of it.

A worker that waits for another is found out by letting it try. It stays in the middle of its step then, until a step of
another lets it through.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import Protocol

from labkit.crash.race.order import NOBODY, Orders, Pending


class Machine(Protocol):
    """Workers that stand before their next steps."""

    def pending(self) -> Pending:
        """By worker, always in the same succession: its next step, or that in the middle of which it is."""

    def waiting(self) -> Collection[str]:
        """Who cannot take a step now."""

    def polling(self) -> Collection[str]:
        """Who polls, while others can do something. Whoever is let on is alone until it gives up."""

    def in_vain(self) -> bool:
        """Whether who was let on polls and polls: it does not give up."""

    def take(self, worker: str) -> bool:
        """Let a worker take its step. False if another one stands in its way: it waits, in the middle of it."""

    def has_begun(self, worker: str) -> bool:
        """Whether the wait of one who stands in the middle of a step is a step of its own: what it has seen is old."""

    def let_through(self) -> list[str]:
        """Who was in the middle of a step, and has taken it by now."""

    def missed(self) -> Pending:
        """What could have been done at any time, and was not: by participant. Nobody waits for it."""


class Walked(StrEnum):
    """How the execution of an order ended."""

    COMPLETE = "complete"
    DEADLOCK = "deadlock"
    ENDLESS = "endless"
    """More steps than `most`."""
    REDUNDANT = "redundant"
    """What follows was explored before."""
    AGAIN = "again"
    """Two went on at once: to be executed again, in a way in which they do not."""


def walk(orders: Orders, machine: Machine, most: int) -> Walked:
    """Execute the next order."""
    while pending := machine.pending():
        waiting = {*machine.waiting()}
        begun = {*filter(machine.has_begun, waiting)}
        if not {*pending} - waiting - {*orders.last}:
            return _end(orders, machine, Walked.DEADLOCK, pending)
        if orders.depth >= most:
            return _end(orders, machine, Walked.ENDLESS, pending)
        worker = None if machine.in_vain() else orders.choose(pending, waiting, machine.polling())
        if worker is None:
            return _end(orders, machine, Walked.REDUNDANT)
        if not machine.take(worker):
            if machine.has_begun(worker):
                orders.performed()
            else:
                orders.is_blocked(worker)
            continue
        orders.performed()
        if stopped := _let_through(orders, machine, pending, begun):
            return stopped
    return _end(orders, machine, Walked.COMPLETE)


def _let_through(orders: Orders, machine: Machine, pending: Pending, begun: set[str]) -> Walked | None:
    """Who goes on because of a step; what ends this order, if that does."""
    through = machine.let_through()
    if len(through) > 1:
        orders.repeat()
        return Walked.AGAIN
    for other in through:
        here = {w: pending[w] if w == other else step for w, step in {**pending, **machine.pending()}.items()}
        here = {w: step for w, step in here.items() if w == other or w in machine.pending()}
        if not orders.must(other, here, forced=other in begun):
            return _end(orders, machine, Walked.REDUNDANT)
        orders.performed()
    return None


def _end(orders: Orders, machine: Machine, how: Walked, stuck: Pending = NOBODY) -> Walked:
    orders.ended(machine.missed(), stuck)
    return how
