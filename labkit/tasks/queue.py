"""The queue: submit, take, finish, give back, park; what is not SQL of its own is a claim."""

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from typing import ClassVar

import sqlalchemy as sa

from labkit import claims
from labkit.claims import LEASE, Claim
from labkit.clock import Clock
from labkit.idempotency import KeyReusedError
from labkit.postgres import COLUMNS, PostgresStateStore, in_autocommit, in_plain_words
from labkit.store import NotFoundError, StoreError
from labkit.task import IllegalTransitionError, Task, TaskState

ATTEMPTS = 3
"""So many workers may die of a task, or fail with it, before it is parked."""
CHANNEL = "labkit_tasks"
"""Where the id of a task is notified when it has ended."""
ONE_AT_A_TIME = f"""
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({int.from_bytes(b"queue")})"""
"""A statement of its own, so that the next sees what others have committed until then."""
SUBMIT = """
    WITH clock AS (SELECT coalesce(%(now)s, clock_timestamp()) AS now), waiting AS (
        SELECT 1 FROM labkit_records WHERE kind = %(kind)s AND state = 'pending' LIMIT %(limit)s)
    INSERT INTO labkit_records (kind, id, state, version, updated_at, body, priority)
    SELECT %(kind)s, %(id)s, 'pending', 1, now, %(body)s::json,
        %(priority)s * 60 - extract(epoch FROM now - timestamptz '2026-01-01 00:00Z')
    FROM clock WHERE %(limit)s::int IS NULL OR (SELECT count(*) FROM waiting) < %(limit)s
    ON CONFLICT DO NOTHING RETURNING id"""


class QueueFullError(StoreError):
    """So many tasks wait already that no other is accepted. Try again later, or say so to whoever asked."""


class QueuedTask(Task):
    """A task in the queue. Its id is the key under which it was submitted."""

    kind: ClassVar[str] = "queued task"

    forgiven: int = 0
    """Of the claims that its token counts, how many were no attempts: given back, or before a human's decision."""


def submit(
    engine: sa.Engine,
    user_input: str,
    key: str,
    *,
    priority: int = 0,
    limit: int | None = 100,
    clock: Clock | None = None,
) -> str:
    """Store a task to be worked on, and return its id. When this has returned, the task survives a crash.

    The same key again is the same task, whatever has become of it; KeyReusedError if it came with another input.
    QueueFullError if `limit` tasks wait already: exact, as one submits at a time; with None nobody waits. A priority
    is a head start: a task goes before those that were submitted up to `priority` minutes earlier, so the urgent come
    first and nobody starves. Of one second: by the key.
    """
    task = QueuedTask(id=key, user_input=user_input)
    values = {"kind": task.kind, "id": key, "body": task.model_dump_json(exclude=set(COLUMNS)), "priority": priority}
    values |= {"limit": limit, "now": clock.now() if clock else None}
    with in_plain_words(), in_autocommit(engine) as connection, connection.transaction() if limit else nullcontext():
        if limit:
            connection.execute(ONE_AT_A_TIME, prepare=False)
        inserted = connection.execute(SUBMIT, values).fetchone()
    if not inserted:
        stored = PostgresStateStore(engine).get(QueuedTask, key)
        if stored is None:
            raise QueueFullError(f"the task {key} was not accepted: {limit} are waiting already")
        if stored.user_input != task.user_input:  # not what was given: bytes are stored as text
            raise KeyReusedError(f"the key {key} was used with another input")
    return key


def take(
    engine: sa.Engine, *, limit: int = 1, lease: float = LEASE, attempts: int = ATTEMPTS, clock: Clock | None = None
) -> list[Claim[QueuedTask]]:
    """Claim up to `limit` tasks for `lease` seconds (see `claims.claim`): the oldest first, head starts included.

    What dead workers left comes back as soon as their leases are over. A task that has had so many `attempts` is
    parked instead: it may be the task that kills its workers. If so, it costs whatever was taken with it an attempt.
    """
    claims.reap(engine, QueuedTask, clock=clock)
    while taken := claims.claim(engine, QueuedTask, limit=limit, lease=lease, clock=clock):
        spent = [held for held in taken if held.token - held.record.forgiven > attempts]
        for held in spent:
            last = held.record.error or "none was told, so workers died of it, or were slower than their leases"
            park(engine, held, f"given up after {attempts} attempts; the last error: {last}", clock=clock)
        if len(taken) > len(spent):
            return [held for held in taken if held not in spent]
    return []


def finish(engine: sa.Engine, held: Claim[QueuedTask], result: str, *, clock: Clock | None = None) -> bool:
    """Store the result, for whoever asks, as often as they ask. False, and nothing is changed, if the claim is lost.

    A worker that has saved progress since it took the task puts it into its claim: `replace(held, record=saved)`.
    """
    return _end(engine, held, held.record.to(TaskState.COMPLETED, result=result), clock)


def give_back(
    engine: sa.Engine, held: Claim[QueuedTask], error: str | None = None, *, clock: Clock | None = None
) -> bool:
    """Leave the task to others, in its old place. It has cost an attempt only if an `error` is told, which is kept."""
    return claims.finish(engine, held, _given_back(held, error), clock=clock)


def drain(engine: sa.Engine, held: Sequence[Claim[QueuedTask]], *, clock: Clock | None = None) -> list[str]:
    """Give back all at once, before this worker stops; the ids of those that were still its own."""
    ours = claims.finish_all(engine, [(each, _given_back(each, None)) for each in held], clock=clock)
    return [each.id for each, was in zip(held, ours, strict=True) if was]


def park(engine: sa.Engine, held: Claim[QueuedTask], error: str, *, clock: Clock | None = None) -> bool:
    """Set the task aside, until a human submits it again: it failed with this error, and nobody takes it."""
    parked = held.record.to(TaskState.FAILED, error=error).model_copy(update={"forgiven": held.token})
    return _end(engine, held, parked, clock)


def submit_again(engine: sa.Engine, task_id: str, *, clock: Clock | None = None) -> QueuedTask:
    """Let a parked task have its attempts anew, in its old place. IllegalTransitionError if it is not parked."""
    store = PostgresStateStore(engine, clock)
    task = found(store, task_id)
    if task.state is not TaskState.FAILED:  # there is an arrow from running to pending, too: a worker's, who gives back
        raise IllegalTransitionError(f"the task {task_id} is {task.state}, and only what is parked is submitted again")
    return store.save(task.to(TaskState.PENDING))


def _given_back(held: Claim[QueuedTask], error: str | None) -> QueuedTask:
    back = held.record.to(TaskState.PENDING, error=error or held.record.error)
    return back.model_copy(update={"forgiven": back.forgiven + (error is None)})


def _end(engine: sa.Engine, held: Claim[QueuedTask], record: QueuedTask, clock: Clock | None) -> bool:
    """`claims.finish`, and a hint to whoever listens: after the commit, for NOTIFY would let commits wait in a line."""
    ours = claims.finish(engine, held, record, clock=clock)
    if ours:
        with suppress(StoreError), in_plain_words(), in_autocommit(engine) as connection:
            connection.execute("SELECT pg_notify(%s, %s)", [CHANNEL, held.id])
    return ours


def found(store: PostgresStateStore, task_id: str) -> QueuedTask:
    """The task as it is stored. NotFoundError if there is none."""
    task = store.get(QueuedTask, task_id)
    if task is None:
        raise NotFoundError(f"the task {task_id} was never submitted")
    return task
