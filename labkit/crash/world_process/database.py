"""The world's database: kept by the world's process, put back when a child first asks for it, read when it is dead.

It is the notebook's own in a cell that crashes, and one of the crash lab's in a sweep. The driver is loaded when the
first child asks: most sweeps need none.
"""

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.crash.world_process.rows import Rows

CHILD = "labkit-child"
"""The application name of a child's connections."""
PATIENCE = 10.0
"""Seconds until a dead child's connection must be gone."""


class Keeper:
    """What the world's process knows of databases."""

    def __init__(self) -> None:
        self._rows: Rows | None = None
        self._given: dict[str, Any] = {}
        self._used = False

    def begin(self, memory: dict[str, Any]) -> None:
        """A child begins, in a world with this memory: with a `database`, the notebook's own `url`, or neither."""
        self._given = {key: memory[key] for key in ("database", "url") if key in memory}
        self._used = False

    def url(self) -> str:
        """Where the child finds the database. DatabaseError if the server does not answer."""
        if "url" in self._given:
            self._used = True
            return self._given["url"]
        from labkit.crash.world_process import rows  # noqa: PLC0415 - see above

        if self._rows and self._rows.lost:  # the server may have been started anew since the last sweep
            self._rows.close()
            self._rows = None
        self._rows = self._rows or rows.take()
        self._rows.put_back(self._given.get("database", rows.EMPTY))
        self._used = True
        return self._rows.url

    def memory(self) -> dict[str, Any]:
        """What to remember of the child that is dead now. ValueError if the lab could not put it back."""
        if self._used and "url" in self._given:
            _wait_until_gone(self._given["url"])
        elif self._used:
            self._given = {"database": self._rows.read()}
        self._used = False
        return self._given


def tables(memory: dict[str, Any]) -> dict[str, str]:
    """The tables in a world's memory as text, to be shown beside the files."""
    found = memory.get("database", {}).get("tables", {})
    return {f"table {name.removeprefix('public.')}": rows for name, rows in found.items()}


def _wait_until_gone(url: str) -> None:
    """What a killed client held, its server process holds for another moment."""
    import psycopg  # noqa: PLC0415 - see above

    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
    deadline = time.monotonic() + PATIENCE
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(query, [CHILD]).fetchone()[0]:
            if time.monotonic() > deadline:
                raise TimeoutError("a killed process's connection to the database is still open")
            time.sleep(0.001)
