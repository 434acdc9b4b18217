"""A transaction that begins again when the server asks for it."""

import random
from collections.abc import Callable
from itertools import islice
from typing import TypeVar

import sqlalchemy as sa
from psycopg.pq import TransactionStatus
from sqlalchemy.exc import OperationalError

from labkit.backoff import exponential, full_jitter
from labkit.clock import Clock, SystemClock
from labkit.postgres.errors import in_plain_words, sqlstate
from labkit.store import StoreError

T = TypeVar("T")
BEGIN_AGAIN = frozenset({"40001", "40P01"})
"""SQLSTATE of a serialization failure and of a deadlock: the transaction did nothing and may succeed next time."""


def in_transaction(
    engine: sa.Engine,
    work: Callable[[sa.Connection], T],
    *,
    attempts: int = 5,
    isolation: str | None = None,
    clock: Clock | None = None,
    rng: random.Random | None = None,
) -> T:
    """What `work(connection)` returns, once its transaction is committed; all of it or nothing is then in the database.

    After a serialization failure or a deadlock the whole of it runs again, up to `attempts` times (PostgreSQL manual,
    13.5): it must do nothing that a rollback does not undo. Without `isolation`, the engine's own ("SERIALIZABLE" …).
    StoreError if the server fails it; other errors roll it back and pass through. ValueError if the engine autocommits.
    """
    clock, rng = clock or SystemClock(), rng or random.Random()
    engine = engine.execution_options(isolation_level=isolation) if isolation else engine
    with in_plain_words(OperationalError):
        for delay in islice(exponential(0.02, cap=1.0), attempts - 1):
            try:
                return _once(engine, work)
            except OperationalError as error:
                if sqlstate(error) not in BEGIN_AGAIN:
                    raise
            clock.sleep(full_jitter(delay, rng))
        return _once(engine, work)


def _once(engine: sa.Engine, work: Callable[[sa.Connection], T]) -> T:
    with engine.begin() as connection:
        if connection.connection.dbapi_connection.autocommit:
            raise ValueError("the engine is in autocommit: give an `isolation`, or an engine with transactions")
        value = work(connection)
        if connection.connection.dbapi_connection.info.transaction_status is TransactionStatus.INERROR:
            raise StoreError("a statement had failed, and `work` went on: COMMIT would silently have rolled back")
        return value
