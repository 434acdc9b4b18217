"""The database while an answer works on it: what the answer sends, what it leaves open, and what others see.

All of it happens in a child, over connections of the judge's own. What others saw is kept by the server, in a table
that is read when the child is dead: an answer cannot reach back to it. The child has this module, so there is nothing
in it of what is expected; `scenes` has what the judge does with it.
"""

import gc
import os
import re
from collections.abc import Callable, Generator
from functools import wraps
from typing import Any

from psycopg import Connection, sql
from psycopg._cursor_base import BaseCursor
from psycopg.errors import LockNotAvailable
from psycopg.pq import TransactionStatus

from labkit import database
from labkit.crash.child.sql import HOOKS
from labkit.database.backends import ending
from labkit.grading.judge.calls import line_now, told

PATIENCE, WAITED = "3s", "due to lock timeout"
"""How long an answer may wait for a lock, and what the server then says: whoever holds it is the answer itself."""
THROUGH = "let the error through"
"""What a stage says of a call whose error is, as it is, the one that somebody else has raised."""
IDLE = re.compile("pg_catalog|SAVEPOINT|^SELECT 1$")
"""In statements that say nothing of a row: what drivers ask for themselves."""
KEPT = "CREATE TABLE IF NOT EXISTS seen (number int, facts text)"
KEEP = "INSERT INTO seen SELECT %s, encode(convert_to(({})::text, 'UTF8'), 'hex')"
OPEN = sql.SQL("""
    datname = current_database() AND state LIKE 'idle in transaction%' AND NOT pid = ANY({})
""")


class Stage:
    """In a child: the tables, and who works on them beside the answer."""

    def __init__(self, tables: str, facts: str) -> None:
        """Make the `tables`, by SQL. `facts` is a query of one JSON value: what others can see."""
        os.environ["PGOPTIONS"] = f"-c lock_timeout={PATIENCE} -c synchronous_commit=off"
        self.engine, self.listens, self.sent, self.brought = database.engine(), False, 0, 0
        self._keep, self._lines = KEEP.format(facts), {}
        self.judge, self.other = (Connection.connect(database.url(), autocommit=True) for _ in range(2))
        for ours in self.judge, self.other:
            ours.execute("SET lock_timeout = '100ms'")
        self._open = OPEN.format([ours.info.backend_pid for ours in (self.judge, self.other)])
        self.judge.execute(f"{KEPT}; {tables}")
        self._number = self.judge.execute("SELECT count(*) FROM seen").fetchone()[0]
        with self.engine.connect():  # what the driver asks when it connects is none of the answer's statements
            pass
        for name in HOOKS[BaseCursor]:  # whatever psycopg sends, for SQLAlchemy or a raw cursor
            setattr(BaseCursor, name, self._watched(getattr(BaseCursor, name)))

    def play(self, scene: Any) -> list[dict[str, Any]]:
        """What came of a scene, as plain data: once for each time that it was played."""
        raise NotImplementedError

    def before_statement(self) -> None:
        """Called right before each statement of the answer; `sent` counts them, `brought` is the most rows of one."""

    def keep(self) -> int:
        """Have the server keep what others see now; the number of that, 0 if everything is locked."""
        self._number += 1
        try:
            self.judge.execute(self._keep, [self._number])
        except LockNotAvailable:
            return 0
        return self._number

    def open_now(self) -> int:
        """How many transactions of the answer are open, though none of them is at work."""
        count = sql.SQL("SELECT count(*) FROM pg_stat_activity WHERE {}")
        return self.judge.execute(count.format(self._open)).fetchone()[0]

    def open_since(self) -> str:
        """The student's line that began the transaction which is open now; "" if that is not known."""
        return next((line for each, line in self._lines.items() if each.info.transaction_status), "")

    def end_others(self) -> int:
        """How many transactions the answer has left open. They are ended, or nothing more could be played."""
        if not self.open_now():
            return 0
        gc.collect()
        left = self.open_now()
        self.judge.execute(ending(self._open))
        self.engine.dispose()
        return left

    def _watched(self, send: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(send)
        def watched(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            if self.listens and cursor.connection not in (self.judge, self.other) and not IDLE.search(str(query)):
                if cursor.connection.info.transaction_status is TransactionStatus.IDLE:
                    self._lines[cursor.connection] = _line()
                self.sent += 1
                self.before_statement()
                result = yield from send(cursor, query, *args, **kwargs)
                self.brought = max(self.brought, cursor.pgresult.ntuples if cursor.pgresult else 0)
                return result
            return (yield from send(cursor, query, *args, **kwargs))

        return watched


def ends(got: dict[str, Any]) -> bool:
    """Whether nothing more is to be played: it would take long, or the answer or its caller cannot go on."""
    failed = got.get("failed", "")
    return bool(got.get("endless") or got.get("left") or WAITED in failed or "failed" in got.get("caller", {}))


def outcome(got: dict[str, Any]) -> str:
    """How a call of an answer ended, as the predicate of a sentence."""
    if "value" in got:
        return got["value"] if got["value"] == THROUGH else f"returned {got['value']}"
    return told(got) + ": the lock that it waited for is its own" * (WAITED in got["failed"])


def _line() -> str:
    line = line_now()
    return f"line {line.number} of {line.file[len('<answer ') : -1]}" if line else ""
