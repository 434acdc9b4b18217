"""SQL in a race: each statement a step, with the tables that it touches, or the row where it names one by its key.

What is not understood touches everything. So does all that runs above READ COMMITTED, as a snapshot is of everything.
COMMIT and ROLLBACK touch what their transaction has: they show it to others, and free its locks. Where it has only
read, there is nothing to show, and what it frees stands only in the way of what touches everything.
"""

from collections.abc import Callable, Generator
from functools import partial, wraps
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from labkit.crash.child import sql
from labkit.crash.child.statements import Statement
from labkit.crash.child.turns import Touches, Turns

ANYTHING: Touches = [[["sql"], True]]
ONLY_READ: Touches = [[["sql", "(read)"], False]]
"""The end of a transaction that has changed nothing, and locked no row."""
ROWS = 3
"""Rows of a result that are told."""


class Transactions:
    """What the connections of this process have touched and not let go of, by the process of the server."""

    def __init__(self, trace: Turns) -> None:
        self.trace, self.tables = trace, trace.among.tables
        self.open: dict[int, Touches] = {}
        self.session: dict[int, Touches] = {}
        """What is held until the connection ends: advisory locks."""
        self.coarse = False
        """Whether anything here has asked for more than READ COMMITTED."""

    def held(self) -> Touches:
        """What others may wait for."""
        kept = [each for known in (self.open, self.session) for touches in known.values() for each in touches]
        return sorted({(tuple(thing), True) for thing, written in kept if written})

    def touches(self, connection: Any, statement: Statement) -> Touches | None:
        """What a statement touches; None if it is no step."""
        before = self.open.get(connection.info.backend_pid, [])
        level = connection.isolation_level
        self.coarse = self.coarse or statement.isolates or (level is not None and level.name != "READ_COMMITTED")
        if statement.ends:
            return self._at_its_end(before) if before else None
        if sql.label(statement.text) is None:
            return None
        found = statement.touches(self.tables)
        return [[["sql"], written] for _, written in found] if self.coarse else found

    def begins(self, connection: Any, statement: Statement) -> bool:
        """Whether what comes of a statement hangs on when it begins, and not only on when it need no longer wait."""
        if self.coarse:
            return not self.open.get(connection.info.backend_pid)
        return not (statement.ends or statement.is_checked_again(self.tables))

    def _at_its_end(self, before: Touches) -> Touches:
        if self.coarse:
            return ANYTHING
        return before if any(written for _, written in before) else ONLY_READ

    def done(self, connection: Any, statement: Statement, touched: Touches) -> None:
        """A statement has been executed, or has failed."""
        backend = connection.info.backend_pid
        if connection.info.transaction_status == TransactionStatus.IDLE:
            self.open.pop(backend, None)
        elif not statement.ends:
            self.open[backend] = [*self.open.get(backend, []), *touched]
        if statement.locks_session:
            self.session[backend] = ANYTHING

    def close(self, connection: Any, real: Callable[[], None]) -> None:
        """A connection is about to be closed: a step if that frees something."""
        backend = connection.info.backend_pid if not connection.closed else 0
        freed = [*self.open.pop(backend, []), *self.session.pop(backend, [])]
        if freed:
            self.trace.wait_for_turn("CLOSE", "", freed, backend=backend)
        real()


def install(trace: Turns, ours: Callable[[], str | None]) -> None:
    """Make steps of all SQL of this process from here on."""
    transactions = Transactions(trace)
    trace.holders.append(transactions.held)
    for kind, names in sql.HOOKS.items():
        for name in names:
            setattr(kind, name, _traced(transactions, getattr(kind, name), ours))
    for kind in (psycopg.Connection, psycopg.AsyncConnection):
        kind.notifies = lambda *_, **__: trace.refuse("wait for notifications in a race", "look into a table instead")
    real = psycopg.Connection.close
    psycopg.Connection.close = wraps(real)(lambda self: transactions.close(self, partial(real, self)))


def _traced(transactions: Transactions, real: Callable[..., Any], ours: Callable[[], str | None]) -> Callable[..., Any]:
    trace = transactions.trace

    @wraps(real)
    def traced(self: Any, query: Any, *args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        connection = getattr(self, "_conn", self)
        statement = Statement(sql._text(query, connection), args[0] if args else kwargs.get("params"))  # noqa: SLF001
        touches = transactions.touches(connection, statement)
        if touches is None:
            return (yield from real(self, query, *args, **kwargs))
        sql._check(trace, connection, statement.text, ours())  # noqa: SLF001 - the two watch the same driver
        named = statement.ends or " ".join(filter(None, sql.label(statement.text)))
        begins = transactions.begins(connection, statement)
        trace.wait_for_turn(named, "", touches, backend=connection.info.backend_pid, begins=begins)
        try:
            result = yield from real(self, query, *args, **kwargs)
        except psycopg.Error as error:
            trace.saw(f"raises {type(error).__name__}")
            raise
        finally:
            transactions.done(connection, statement, touches)
        _tell(trace, self)
        return result

    return traced


def _tell(trace: Turns, cursor: Any) -> None:
    """What a statement has returned, or how many rows it has changed."""
    found = getattr(cursor, "pgresult", None)
    if found is None:
        return
    if found.nfields:
        rows = [[found.get_value(row, column) for column in range(found.nfields)] for row in range(found.ntuples)]
        text = "; ".join(", ".join(map(_value, row)) for row in rows[:ROWS])
        trace.saw(text if len(rows) <= ROWS else f"{text}; … {len(rows)} rows" if rows else "")
        if not rows:
            trace.saw("no row")
    elif found.command_tuples is not None and found.command_tuples >= 0:
        count = found.command_tuples
        trace.saw(f"{count} row" if count == 1 else f"{count} rows")


def _value(value: bytes | None) -> str:
    return "NULL" if value is None else value.decode(errors="replace") or "''"
