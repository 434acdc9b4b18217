"""The inbox: an effect, and the id of the event that it answers, in one transaction."""

from collections.abc import Callable

import sqlalchemy as sa

from labkit.clock import Clock
from labkit.events.tables import check_done, within

RECEIVE = """
    INSERT INTO labkit_inbox (id, received_at) VALUES (%(id)s, coalesce(%(now)s, clock_timestamp()))
    ON CONFLICT DO NOTHING"""


def receive(
    conn: sa.Connection, event_id: str, effect: Callable[[sa.Connection], object], *, clock: Clock | None = None
) -> bool:
    """Do `effect(conn)`, unless this event had its effect already: then False. Both are in the caller's transaction.

    Of two that receive it at once, one waits for the other's end. What the effect does outside needs a key of its own.
    If it raises, both are undone, to a savepoint: whoever catches the error and commits does not lose the event.
    """
    values = {"id": event_id, "now": clock and clock.now()}
    with within(conn).begin_nested():
        fresh = conn.exec_driver_sql(RECEIVE, values).rowcount == 1
        if fresh:
            check_done(effect(conn))
    return fresh
