"""The tables of outbox and inbox: how they come to be, and what is deleted when it is old."""

import inspect

import sqlalchemy as sa

from labkit.clock import Clock
from labkit.postgres import in_autocommit, in_plain_words

LOCK = int.from_bytes(b"events")
"""The advisory lock of whoever makes the tables."""
TABLES = """
    CREATE TABLE IF NOT EXISTS labkit_last (run text PRIMARY KEY, number bigint NOT NULL);
    CREATE TABLE IF NOT EXISTS labkit_outbox (
        run text COLLATE "C", number bigint, type text NOT NULL, payload json NOT NULL,
        recorded_at timestamptz NOT NULL, sent_at timestamptz, problem text, PRIMARY KEY (run, number));
    CREATE INDEX IF NOT EXISTS labkit_to_send ON labkit_outbox (run, number) WHERE sent_at IS NULL;
    CREATE INDEX IF NOT EXISTS labkit_sent ON labkit_outbox (sent_at) WHERE sent_at IS NOT NULL;
    CREATE TABLE IF NOT EXISTS labkit_inbox (id text PRIMARY KEY, received_at timestamptz NOT NULL);
    CREATE INDEX IF NOT EXISTS labkit_received ON labkit_inbox (received_at)"""
FORGET = """
    DELETE FROM {0} WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM {0} WHERE {1} < (SELECT coalesce(%(now)s, clock_timestamp())) - make_interval(secs => %(age)s)
        LIMIT %(limit)s))"""
"""The time in a SELECT of its own: else it is asked for again at each row, and no index helps."""


def create_tables(engine: sa.Engine) -> None:
    """Make the tables of outbox and inbox, unless they are there; any number of processes may do so at once."""
    make_tables(engine, LOCK, TABLES)


def make_tables(engine: sa.Engine, lock: int, statements: str) -> None:
    """Run these statements in one transaction, while nobody else does so under this advisory lock."""
    with in_plain_words(), engine.execution_options(isolation_level="READ COMMITTED").begin() as conn:
        conn.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (lock,))
        for statement in statements.split(";"):
            conn.exec_driver_sql(statement)


def forget(engine: sa.Engine, age: float, *, limit: int = 1000, clock: Clock | None = None) -> int:
    """Delete up to `limit` events that were sent, and `limit` ids received, more than `age` seconds ago; how many.

    An event that comes again after that has its effect again: for webhooks, let `age` be more than three days.
    """
    values = {"age": age, "limit": limit, "now": clock and clock.now()}
    with in_plain_words(), in_autocommit(engine) as conn:
        tables = ("labkit_outbox", "sent_at"), ("labkit_inbox", "received_at")
        return sum(conn.execute(FORGET.format(*each), values).rowcount for each in tables)


def within(conn: sa.Connection) -> sa.Connection:
    """ValueError if each statement would be a transaction of its own: then nothing would hold the two together."""
    if conn.connection.dbapi_connection.autocommit:
        raise ValueError("the connection is in autocommit: give one with a transaction")
    return conn


def check_done(answer: object) -> None:
    """TypeError for the answer of a coroutine function, or of a generator: nothing of what it promises was done."""
    if inspect.isawaitable(answer) or inspect.isgenerator(answer):
        raise TypeError(
            f"give a plain function, with asyncio.run in it if need be: this returned a {type(answer).__name__}"
        )
