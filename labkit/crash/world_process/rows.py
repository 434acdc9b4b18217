"""The content of a sweep's database as plain data, so that it can be put back before every run, like the sandbox.

A content is {"schema": the statements that make it, "tables": {name: rows as COPY writes them}, "sequences": {…}}.
"""

import subprocess
import time
from graphlib import TopologicalSorter
from typing import Any, NamedTuple

from psycopg import OperationalError, sql

from labkit.crash.world_process.catalogue import catalogue
from labkit.database import programs, server
from labkit.database.scratch import PATIENCE, Scratch

Content = dict[str, Any]
EMPTY: Content = {"schema": "", "tables": {}, "sequences": {}}
VERSION = """
    SELECT md5(coalesce(string_agg(part, ' ' ORDER BY part), '')) FROM (
        SELECT 'c' || oid || ' ' || xmin FROM pg_class WHERE oid >= 16384 UNION ALL
        SELECT 'a' || attrelid || ' ' || attnum || ' ' || xmin FROM pg_attribute WHERE attrelid >= 16384 UNION ALL
        SELECT 'd' || oid || ' ' || xmin FROM pg_attrdef UNION ALL
        SELECT 'k' || oid || ' ' || xmin FROM pg_constraint WHERE oid >= 16384 UNION ALL
        SELECT 'p' || oid || ' ' || xmin FROM pg_proc WHERE oid >= 16384 UNION ALL
        SELECT 't' || oid || ' ' || xmin FROM pg_type WHERE oid >= 16384 UNION ALL
        SELECT 'g' || oid || ' ' || xmin FROM pg_trigger UNION ALL
        SELECT 'o' || objoid || ' ' || xmin FROM pg_description WHERE objoid >= 16384 UNION ALL
        SELECT 'n' || oid || ' ' || xmin FROM pg_namespace WHERE oid >= 16384
    ) AS parts (part)
"""
"""A hash that changes with the schema: over the id and the last transaction (xmin) of each row of the catalogue."""
TABLES = """
    SELECT c.oid::regclass::text, string_agg(quote_ident(attname), ', ' ORDER BY attnum)
    FROM pg_class c LEFT JOIN pg_attribute ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
    WHERE relkind = 'r' AND c.oid >= 16384 AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
    GROUP BY c.oid ORDER BY 1
"""
SEQUENCES = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'S' AND oid >= 16384 ORDER BY 1"
REFERENCES = "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'"
IS_BEHIND = """
    SELECT EXISTS (
        SELECT FROM pg_locks AS mine
        WHERE pid = %(pid)s AND NOT granted AND (locktype = 'tuple' OR EXISTS (
            SELECT FROM pg_locks AS theirs
            WHERE theirs.pid <> mine.pid AND NOT theirs.granted AND theirs.locktype = mine.locktype
            AND (theirs.database, theirs.relation, theirs.transactionid, theirs.classid, theirs.objid, theirs.objsubid)
                IS NOT DISTINCT FROM
                (mine.database, mine.relation, mine.transactionid, mine.classid, mine.objid, mine.objsubid)
            AND NOT EXISTS (SELECT FROM pg_locks AS had WHERE had.pid = mine.pid AND had.locktype = 'tuple' AND granted)
        ))
    )
"""
"""Of those who wait for a row the first has it as a 'tuple', and waits for a transaction; the others wait for it."""
TRIGGERS = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"


class Schema(NamedTuple):
    """A schema: the statements that make it, its tables with their columns, referenced ones first, its sequences."""

    statements: str
    tables: dict[str, str]
    sequences: list[str]


