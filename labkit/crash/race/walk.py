"""Executes one order of steps on a machine, which may be real processes: asks whose turn it is, tells what came of it.

A worker that waits for another is found out by letting it try. It stays in the middle of its step then, until a step of
another lets it through.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import Protocol

from labkit.crash.race.node import Standing
from labkit.crash.race.order import Orders


class QueueError(Exception):
    """Some wait as a step of their own, and some do not. Who waits first is first: make each wait a step."""


class Machine(Protocol):
    """Workers that stand before their next steps, or in the middle of one, where they wait."""

    def standing(self) -> Standing:
        """How all stand, always in the same succession."""

    def in_vain(self) -> bool:
        """Whether who was let on polls and polls: it does not give up."""

    def take(self, worker: str) -> bool:
        """Let a worker take its step. False if another one stands in its way: it waits, in the middle of it."""

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
    """Two went on at once: to be executed again, in a way in which they do not."""


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
        if machine.take(worker):
            orders.performed()
            if stopped := _let_through(orders, machine, now.begun):
                return stopped
        elif worker in machine.standing().begun:
            orders.performed()
        else:
            orders.is_blocked(worker)
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
