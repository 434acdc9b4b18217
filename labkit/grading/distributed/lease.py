"""A process's name, held by an advisory lock of its connection: a worker's, or that of whoever waits for a grading.

    taken → held … the server is gone → taken again, by the same name → held          or LeaseLostError

The lock ends with the connection, and the connection with the process, its machine, or the server. Who holds none is
dead to the others, whatever it does meanwhile.
"""

import threading
import time
import zlib
from collections.abc import Callable
from typing import TypeVar

import psycopg
import sqlalchemy as sa

from labkit.grading.distributed.database import Database, NoDatabaseError
from labkit.repository import UsageError

T = TypeVar("T")
WORKERS, COORDINATORS = 0x6C61_6267, 0x6C61_6268
"""The first of the two numbers of each lock; the second one stands for the name."""
MISSED = 25.0
"""Seconds after which the server has missed a connection that is gone without a word."""
PAUSE = 0.5
GONE = (psycopg.OperationalError, sa.exc.OperationalError, NoDatabaseError)
HELD = """SELECT l.objid::bigint, a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.classid = %s AND l.granted
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


class LeaseLostError(UsageError):
    """Somebody else has the name: nothing that we do counts any more."""


class Lease:
    """A connection that holds a name. What is done over it, by any thread, waits for a server that is gone."""

    def __init__(self, database: Database, space: int, say: Callable[[str], object], patience: float) -> None:
        self._database, self._space, self._say, self._patience = database, space, say, patience
        self._alone, self._connection = threading.RLock(), database.connect()
        self.name = self._tells = ""
        self.stopping = threading.Event()
        """Set: a server that is gone is not waited for."""

    def take(self, name: str, tells: str = "") -> bool:
        """Have this name, instead of the one there may be; False if somebody else has it.

        `tells`: what others are told of us.
        """
        if got := self.run(lambda connection: locked(connection, self._space, name)):
            before, self.name, self._tells = self.name, name, tells
            if before not in {"", name}:
                self.run(lambda connection: unlock(connection, self._space, before))
            self.run(lambda connection: connection.execute("SELECT set_config('application_name', %s, false)", [tells]))
        return got

    def run(self, do: Callable[[psycopg.Connection], T]) -> T:
        """What `do` returns, which may be done more than once. LeaseLostError, NoDatabaseError."""
        with self._alone:
            end = None
            while True:
                try:
                    self._renew()
                    return do(self._connection)
                except GONE as error:
                    if isinstance(error, NoDatabaseError) and not error.later:
                        raise
                    self._connection.close()
                if end is None:
                    end = time.monotonic() + self._patience
                    self._say("The database does not answer: waiting for it")
                if self.stopping.wait(PAUSE) or time.monotonic() > end:
                    raise NoDatabaseError("the database does not answer: start this again when it does", later=True)

    def close(self) -> None:
        """Give the name up."""
        self._connection.close()

    def _renew(self) -> None:
        """Have a connection that holds the name."""
        if not self._connection.closed:
            return
        connection, end = self._database.connect(), time.monotonic() + MISSED
        while self.name and not locked(
            connection, self._space, self.name
        ):  # perhaps by our own connection, which is not missed yet
            if self.stopping.wait(PAUSE) or time.monotonic() > end:
                connection.close()
                raise LeaseLostError("it was taken for dead, and somebody else goes on in its place")
        connection.execute("SELECT set_config('application_name', %s, false)", [self._tells])
        self._connection = connection


def locked(connection: psycopg.Connection, space: int, name: str) -> bool:
    """Take the lock of a name, for as long as the connection. False if another connection has it."""
    return connection.execute("SELECT pg_try_advisory_lock(%s, %s)", [space, number(name)]).fetchone() == (True,)


def unlock(connection: psycopg.Connection, space: int, name: str) -> None:
    """Give the lock of a name back, once."""
    connection.execute("SELECT pg_advisory_unlock(%s, %s)", [space, number(name)])


def number(name: str) -> int:
    """The second number of the lock of a name."""
    return zlib.crc32(name.encode()) & 0x7FFF_FFFF


def workers(connection: psycopg.Connection, version: str) -> int:
    """How many workers of a version live."""
    return sum(each.startswith(f"{version}-") for each in set(living(connection, WORKERS).values()))


def living(connection: psycopg.Connection, space: int) -> dict[int, str]:
    """The second numbers of the locks that are held in this database, and what their holders tell."""
    return dict(connection.execute(HELD, [space]).fetchall())
