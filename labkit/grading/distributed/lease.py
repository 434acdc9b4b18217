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

from labkit.database.server import reason
from labkit.grading.distributed.database import Database, NoDatabaseError
from labkit.repository import UsageError

T = TypeVar("T")
WORKERS, COORDINATORS = 0x6C61_6267, 0x6C61_6268
"""The first of the two numbers of each lock; the second one stands for the name."""
MISSED = 25.0
"""Seconds after which the server has missed a connection that is gone without a word."""
PAUSE = 0.5
GONE = (psycopg.OperationalError, sa.exc.OperationalError, NoDatabaseError)
PASSING = (psycopg.errors.DiskFull, psycopg.errors.DeadlockDetected)
"""What a server that is not gone may do later."""
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
        self.stopping = False
        """Whether a server that is gone is not waited for. It may be set by a signal handler: nobody locks it."""

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
                    said = self._later(error)
                if end is None:
                    end = time.monotonic() + self._patience
                    self._say(f"Waiting for the database: {said}")
                if self.wait(PAUSE) or time.monotonic() > end:
                    raise NoDatabaseError(f"the database is of no use now, start this again later: {said}", later=True)

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until `stopping`: whether it is."""
        end = time.monotonic() + seconds
        while not self.stopping and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, PAUSE))
        return self.stopping

    def close(self) -> None:
        """Give the name up."""
        self._connection.close()

    def _later(self, error: Exception) -> str:
        """What is wrong, if it may be well later. NoDatabaseError."""
        if isinstance(error, NoDatabaseError):
            if error.later:
                return str(error)
            raise error
        cause = error.orig if isinstance(error, sa.exc.OperationalError) else error
        if isinstance(cause, psycopg.Error) and cause.diag.severity_nonlocalized == "ERROR":  # the connection lives
            if not isinstance(cause, PASSING):
                raise NoDatabaseError(f"the database refuses what a grading needs: {reason(cause)}", later=False)
        elif cause is error:  # one of SQLAlchemy's pools has connections of its own
            self._connection.close()
        return reason(cause)

    def _renew(self) -> None:
        """Have a connection that holds the name."""
        if not self._connection.closed:
            return
        connection = self._database.connect()
        try:
            self._take_again(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _take_again(self, connection: psycopg.Connection) -> None:
        end = time.monotonic() + MISSED
        while self.name and not locked(connection, self._space, self.name):  # by our last one, which is not missed yet?
            if self.wait(PAUSE):
                raise NoDatabaseError("the database was gone, and this was told to stop", later=False)
            if time.monotonic() > end:
                raise LeaseLostError("it was taken for dead, and somebody else goes on in its place")
        connection.execute("SELECT set_config('application_name', %s, false)", [self._tells])


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
