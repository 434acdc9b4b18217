"""A database server for a grading alone, and databases on it for each submission that needs some."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

import psycopg
from filelock import FileLock, Timeout

from labkit import database
from labkit.database import Cluster
from labkit.grading.sandbox.room import Loan

PREFIX = "submission_"


class Lender:
    """A server that no other grading uses. It starts when the first submission needs it."""

    def __init__(self) -> None:
        self._cluster: Cluster | None = None
        self._turn = threading.Lock()

    @contextmanager
    def lent(self) -> Iterator[Loan]:
        """Databases of its own for one submission, which are gone afterwards."""
        with self._turn:
            cluster = self._cluster = self._cluster or self._started()
            if not cluster.running:
                cluster.start()
        name = f"{PREFIX}{token_hex(6)}"
        try:
            yield Loan({database.LENT: cluster.lend(name)}, (cluster.conninfo()["host"],))
        finally:
            with suppress(psycopg.Error):  # what it did to keep its own is nobody else's loss: see `_started`
                cluster.take_back(name)

    def sound(self) -> bool:
        """Whether the server still runs that has lent them."""
        return self._cluster is not None and self._cluster.running

    def close(self) -> None:
        """Stop the server, if it was started."""
        if self._cluster:
            self._cluster.stop()
            self._lock.release()

    def _started(self) -> Cluster:
        home = database.home()
        home.mkdir(parents=True, exist_ok=True)
        number, self._lock = _free(home)
        cluster = Cluster(home / f"grading-{number}", home)
        cluster.start()
        for name in cluster.borrowers(PREFIX):  # a grader that was killed took nothing back
            with suppress(psycopg.Error):
                cluster.take_back(name)
        # The sandbox's user is another than ours; the server asks everybody for a password.
        os.chmod(cluster.conninfo()["host"], 0o711)  # noqa: S103 - see above
        return cluster


def _free(home: Path) -> tuple[int, FileLock]:
    """The first number whose file lock is free, with the lock. What a killed grader left there is used again."""
    number = 0
    while True:
        lock = FileLock(home / f"grading-{number}.lock", blocking=False, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            number += 1
        else:
            return number, lock
