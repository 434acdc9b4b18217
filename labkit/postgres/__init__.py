"""State in PostgreSQL: a row per record, replaced by one statement or not at all."""

import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any, Never

import sqlalchemy as sa
from psycopg.rows import dict_row
from pydantic import ValidationError

from labkit.clock import Clock, SystemClock
from labkit.postgres.connections import connect, in_autocommit
from labkit.postgres.errors import in_plain_words
from labkit.postgres.statements import DELETE, GET, INSERT, LIST_IDS, list_in, save_over
from labkit.postgres.tables import RECORDS, SCHEMA_VERSION, create_schema, metadata
from labkit.postgres.transaction import in_transaction
from labkit.store import AlreadyExistsError, CorruptState, R, Record, VersionConflictError, check_replaces

__all__ = [
    "RECORDS", "SCHEMA_VERSION", "PostgresStateStore", "connect", "create_schema", "in_autocommit",
    "in_plain_words", "in_transaction", "metadata", "parse", "save_over",
]  # fmt: skip

COLUMNS = frozenset({"id", "state", "version", "updated_at"})
"""What the body of a record leaves to the columns."""


class PostgresStateStore:
    """A StateStore in a database. Every operation is one statement in autocommit; a refused save asks why in another.

    Give it an engine made by `connect`, and a connection that died between two calls costs nothing. StoreError, with
    the next step, if the server cannot do what it was asked; ValueError for an id that PostgreSQL cannot hold.
    """

    def __init__(self, engine: sa.Engine, clock: Clock | None = None) -> None:
        """Open the store, whose tables are made if need be. `clock` stamps `updated_at`."""
        create_schema(engine)
        self._engine = engine
        self._clock = clock or SystemClock()

    def insert(self, record: R) -> R:
        """See StateStore.insert."""
        stored, row = self._row(record, version=1)
        if not self._changed(INSERT, row):
            raise AlreadyExistsError(f"{record.kind} {record.id} exists already")
        return stored

    def save(self, record: R) -> R:
        """See StateStore.save."""
        stored, row = self._row(record, version=record.version + 1)
        states = record.may_follow
        if not self._changed(save_over(states if states is None else tuple(states)), row):
            self._say_why_not(record)
        return stored

    def get(self, kind: type[R], record_id: str) -> R | None:
        """See StateStore.get."""
        rows = self._rows(GET, _named(kind, record_id))
        return parse(kind, rows[0]) if rows else None

    def list_by_state(self, kind: type[R], state: str, *, after: str = "", limit: int = 100) -> list[R]:
        """See StateStore.list_by_state. What it costs depends on `limit` alone, except for completed records."""
        return [parse(kind, row) for row in self._rows(list_in(_text(state)), _page_of(kind, after, limit))]

    def list_ids(self, kind: type[Record], *, after: str = "", limit: int = 100) -> list[str]:
        """See StateStore.list_ids."""
        return [row["id"] for row in self._rows(LIST_IDS, _page_of(kind, after, limit))]

    def delete(self, kind: type[Record], record_id: str) -> None:
        """See StateStore.delete."""
        self._changed(DELETE, _named(kind, record_id))

    def _row(self, record: R, version: int) -> tuple[R, dict[str, Any]]:
        stamped = record.model_copy(update={"version": version, "updated_at": self._clock.now()})
        body = stamped.model_dump(mode="json", warnings=False)
        stored = type(record).model_validate(body)  # what could not be read back is refused before it is written
        rest = json.dumps({name: body[name] for name in body if name not in COLUMNS}, allow_nan=False)
        new = {"new_state": body["state"], "new_version": version, "now": stored.updated_at, "new_body": rest}
        return stored, {**_named(type(record), record.id), **new}

    def _changed(self, statement: str, values: dict[str, Any]) -> int:
        with in_plain_words(), in_autocommit(self._engine) as connection:
            return connection.execute(statement, values).rowcount

    def _rows(self, statement: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        with in_plain_words(), in_autocommit(self._engine) as connection:
            return connection.cursor(row_factory=dict_row).execute(statement, values).fetchall()

    def _say_why_not(self, record: R) -> Never:
        check_replaces(record, self.get(type(record), record.id))
        raise VersionConflictError(f"{record.kind} {record.id}: another writer was at it")


def _named(kind: type[Record], record_id: str) -> dict[str, str]:
    return {"this_kind": kind.kind, "this_id": _text(record_id)}


def _page_of(kind: type[Record], after: str, limit: int) -> dict[str, Any]:
    return {"this_kind": kind.kind, "after": _text(after), "most": limit}


def _text(text: str) -> str:
    if "\0" in text:
        raise ValueError(f"PostgreSQL cannot hold {text!r}: it has a NUL")
    return text


def parse(kind: type[R], row: Mapping[str, Any]) -> R:
    """The record that a row of RECORDS holds. CorruptState if it holds none of this kind."""
    try:
        columns = {name: row[name] for name in COLUMNS}
        return kind.model_validate({**row["body"], **columns, "updated_at": row["updated_at"].astimezone(UTC)})
    except (ValidationError, TypeError) as error:
        raise CorruptState(f"the row {row['id']} cannot be read: it does not hold a {kind.kind}") from error
