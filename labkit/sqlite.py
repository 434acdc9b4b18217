"""State in a file of SQLite: a row per record, replaced by one statement or not at all.

    labkit_records    kind, id, state, version, body: the record as JSON; the columns are there to be searched

SQLite's own rollback journal makes each statement whole: after a crash the next process that opens the file undoes what
was left half done. `synchronous=EXTRA` also syncs the directory when the journal goes, so that what was saved survives
a power cut. One file, one machine: the locks do not reach over a network.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Never

from pydantic import ValidationError

from labkit.clock import Clock, SystemClock
from labkit.store import AlreadyExistsError, CorruptState, R, Record, StoreError, VersionConflictError, check_replaces

PATIENCE = 30.0
"""Seconds that a statement waits for other writers."""
SCHEMA = """
    CREATE TABLE IF NOT EXISTS labkit_records (
        kind TEXT NOT NULL, id TEXT NOT NULL, state TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (kind, id)
    ) WITHOUT ROWID
"""
BY_STATE = "CREATE INDEX IF NOT EXISTS labkit_by_state ON labkit_records (kind, state, id)"
INSERT = """
    INSERT INTO labkit_records (kind, id, state, version, body) VALUES (:kind, :id, :state, :version, :body)
    ON CONFLICT DO NOTHING
"""
SAVE = """
    UPDATE labkit_records SET state = :state, version = :version, body = :body
    WHERE kind = :kind AND id = :id AND version = :version - 1
"""
GET = "SELECT body FROM labkit_records WHERE kind = :kind AND id = :id"
LIST_BY_STATE = """
    SELECT id, body FROM labkit_records WHERE kind = :kind AND state = :state AND id > :after ORDER BY id LIMIT :most
"""
LIST_IDS = "SELECT id FROM labkit_records WHERE kind = :kind AND id > :after ORDER BY id LIMIT :most"
DELETE = "DELETE FROM labkit_records WHERE kind = :kind AND id = :id"


class SqliteStateStore:
    """A StateStore in one file. Every operation is one statement on a connection of its own; a refused save asks why.

    StoreError if the file is locked for longer than 30 seconds or cannot be written; CorruptState if it is damaged.
    """

    def __init__(self, path: str | os.PathLike[str], clock: Clock | None = None) -> None:
        """Open the store, whose table is made if need be. `clock` stamps `updated_at`."""
        self._path = Path(path)
        self._clock = clock or SystemClock()
        with self._connected() as connection:
            connection.execute(SCHEMA)
            connection.execute(BY_STATE)

    def insert(self, record: R) -> R:
        """See StateStore.insert."""
        stored, row = self._row(record, version=1)
        if not self._changed(INSERT, row):
            raise AlreadyExistsError(f"{record.kind} {record.id} exists already")
        return stored

    def save(self, record: R) -> R:
        """See StateStore.save."""
        stored, row = self._row(record, version=record.version + 1)
        statement, states = SAVE, record.may_follow
        if states is not None:  # as literals would be: their number differs from kind to kind
            row |= {f"state{number}": str(state) for number, state in enumerate(states)}
            statement += f" AND state IN ({', '.join(f':state{number}' for number in range(len(states)))})"
        if not self._changed(statement, row):
            self._say_why_not(record)
        return stored

    def get(self, kind: type[R], record_id: str) -> R | None:
        """See StateStore.get."""
        rows = self._rows(GET, {"kind": kind.kind, "id": record_id})
        return _parse(kind, record_id, rows[0][0]) if rows else None

    def list_by_state(self, kind: type[R], state: str, *, after: str = "", limit: int = 100) -> list[R]:
        """See StateStore.list_by_state. What it costs depends on `limit` alone."""
        named = {"kind": kind.kind, "state": str(state), "after": after, "most": limit}
        return [_parse(kind, record_id, body) for record_id, body in self._rows(LIST_BY_STATE, named)]

    def list_ids(self, kind: type[Record], *, after: str = "", limit: int = 100) -> list[str]:
        """See StateStore.list_ids."""
        return [row[0] for row in self._rows(LIST_IDS, {"kind": kind.kind, "after": after, "most": limit})]

    def delete(self, kind: type[Record], record_id: str) -> None:
        """See StateStore.delete."""
        self._changed(DELETE, {"kind": kind.kind, "id": record_id})

    def _row(self, record: R, version: int) -> tuple[R, dict[str, Any]]:
        stamped = record.model_copy(update={"version": version, "updated_at": self._clock.now()})
        body = stamped.model_dump_json(warnings=False)
        stored = type(record).model_validate_json(body)  # what could not be read back is refused before it is written
        return stored, {
            "kind": record.kind,
            "id": record.id,
            "state": str(stored.state),
            "version": version,
            "body": body,
        }

    def _changed(self, statement: str, values: dict[str, Any]) -> int:
        with self._connected() as connection:
            return connection.execute(statement, values).rowcount

    def _rows(self, statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        with self._connected() as connection:
            return connection.execute(statement, values).fetchall()

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None)) as connection:
                connection.execute("PRAGMA synchronous = EXTRA")
                yield connection
        except sqlite3.OperationalError as error:
            raise StoreError(f"{self._path.name} cannot be used: {error}") from error
        except sqlite3.DatabaseError as error:
            raise CorruptState(f"{self._path.name} cannot be read: {error}") from error

    def _say_why_not(self, record: R) -> Never:
        check_replaces(record, self.get(type(record), record.id))
        raise VersionConflictError(f"{record.kind} {record.id}: another writer was at it")


def _parse(kind: type[R], record_id: str, body: str) -> R:
    try:
        return kind.model_validate_json(body)
    except (ValidationError, ValueError, TypeError) as error:
        raise CorruptState(f"the row {record_id} cannot be read: it does not hold a {kind.kind}") from error
