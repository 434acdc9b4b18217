"""labkit's own answers to exercise 9: a queue in the table of that exercise, as `labkit.tasks` is one in its own.

They run in children only, as those of `own.py`.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from labkit.clock import Clock
from labkit.deadlines import Remaining, step_timeout
from labkit.idempotency import KeyReusedError
from labkit.task import Task, TaskState
from labkit.tasks import POLL, QueueFullError

TASKS = sa.table(
    "tasks",
    *map(sa.column, ("id", "state", "token", "result", "error")),
    *(sa.column(name, JSONB) for name in ("wish", "journal")),
)
ENDED = {TaskState.COMPLETED, TaskState.FAILED}


def submit(conn: sa.Connection, user_input: str, key: str, priority: int = 0, limit: int = 100) -> str:
    """One at a time: who has the lock sees what all before it have committed."""
    wish = {"user_input": user_input, "priority": priority}
    waiting = sa.select(sa.func.count()).select_from(TASKS).where(TASKS.c.state == TaskState.PENDING)
    with conn.begin():
        conn.execute(sa.select(sa.func.pg_advisory_xact_lock(9)))
        stored = conn.scalar(sa.select(TASKS.c.wish).where(TASKS.c.id == key))
        if stored is None:
            if conn.scalar(waiting) >= limit:
                raise QueueFullError(f"the task {key} was not accepted: {limit} are waiting already")
            conn.execute(TASKS.insert().values(id=key, wish=wish))
        elif stored["user_input"] != user_input:
            raise KeyReusedError(f"the key {key} was used with another input")
    return key


def wait(conn: sa.Connection, task_id: str, deadline: Remaining, clock: Clock) -> Task:
    """Poll, up to the deadline."""
    while (task := _read(conn, task_id)).state not in ENDED:
        clock.sleep(step_timeout(deadline, POLL))
    return task


def drain(conn: sa.Connection, held: Sequence[Any]) -> None:
    """By id and token: what is not ours any more is passed over."""
    with conn.begin():
        for each in held:
            ours = (TASKS.c.id == each.id, TASKS.c.token == each.token, TASKS.c.state == TaskState.RUNNING)
            conn.execute(TASKS.update().where(*ours).values(state=TaskState.PENDING))


def _read(conn: sa.Connection, task_id: str) -> Task:
    columns = (TASKS.c.id, TASKS.c.wish, TASKS.c.state, TASKS.c.journal, TASKS.c.result, TASKS.c.error)
    with conn.begin():
        row = conn.execute(sa.select(*columns).where(TASKS.c.id == task_id)).one()._asdict()
    return Task(user_input=row.pop("wish")["user_input"], **row)
