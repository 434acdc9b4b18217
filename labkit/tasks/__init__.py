"""A queue of tasks: hand one over, and go; a worker takes it, and its result waits in the row.

    submit → pending → take: running → finish: completed, with the result
                                     → give_back, drain: pending
                                     → the lease is over: pending, for the next take
                                     → park, or too many attempts: failed → submit_again, by a human: pending

The tasks are records of `labkit.claims`, which has the leases, the fencing tokens and `heartbeat`. All of this blocks:
from a web server, `await asyncio.to_thread(submit, engine, …)`, and rather ask often than let a thread `wait` for long.
"""

from labkit.tasks.queue import (
    ATTEMPTS,
    QueuedTask,
    QueueFullError,
    drain,
    finish,
    give_back,
    park,
    submit,
    submit_again,
    take,
)
from labkit.tasks.stopping import Stop, on_sigterm
from labkit.tasks.waiting import POLL, hints, wait

__all__ = [
    "ATTEMPTS", "POLL", "QueueFullError", "QueuedTask", "Stop", "drain", "finish", "give_back", "hints", "on_sigterm",
    "park", "submit", "submit_again", "take", "wait",
]  # fmt: skip
