"""Publishing: an update is a row, with the next number of its run."""

import json
from contextlib import suppress

import sqlalchemy as sa

from labkit.agent.updates import ProgressUpdate
from labkit.events.tables import within
from labkit.postgres import in_autocommit, in_plain_words
from labkit.store import StoreError

CHANNEL = "labkit_progress"
"""Where a run is notified when it has told something."""
LOCK_RUN = """
    INSERT INTO labkit_streams (run, last) VALUES (%(run)s, 0)
    ON CONFLICT (run) DO UPDATE SET last = labkit_streams.last RETURNING last"""
KNOWN = "SELECT number FROM labkit_updates WHERE run = %(run)s AND key = %(key)s"
ADD = "INSERT INTO labkit_updates (run, number, key, body) VALUES (%(run)s, %(number)s, %(key)s, %(body)s::json)"
COUNT = "UPDATE labkit_streams SET last = %(number)s WHERE run = %(run)s"


def publish(conn: sa.Connection, run: str, update: ProgressUpdate, *, key: str | None = None) -> int:
    """Tell an update, in the caller's transaction, and return its number: 1, 2, 3 … within the run, without a gap.

    Others that publish in this run wait until the transaction ends, so whoever reads never sees 8 before 7. With a
    `key`, the same key again is the same update, and nothing is told: for those that go on after a crash.
    """
    if not run:
        raise ValueError("a run has a name")
    body = json.dumps(update.model_dump(mode="json"))
    last = within(conn).exec_driver_sql(LOCK_RUN, {"run": run}).scalar_one()
    known = conn.exec_driver_sql(KNOWN, {"run": run, "key": key}).scalar() if key else None
    if known:
        return known
    values = {"run": run, "number": last + 1, "key": key, "body": body}
    conn.exec_driver_sql(ADD, values)
    conn.exec_driver_sql(COUNT, values)
    return last + 1


def hint(engine: sa.Engine, run: str) -> None:
    """Wake those who listen, after the commit: within it, NOTIFY lets commits wait in a line. It may get lost."""
    with suppress(StoreError), in_plain_words(), in_autocommit(engine) as connection:
        connection.execute("SELECT pg_notify(%s, %s)", [CHANNEL, run])
