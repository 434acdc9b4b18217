"""SQL as a source of effects: each statement, and each COMMIT, through psycopg and whatever stands on it.

A crash point before COMMIT and one after it: what was sent and never answered has either happened or not.
A transaction's BEGIN and ROLLBACK change nothing for others, and what drivers ask for themselves, nothing at all.
Regular expressions name the statement: a parser (sqlglot) takes 0.3 s to import and 0.7 ms for each statement, where a
whole child takes a few milliseconds, and does not know PREPARE TRANSACTION either.
"""

import re
from collections.abc import Callable, Generator
from functools import wraps
from typing import Any

from psycopg._connection_base import BaseConnection
from psycopg._cursor_base import BaseCursor
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import Composable

from labkit.crash.child import driver
from labkit.crash.child.statements import from_verb
from labkit.crash.child.trace import Trace

HOOKS = {
    BaseCursor: (
        *("_execute_gen", "_executemany_gen_pipeline", "_executemany_gen_no_pipeline", "_stream_send_gen"),
        "_start_copy_gen",
    ),
    BaseConnection: ("_exec_command",),
}
"""The generators through which psycopg sends every statement. They are private: pyproject.toml pins its version."""
OF_THE_DRIVER = re.compile(
    r"\s*(SELECT 1$|SELECT pg_catalog\.version|SELECT current_schema\(|SHOW |SET |BEGIN|ROLLBACK|SAVEPOINT|RELEASE"
    r"|DEALLOCATE|SELECT\s+typname AS name, oid|FETCH|CLOSE|START TRANSACTION|;?\s*$)",
    re.IGNORECASE,
)
TABLE = re.compile(
    r"\b(?:FROM|INTO|UPDATE|TABLE(?: IF NOT EXISTS)?|ON|COPY|TRUNCATE)\s+(?:ONLY\s+)?([\w.\"]+)", re.IGNORECASE
)
CHANGE = re.compile(r"(?<!FOR )(?<!KEY )\b(?:INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)
"""In a statement that begins by WITH; what it locks is not what it changes."""
BESIDE_TABLES = re.compile(
    r"\s*(?:CREATE|ALTER|DROP)\s+(?:ROLE|USER(?!\s+MAPPING)|GROUP|DATABASE|TABLESPACE|SYSTEM)\b"
    r"|.*\blo_(?:creat|create|from_bytea|import|put|unlink)\s*\(",
    re.IGNORECASE | re.DOTALL,
)
"""Roles, databases, settings of both, and large objects: they would outlive a put back."""
COMMITS = ("COMMIT", "END", "PREPARE TRANSACTION")


def install(trace: Trace, ours: Callable[[], str | None]) -> None:
    """Trace all SQL of this process from here on. `ours` tells the URL of the database that the lab puts back."""
    for kind, names in HOOKS.items():
        for name in names:
            setattr(kind, name, _traced(trace, getattr(kind, name), ours))
    driver.install(trace)


def _traced(trace: Trace, real: Callable[..., Any], ours: Callable[[], str | None]) -> Callable[..., Any]:
    @wraps(real)
    def traced(self: Any, query: Any, *args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        connection = getattr(self, "_conn", self)
        statement = _text(query, connection)
        named = label(statement)
        if named is None:
            return (yield from real(self, query, *args, **kwargs))
        if not trace.lenient:
            _check(trace, connection, statement, ours())
        trace.begin(*named)
        result = yield from real(self, query, *args, **kwargs)
        trace.done(*named)
        return result

    return traced


def _check(trace: Trace, connection: Any, statement: str, url: str | None) -> None:
    """Refuse what the lab could not put back."""
    if not _is_ours(connection, url):
        trace.refuse(f"use the database {connection.info.dbname}, which is not the lab's", "connect to database.url()")
    if BESIDE_TABLES.match(statement):
        what = " ".join(statement.split()[:3])
        trace.refuse(f"change the database beside its tables ({what})", "the crash lab puts back what a schema holds")


def _text(query: Any, connection: Any) -> str:
    if isinstance(query, Composable):
        return query.as_string(connection)
    return query.decode(errors="replace") if isinstance(query, bytes) else str(query)


def _is_ours(connection: Any, url: str | None) -> bool:
    told = conninfo_to_dict(url or "")
    return (connection.info.dbname, connection.info.host) == (told.get("dbname"), told.get("host"))


def label(statement: str) -> tuple[str, str] | None:
    """What a statement does and to which table; None if nobody can notice it."""
    statement = from_verb(statement)
    if OF_THE_DRIVER.match(statement):
        _, _, others = statement.partition(";")
        return label(others) if others else None
    verb = statement.split(maxsplit=1)[0].upper()
    if verb == "WITH" and (change := CHANGE.search(statement)):
        verb, statement = change[0].upper(), statement[change.start() :]
    table = TABLE.search(statement)
    return verb, table[1].strip('"') if table and verb not in COMMITS else ""
