"""SQLite as a source of effects: each statement that changes a database in the sandbox, and each COMMIT.

SQLite's C code writes its files past the shim of `open`, so the parent takes these as the killed process has left them.
A statement inside a transaction changes nothing for others yet, but it may have written the journal: it is an effect
like any other. What only reads, and what only begins, is none.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

from labkit.crash.child.denied import tell_denied
from labkit.crash.child.files import ACTIVE, Files
from labkit.crash.child.patch import stand_in
from labkit.crash.child.sqlite_text import label, statements
from labkit.crash.child.trace import Trace
from labkit.crash.news import Native

LEGACY = -1
"""sqlite3.LEGACY_TRANSACTION_CONTROL, which Python 3.12 has named."""


def install() -> None:
    """Trace every connection that a child makes, of whatever class: once, in the zygote."""
    real = sqlite3.connect

    def connect(_: Files, *args: Any, **kwargs: Any) -> sqlite3.Connection:
        """As `sqlite3.connect`; its sixth argument is the class of the connection."""
        if len(args) > 5:
            return real(*args[:5], _connection(args[5]), *args[6:], **kwargs)
        return real(*args, **{**kwargs, "factory": _connection(kwargs.get("factory", sqlite3.Connection))})

    stand_in("connect", connect, ACTIVE, sqlite3, sqlite3.dbapi2)


@cache
def _connection(kind: type[sqlite3.Connection]) -> type[sqlite3.Connection]:  # noqa: C901 - a class, not a function
    trace = ACTIVE[0].trace

    class Traced(kind):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.labkit_look()

        def labkit_look(self) -> None:
            self.labkit_files = _tell_files(self, ACTIVE[0])

        def cursor(self, factory: Any = sqlite3.Cursor) -> sqlite3.Cursor:
            return super().cursor(_cursor(factory))

        def execute(self, *arguments: Any) -> sqlite3.Cursor:
            return self.cursor().execute(*arguments)

        def executemany(self, *arguments: Any) -> sqlite3.Cursor:
            return self.cursor().executemany(*arguments)

        def executescript(self, script: str) -> sqlite3.Cursor:
            return self.cursor().executescript(script)

        def commit(self) -> None:
            if self.in_transaction and self.labkit_files:
                trace.effect("COMMIT", self.labkit_files[0], super().commit)
            else:
                super().commit()

        def __exit__(self, *raised: object) -> bool:
            self.commit() if raised[0] is None else self.rollback()
            return False

        def backup(self, target: sqlite3.Connection, **options: Any) -> None:
            perform = partial(super().backup, target, **options)
            files = getattr(target, "labkit_files", [])
            if files:
                trace.begin("backup", files[0])
            with _alone(trace, "a backup" if files else ""):
                perform()
            if files:
                trace.done("backup", files[0])

        def blobopen(self, *_: object, **__: object) -> None:
            trace.refuse("write into a blob of SQLite", "use UPDATE")

    Traced.__name__, Traced.__qualname__ = kind.__name__, kind.__qualname__
    return Traced


@cache
def _cursor(kind: type[sqlite3.Cursor]) -> type[sqlite3.Cursor]:
    trace = ACTIVE[0].trace

    class Traced(kind):
        def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
            _perform(trace, self.connection, statement, partial(super().execute, statement, *parameters))
            return self

        def executemany(self, statement: str, parameters: Iterable[Any]) -> sqlite3.Cursor:
            if self.connection.isolation_level is None and not self.connection.in_transaction:
                for each in parameters:  # each commits by itself
                    self.execute(statement, each)
            else:
                rows = [*parameters]  # to make them may have effects: nobody sees a row before COMMIT
                _perform(trace, self.connection, statement, partial(super().executemany, statement, rows))
            return self

        def executescript(self, script: str) -> sqlite3.Cursor:
            execute = super().execute
            with _as_written(self.connection):
                for statement in statements(script):
                    _perform(trace, self.connection, statement, lambda: execute(statement).fetchall())  # noqa: B023
            return self

    Traced.__name__, Traced.__qualname__ = kind.__name__, kind.__qualname__
    return Traced


@contextmanager
def _as_written(connection: sqlite3.Connection) -> Iterator[None]:
    """A script commits what is pending, and then does what it says: nothing begins a transaction in its place."""
    level = connection.isolation_level
    if level is not None and getattr(connection, "autocommit", LEGACY) == LEGACY:
        connection.commit()
        connection.isolation_level = None
    try:
        yield
    finally:
        if connection.isolation_level != level:
            connection.isolation_level = level


def _perform(trace: Trace, connection: Any, statement: str, perform: Callable[[], Any]) -> None:
    files = connection.labkit_files
    named = label(statement) if files else None
    if named and named[0] == "COMMIT":
        named = ("COMMIT", files[0]) if connection.in_transaction else None
    if named:
        trace.begin(*named)
    try:
        with _alone(trace, " ".join(named) if named else ""):
            perform()
    except sqlite3.OperationalError as error:  # of which the program may make what it likes
        tell_denied(error, trace.lines(), ACTIVE[0])
        raise
    if named:
        trace.done(*named)
    if "attach" in statement.casefold():
        connection.labkit_look()


@contextmanager
def _alone(trace: Trace, named: str) -> Iterator[None]:
    """SQLite calls Python back in the middle of what it does, where no crash is explored: that must change nothing."""
    before, trace.within = trace.within, trace.within or (named and f"SQLite does {named}")
    try:
        yield
    finally:
        trace.within = before


def _tell_files(connection: sqlite3.Connection, files: Files) -> list[str]:
    """The files of the sandbox that this connection may change, told to the parent; one elsewhere is told as such."""
    inside = []
    for _, _, path in sqlite3.Cursor(connection).execute("PRAGMA database_list").fetchall():
        full = os.path.realpath(path) if path else ""
        if full.startswith(files.root + os.sep):
            inside.append(full.removeprefix(files.root + os.sep))
            files.native.names.add(inside[-1])
            files.trace.note(Native(path=inside[-1]))
        elif path:
            files.outside(path)
    return inside
