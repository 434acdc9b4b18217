"""Waiting for a result: polling, and hints that make it ask sooner."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg
import sqlalchemy as sa

from labkit.clock import Clock, SystemClock
from labkit.deadlines import Remaining, step_timeout
from labkit.postgres import PostgresStateStore, in_autocommit, in_plain_words
from labkit.task import TaskState
from labkit.tasks.queue import CHANNEL, QueuedTask, found

POLL = 0.5
"""Seconds between two looks at a task that is waited for."""


def wait(
    engine: sa.Engine,
    task_id: str,
    deadline: Remaining,
    *,
    poll: float = POLL,
    clock: Clock | None = None,
    pause: Callable[[float], None] | None = None,
) -> QueuedTask:
    """The task, as soon as it is completed or parked: look every `poll` seconds. DeadlineExceeded if that is too late.

    The task goes on, and can be waited for again. `pause` sleeps between two looks: see `hints`.
    """
    store, pause = PostgresStateStore(engine), pause or (clock or SystemClock()).sleep
    while (task := found(store, task_id)).state not in {TaskState.COMPLETED, TaskState.FAILED}:
        pause(step_timeout(deadline, poll))
    return task


@contextmanager
def hints(
    engine: sa.Engine, task_id: str, *, channel: str = CHANNEL, clock: Clock | None = None
) -> Iterator[Callable[[float], None]]:
    """A `pause` for `wait` that ends early when the server says that the task has ended (LISTEN and NOTIFY).

    A notification can be missed: that costs one poll. It keeps one of the engine's connections meanwhile.
    """
    with in_plain_words(), in_autocommit(engine) as connection:
        connection.execute(f"LISTEN {channel}")

        def pause(seconds: float) -> None:
            try:
                any(heard.payload == task_id for heard in connection.notifies(timeout=seconds))
            except psycopg.OperationalError:
                (clock or SystemClock()).sleep(seconds)

        try:
            yield pause
        finally:
            with suppress(psycopg.OperationalError):
                connection.execute(f"UNLISTEN {channel}")
