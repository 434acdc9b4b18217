"""Who a worker is: the lowest slot that nobody holds, by an advisory lock of a connection that does nothing else.

The lock ends with the connection, and the connection with the process, its machine, or the server. Who loses it is
dead to the others, whatever it does meanwhile; so it must begin anew, as somebody who may be called the same.
"""

import zlib
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

import psycopg

WORKERS, ASKERS = 0x6C61_6267, 0x6C61_6268
"""The first of the two numbers of each lock: of a worker's slot, and of a grading that somebody waits for."""
HELD = "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND database = %s AND granted"


@dataclass
class Slot:
    """A slot that is held."""

    id: str
    """Also the executor's in DBOS: version and number."""
    connection: psycopg.Connection

    def release(self) -> None:
        """Give it up."""
        with suppress(psycopg.Error):
            self.connection.execute("DELETE FROM labkit_grading.worker WHERE id = %s", [self.id])
        self.connection.close()


def lock(name: str) -> int:
    """The second number of the lock of an executor or a grading."""
    return zlib.crc32(name.encode()) & 0x7FFF_FFFF


def take(connection: psycopg.Connection, version: str) -> Slot:
    """The lowest slot of this version that is free, held by that connection from now on."""
    return next(slot for number in count() if (slot := take_named(connection, f"{version}-{number}")))


def take_named(connection: psycopg.Connection, executor: str) -> Slot | None:
    """A slot by its name; None if somebody holds it."""
    return Slot(executor, connection) if _locked(connection, WORKERS, executor) else None


def wait_for(connection: psycopg.Connection, grading: str) -> bool:
    """Be who waits for a grading, for as long as the connection. False if somebody else is."""
    return _locked(connection, ASKERS, grading)


def living(connection: psycopg.Connection, space: int = WORKERS) -> set[int]:
    """The second numbers of the locks that are held in this database."""
    (database,) = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
    return {number for (number,) in connection.execute(HELD, [space, database])}


def _locked(connection: psycopg.Connection, space: int, name: str) -> bool:
    return connection.execute("SELECT pg_try_advisory_lock(%s, %s)", [space, lock(name)]).fetchone() == (True,)
