"""What a worker does with a claim: the work, and meanwhile the heartbeats."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from sqlalchemy import Engine

from labkit.claims.leases import LEASE, Claim, LeaseLostError, claim, finish, heartbeat
from labkit.clock import Clock
from labkit.store import StoreError
from labkit.task import Task, TaskState

BEATS = 3
"""Heartbeats in one lease: one may be late, and one may be lost."""


def execute_step(
    engine: Engine,
    work: Callable[[Claim[Task]], str],
    *,
    lease: float = LEASE,
    beating: bool = True,
    clock: Clock | None = None,
) -> bool | None:
    """Claim a task, do its work with no transaction open, and store the result if the task is still ours.

    True if the result is stored, False if another worker has the task now, None if there was nothing to claim. An error
    of the work is stored as the task's, and raised. A crash leaves the task to `reap`, and its work may run again: give
    its effects an idempotency key. While the work runs, a thread extends the lease, unless `beating` is switched off.
    """
    for held in claim(engine, lease=lease, clock=clock):
        try:
            with _beating(engine, held, lease, clock) if beating else nullcontext():
                result = work(held)
        except Exception as error:
            finish(engine, held, held.record.to(TaskState.FAILED, error=f"{error}"), clock=clock)
            raise
        return finish(engine, held, held.record.to(TaskState.COMPLETED, result=result), clock=clock)
    return None


@contextmanager
def _beating(engine: Engine, held: Claim[Task], lease: float, clock: Clock | None) -> Iterator[None]:
    """Extend the lease at each third of it, from a thread, until the work is done or the lease is lost."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(lease / BEATS):
            try:
                heartbeat(engine, held, lease=lease, clock=clock)
            except LeaseLostError:
                return  # `finish` will tell
            except StoreError:
                continue  # the server may be back before the lease is over

    thread = threading.Thread(target=beat, name=f"heartbeat of {held.id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
