"""What does a store cost? Beside the bare calls that keep the same promise, and beside many other tasks.

    python bench/stores.py

save and get of one task: files against write, fsync, rename and fsync of the directory; SQLite against its statement on
a connection that is kept; PostgreSQL against psycopg. Then one save beside 10, 1,000 and 100,000 tasks: it must cost
the same. bench/postgres.py has listing by state.
"""

import json
import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psycopg
from figures import TRY, beside, compare, interleaved
from postgres import BODY, FILL, TASK, saving, upserting

from labkit import FileStateStore, StateStore, Task, database
from labkit.postgres import PostgresStateStore, connect
from labkit.sqlite import GET, INSERT, SAVE, SqliteStateStore

SIZES = (10, 20) if TRY else (10, 1_000, 100_000)
HOW = {"turns": 6, "calls": 20}
LIMITS = {
    "files": "A lock around each save, the stored version read and checked first, and a checksum.",
    "SQLite": "A connection of its own for each operation, so that a killed or forked process leaves none behind.",
    "PostgreSQL": "SQLAlchemy makes the statement's arguments and takes a connection; pydantic writes the body.",
}
Calls = tuple[Callable[[], object], Callable[[], object]]
"""Save, and get."""


def ours(store: StateStore) -> Calls:
    """By the store."""
    return saving(store), lambda: store.get(Task, TASK.id)


def bare_file(path: Path) -> Calls:
    """By the system's calls."""

    def save() -> None:
        with open(f"{path}.tmp", "wb") as file:
            file.write(BODY.encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{path}.tmp", path)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    return save, lambda: json.loads(path.read_bytes())


def bare_sqlite(path: Path) -> Calls:
    """By the same statements, on a file that has the store's table."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = EXTRA")
    row = {"kind": "task", "id": "raw", "state": "running", "version": 1, "body": BODY}
    connection.execute(INSERT, row)

    def save() -> None:
        row["version"] += 1
        assert connection.execute(SAVE, row).rowcount == 1

    return save, lambda: json.loads(connection.execute(GET, {"kind": "task", "id": "raw"}).fetchone()[0])


def bare_postgres(connection: psycopg.Connection) -> Calls:
    """By psycopg, with a COMMIT for each."""

    def get() -> None:
        assert connection.execute("SELECT body FROM labkit_records WHERE kind = 'task' AND id = 'raw'").fetchone()
        connection.commit()

    return upserting(connection), get


def in_files(folder: Path, size: int) -> StateStore:
    """A store with so many other tasks, which nothing will read."""
    store = FileStateStore(folder)
    (folder / "task").mkdir()
    for number in range(size):
        (folder / "task" / f"t{number}.json").write_text("{}")
    return store


def in_sqlite(folder: Path, size: int) -> StateStore:
    """The same in SQLite."""
    store = SqliteStateStore(path := folder.with_suffix(".sqlite"))
    with sqlite3.connect(path) as connection:
        rows = ({"kind": "task", "id": f"t{n}", "state": "pending", "version": 1, "body": BODY} for n in range(size))
        connection.executemany(INSERT, rows)
    connection.close()
    return store


def in_postgres(stack: ExitStack, _: Path, size: int) -> StateStore:
    """The same in PostgreSQL, in a database of its own."""
    url = stack.enter_context(database.throwaway())
    store = PostgresStateStore(connect(url))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(FILL, ("t", "pending", BODY, size))
        connection.execute("VACUUM ANALYZE labkit_records")
    return store


def main() -> None:
    """Measure and tell."""
    with tempfile.TemporaryDirectory() as name, database.throwaway() as url, psycopg.connect(url) as raw:
        folder = Path(name)
        pairs = {
            "files": (ours(FileStateStore(folder / "files")), bare_file(folder / "bare.json")),
            "SQLite": (ours(SqliteStateStore(folder / "a.sqlite")), bare_sqlite(folder / "a.sqlite")),
            "PostgreSQL": (ours(PostgresStateStore(connect(url))), bare_postgres(raw)),
        }
        for where, pair in pairs.items():
            for what, mine, bare in zip(("save", "get"), *pair, strict=True):
                compare(f"{what}, {where}", {"the store": mine, "bare calls": bare}, limit=LIMITS[where], **HOW)
        raw.rollback()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        few, *more = [f"beside {size:,}" for size in SIZES]
        for where, fill in {"files": in_files, "SQLite": in_sqlite, "PostgreSQL": partial(in_postgres, stack)}.items():
            ways = {}
            for size in SIZES:
                ways[f"beside {size:,}"] = saving(fill(folder / f"{where} {size}", size))
            rounds = interleaved(ways, **HOW)
            for many in more:
                beside(f"save, {where}", rounds, many, few, aim=1.5)


if __name__ == "__main__":
    main()
