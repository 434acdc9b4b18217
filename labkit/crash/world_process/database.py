"""The world's database: put back when a child first asks for it, read when that child is dead.

It is the notebook's own in a cell that crashes, and one of the lab's in a sweep. The driver is loaded when the first
child asks: most sweeps need none.
"""

import time
from dataclasses import replace
from typing import Any

from labkit.crash.jobs import APPLICATION, Memory

PATIENCE = 10.0
"""Seconds until a dead child's connection must be gone."""


class WorldDatabase:
    """What the world's process knows of its database."""

    def __init__(self) -> None:
        self._scratch: Any = None
        """The Rows of the lab's database, once there is one."""
        self._memory = Memory()
        self._used = False

    def begin(self, memory: Memory) -> None:
        """A child begins, in a world with this memory."""
        self._memory, self._used = memory, False

    def hand_out(self) -> str:
        """Restore what is remembered, and return where the child finds it. DatabaseError if no server answers."""
        again, self._used = self._used, True
        if self._memory.url:
            return self._memory.url
        if again:  # for another worker of the same race
            return self._scratch.hand_out()
        from labkit.crash.world_process import rows  # noqa: PLC0415 - see above

        if self._scratch and self._scratch.lost():  # the server may have been started anew since the last sweep
            self._scratch.close()
            self._scratch = None
        self._scratch = self._scratch or rows.take()
        self._scratch.put_back(self._memory.content or rows.EMPTY)
        return self._scratch.hand_out()

    def blockers(self, backend: int) -> list[int]:
        """The server's processes for which this one waits (pg_blocking_pids)."""
        return self._scratch.blockers(backend)

    def is_behind(self, backend: int) -> bool:
        """Whether this process of the server waits where another one waits."""
        return self._scratch.is_behind(backend)

    def catalogue(self) -> dict[str, Any]:
        """Which tables can be touched apart: see `catalogue`."""
        return self._scratch.catalogue() if self._scratch and self._memory.content else {}

    def gone(self, backends: list[int]) -> None:
        """Wait until these processes of the server have ended, and with them their locks."""
        self._scratch.wait_until_gone(backends)

    def content(self) -> dict[str, Any] | None:
        """What the child that is dead now has left. ValueError if the lab could not put it back."""
        if self._used and self._memory.url:
            _wait_until_gone(self._memory.url)
        elif self._used and self._scratch:  # there is none if no server answered
            self._memory = replace(self._memory, content=self._scratch.read())
        self._used = False
        return self._memory.content


def tables(memory: Memory) -> dict[str, str]:
    """The tables in a world's memory as text, to be shown beside the files."""
    found = (memory.content or {}).get("tables", {})
    return {f"table {name.removeprefix('public.')}": rows.removesuffix("\n") for name, rows in found.items()}


def _wait_until_gone(url: str) -> None:
    """Wait until the server processes of a killed client have ended and let go of its locks (pg_stat_activity)."""
    import psycopg  # noqa: PLC0415 - see above

    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
    deadline = time.monotonic() + PATIENCE
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(query, [APPLICATION]).fetchone()[0]:
            if time.monotonic() > deadline:
                raise TimeoutError("a killed process's connection to the database is still open")
            time.sleep(0.001)