class Rows:
    """Reads and restores the content of a scratch database, while nobody else is connected."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch, self._connection = scratch, scratch.connection
        self._connection.execute("SET synchronous_commit = off")  # what the lab puts back need not outlive the machine
        self._connection.execute("SET search_path = ''")
        self._schemas: dict[str, Schema] = {}
        self._current: Content | None = EMPTY

    def hand_out(self) -> str:
        """The URL of the database for a child, which may change it: its content is unknown until it is read."""
        self._current = None
        return self._scratch.url

    def blockers(self, backend: int) -> list[int]:
        """For whom this process of the server waits."""
        return self._connection.execute("SELECT pg_blocking_pids(%s)", [backend]).fetchone()[0]

    def is_behind(self, backend: int) -> bool:
        """Whether this process of the server waits where another one waits, so that the server chooses between them."""
        return self._connection.execute(IS_BEHIND, {"pid": backend}).fetchone()[0]

    def wait_until_gone(self, backends: list[int]) -> None:
        """Until these processes of the server have ended. TimeoutError after 10 seconds."""
        deadline = time.monotonic() + PATIENCE
        while self._connection.execute("SELECT 1 FROM pg_stat_activity WHERE pid = ANY(%s)", [backends]).fetchone():
            if time.monotonic() > deadline:
                raise TimeoutError("a worker's connection to the database is still open")
            time.sleep(0.001)

    def catalogue(self) -> dict[str, Any]:
        """Which tables can be touched apart."""
        return catalogue(self._connection)

    def lost(self) -> bool:
        """Whether the connection has ended."""
        try:
            self._all("SELECT 1")
        except OperationalError:
            return True
        return False

    def close(self) -> None:
        """Give the scratch database back."""
        self._scratch.close()

    def read(self) -> Content:
        """The content, after every other connection is ended (pg_terminate_backend)."""
        self._scratch.end_others()
        schema = self._schema()
        tables = {name: self._copy_out(name, columns) for name, columns in schema.tables.items()}
        sequences = {name: self._position(name) for name in schema.sequences}
        self._current = {"schema": schema.statements, "tables": tables, "sequences": sequences}
        return self._current

    def put_back(self, content: Content) -> None:
        """Restore this content: by its statements if the schema is another, then DELETE, COPY and setval."""
        if content == self._current:
            return
        known = self._schemas.get(self._version())
        if known is None or known.statements != content["schema"]:
            self._scratch.clear()
            self._connection.execute(content["schema"])
            self._connection.execute("SET search_path = ''")
        schema = self._schema(content["schema"])
        with self._connection.transaction():
            for name in reversed(schema.tables):
                self._connection.execute(sql.SQL("DELETE FROM {}").format(sql.SQL(name)))
            for name, columns in schema.tables.items():
                self._copy_in(name, columns, content["tables"][name])
            for name, position in content["sequences"].items():
                self._connection.execute("SELECT setval(%s::regclass, %s, %s)", [name, *position])
        self._current = content

    def _schema(self, statements: str | None = None) -> Schema:
        """The schema as it is; `statements` are those that made it, if they are known."""
        version = self._version()
        if version not in self._schemas:
            columns = dict(self._all(TABLES))
            order: TopologicalSorter[str] = TopologicalSorter({name: [] for name in columns})
            for referring, referenced in self._all(REFERENCES):
                if referring != referenced:
                    order.add(referring, referenced)
            if triggers := self._all(TRIGGERS):
                raise ValueError(f"the crash lab cannot put back a table with a trigger: {triggers[0][0]}")
            tables = {name: columns[name] for name in order.static_order() if name in columns}
            sequences = [name for (name,) in self._all(SEQUENCES)]
            self._schemas[version] = Schema(
                statements if statements is not None else self._statements(), tables, sequences
            )
        return self._schemas[version]

    def _version(self) -> str:
        return self._all(VERSION)[0][0]

    def _statements(self) -> str:
        if not self._all("SELECT 1 FROM pg_class WHERE oid >= 16384 LIMIT 1"):
            return ""
        program = programs.find() / "pg_dump"
        command = [program, "--schema-only", "--no-owner", "--no-privileges", "--dbname", self._scratch.url]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        lines = (line for line in said.split("\n") if line and not line.startswith(("--", "\\")))
        return "\n".join(line for line in lines if not line.startswith("SET "))

    def _all(self, query: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(query).fetchall()

    def _copy_out(self, table: str, columns: str) -> str:
        statement = sql.SQL("COPY {} ({}) TO STDOUT").format(sql.SQL(table), sql.SQL(columns))
        with self._connection.cursor() as cursor, cursor.copy(statement) as rows:
            *lines, _ = b"".join(rows).decode().split("\n")  # texts may hold what splitlines takes for an end of a line
            return "".join(f"{line}\n" for line in sorted(lines))

    def _copy_in(self, table: str, columns: str, rows: str) -> None:
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.SQL(table), sql.SQL(columns))
        if rows:
            with self._connection.cursor() as cursor, cursor.copy(statement) as into:
                into.write(rows)

    def _position(self, sequence: str) -> list[Any]:
        query = sql.SQL("SELECT last_value, is_called FROM {}").format(sql.SQL(sequence))
        return list(self._connection.execute(query).fetchone())


def take() -> Rows:
    """A database of our own. DatabaseError if the server does not run: it must not be started from here."""
    return Rows(Scratch(server()))
