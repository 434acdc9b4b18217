"""Database servers for a grading alone, and databases on them for each submission that needs some."""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from secrets import token_hex

import psycopg
from filelock import FileLock, Timeout

from labkit import database
from labkit.database import Cluster
from labkit.database.errors import DatabaseError
from labkit.grading.sandbox.room import Loan

PREFIX = "submission_"


class Lender:
    """Servers that no other grading uses, one for each slot: what a submission does to its own costs no other's.

    Each starts when the first submission needs it.
    """

    def __init__(self) -> None:
        self._clusters: dict[int, Cluster] = {}
        self._locks: list[FileLock] = []
        self._turn = threading.Lock()

    @contextmanager
    def lent(self, slot: int = 0) -> Iterator[Loan]:
        """Databases of its own for one submission, which are gone afterwards."""
        with self._turn:
            cluster = self._clusters[slot] = self._clusters.get(slot) or self._started()
            if not cluster.running:
                cluster.start()
        name = f"{PREFIX}{token_hex(6)}"
        known, reach = {database.LENT: cluster.lend(name)}, (cluster.conninfo()["host"],)
        try:
            yield Loan(known, reach, cluster.pid, (cluster.folder / "data" / "base",))
        finally:
            with suppress(psycopg.Error, DatabaseError):  # what it did to keep its own is nobody else's loss
                cluster.take_back(name)

    def sound(self, slot: int = 0) -> bool:
        """Whether the server still runs that has lent them."""
        return slot in self._clusters and self._clusters[slot].running

    def close(self) -> None:
        """Stop the servers that were started."""
        with ExitStack() as ends:
            for lock in self._locks:
                ends.callback(lock.release)
            for cluster in self._clusters.values():
                ends.callback(cluster.stop)

    def _started(self) -> Cluster:
        home = database.home()
        number, lock = first_free(home, "grading")
        self._locks.append(lock)
        cluster = Cluster(home / f"grading-{number}", home)
        cluster.start()
        for name in cluster.borrowers(PREFIX):  # a grader that was killed took nothing back
            with suppress(psycopg.Error):
                cluster.take_back(name)
        # The sandbox's user is another than ours; the server asks everybody for a password.
        os.chmod(cluster.conninfo()["host"], 0o711)  # noqa: S103 - see above
        return cluster


def first_free(home: Path, what: str) -> tuple[int, FileLock]:
    """The first number whose file lock is free, with the lock. What a killed process left there is used again."""
    home.mkdir(parents=True, exist_ok=True)
    number = 0
    while True:
        lock = FileLock(home / f"{what}-{number}.lock", blocking=False, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            number += 1
        else:
            return number, lock
