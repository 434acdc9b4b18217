"""Connections for single statements: noticed when they are dead, and begun without a transaction."""

import selectors
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa

SELECTOR = getattr(selectors, "PollSelector", selectors.DefaultSelector)


def connect(url: str, **options: Any) -> sa.Engine:
    """An engine whose pool never hands out a connection that the server has closed: a dead backend costs nothing.

    It looks at the socket. `pool_pre_ping` asks the server, which takes a third of the time of a save.
    """
    engine = sa.create_engine(url, **options)
    sa.event.listen(engine, "checkout", _refuse_closed)
    return engine


def _refuse_closed(connection: psycopg.Connection, _record: object, _proxy: object) -> None:
    with SELECTOR() as selector:
        selector.register(connection.fileno(), selectors.EVENT_READ)
        if selector.select(0):  # a server that was asked nothing speaks only to say good-bye
            raise sa.exc.DisconnectionError


@contextmanager
def in_autocommit(engine: sa.Engine) -> Iterator[psycopg.Connection]:
    """One of the engine's connections, where each statement is a transaction of its own; errors are SQLAlchemy's.

    It is psycopg's: what SQLAlchemy's does for each statement takes a third of the time of a save.
    """
    try:
        pooled = engine.raw_connection()
    except psycopg.Error as error:
        raise _as_sqlalchemy(error) from error
    connection = pooled.driver_connection
    before = connection.autocommit
    try:
        connection.autocommit = True
        yield connection
    except psycopg.Error as error:
        raise _as_sqlalchemy(error, lost=connection.closed) from error
    finally:
        if connection.closed:
            pooled.invalidate()
        else:
            connection.autocommit = before
        pooled.close()


def _as_sqlalchemy(error: psycopg.Error, *, lost: bool = False) -> sa.exc.DBAPIError:
    return sa.exc.DBAPIError.instance(None, None, error, psycopg.Error, connection_invalidated=lost)
