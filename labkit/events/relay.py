"""The relay: it sends what the outbox holds, and then marks it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC

import psycopg
import sqlalchemy as sa

from labkit.clock import Clock
from labkit.events.outbox import Event
from labkit.events.tables import check_done
from labkit.postgres import in_autocommit, in_plain_words

LOCK_RUNS = """
    SELECT run, pg_try_advisory_lock(('x' || left(md5(run), 16))::bit(64)::bigint) FROM (
        SELECT DISTINCT run FROM (
            SELECT run FROM labkit_outbox WHERE sent_at IS NULL AND run > %(after)s
            ORDER BY run, number LIMIT %(batch)s) AS waiting
        ORDER BY run LIMIT %(batch)s) AS runs"""
WAITING = """
    SELECT run, number, type, payload, recorded_at FROM labkit_outbox
    WHERE sent_at IS NULL AND run = ANY(%(runs)s) ORDER BY run, number LIMIT %(batch)s"""
MARK = """
    UPDATE labkit_outbox AS o SET problem = CASE WHEN o.sent_at IS NULL THEN tried.problem END,
        sent_at = coalesce(o.sent_at, CASE WHEN tried.problem IS NULL THEN coalesce(%(now)s, clock_timestamp()) END)
    FROM unnest(%(runs)s::text[], %(numbers)s::bigint[], %(problems)s::text[]) AS tried (run, number, problem)
    WHERE o.run = tried.run AND o.number = tried.number"""
"""Not `WHERE sent_at IS NULL`: a planner that remembers an empty outbox would read all that waits, at each batch."""


def relay(engine: sa.Engine, send: Callable[[Event], object], *, batch: int = 100, clock: Clock | None = None) -> int:
    """Send what waits, and mark it: at least once, in order within each run. How many were sent; call it for ever.

    A call passes over all runs once, `batch` events at a time, with no transaction open while it sends. If `send`
    raises, the later events of that run wait for another call, and the row has the problem; other runs go on.
    A kill repeats what was not yet marked. Two relays share the runs: each takes those that no other has locked.
    Should a lock be lost with its connection, still nothing is sent before all that precedes it was sent. TypeError if
    `send` is a coroutine function: when it returns, nothing was sent.
    """
    sent, after = 0, ""
    with in_plain_words(), in_autocommit(engine) as conn:
        while True:
            with _locked(conn, after, batch) as (found, ours):
                if not found:
                    return sent
                rows = conn.execute(WAITING, {"runs": ours, "batch": batch}) if ours else ()
                tried = _send(send, [Event(*row[:4], row[4].astimezone(UTC)) for row in rows])
                if tried:
                    runs, numbers, problems = map(list, zip(*tried, strict=True))
                    values = {"runs": runs, "numbers": numbers, "problems": problems, "now": clock and clock.now()}
                    conn.execute(MARK, values)
                sent, after = sent + sum(problem is None for *_, problem in tried), found[-1]


@contextmanager
def _locked(conn: psycopg.Connection, after: str, batch: int) -> Iterator[tuple[list[str], list[str]]]:
    """The next runs that wait, and those of them that no other relay has: ours, until the end of the block."""
    try:
        found = conn.execute(LOCK_RUNS, {"after": after, "batch": batch}).fetchall()
        yield [run for run, _ in found], [run for run, is_ours in found if is_ours]
    finally:
        conn.execute("SELECT pg_advisory_unlock_all()")


def _send(send: Callable[[Event], object], events: list[Event]) -> list[tuple[str, int, str | None]]:
    """What was tried, each with its problem, or None."""
    tried: list[tuple[str, int, str | None]] = []
    failed = ""
    for event in events:
        if event.run != failed:
            try:
                answer = send(event)
            except Exception as error:  # noqa: BLE001 - whatever it is, other runs go on
                tried.append((event.run, event.number, repr(error)))
                failed = event.run
            else:
                check_done(answer)
                tried.append((event.run, event.number, None))
    return tried
