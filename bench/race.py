"""How fast is a race? 70 orders of two workers with four steps each, on files and on PostgreSQL.

    python bench/race.py

Once warm: the aim is 1 s on files and 3 s on PostgreSQL. Beside it, as a ratio: the same steps one after the other in
as many processes, forked and waited for.
"""

import os
from collections.abc import Callable
from pathlib import Path

import psycopg
from figures import Took, beside, interleaved, seconds

from labkit import database, race
from labkit.crash import Observation

LIMIT = "A process of its own for each worker of each order, and a stop at each of its steps."
ORDERS = 70


def setup() -> None:
    """A file of four bytes."""
    Path("x").write_bytes(b"....")


def write_four_times() -> None:
    """Four steps that all conflict with those of the other; without Python's own, as open is none."""
    for _ in range(4):
        os.truncate("x", 4)


def make_table() -> None:
    """One row."""
    with psycopg.connect(database.url()) as connection:
        connection.execute(
            "DROP TABLE IF EXISTS x; CREATE TABLE x (id int PRIMARY KEY, n int); INSERT INTO x VALUES (1, 0)"
        )


def update_four_times() -> None:
    """Four statements, each a transaction."""
    with psycopg.connect(database.url(), autocommit=True) as connection:
        for _ in range(4):
            connection.execute("UPDATE x SET n = n + 1 WHERE id = 1")


def nothing(_: Observation) -> None:
    """Every end is good."""


def plainly(worker: Callable[[], None]) -> None:
    """As many processes as a race has workers, each doing the same, one after the other."""
    for _ in range(2 * ORDERS):
        if pid := os.fork():
            os.waitpid(pid, 0)
        else:
            worker()
            os._exit(0)


def compare(name: str, worker: Callable[[], None], prepare: Callable[[], None], aim: float) -> None:
    """Two figures: how long, and beside the same without a race."""
    report = race([worker, worker], nothing, prepare)
    report.assert_survives()
    assert len(report.orders) == ORDERS, len(report.orders)

    def plain() -> Took:
        prepare()
        return seconds(lambda: plainly(worker))

    ways = {"race": lambda: race([worker, worker], nothing, prepare).assert_survives(), "one after the other": plain}
    rounds = interleaved(ways)
    beside(f"{ORDERS} orders on {name}", rounds, "race", aim=aim, limit=LIMIT)
    beside(f"{ORDERS} orders on {name}", rounds, *ways, limit=LIMIT)


def main() -> None:
    """Both."""
    compare("files", write_four_times, setup, 1.0)
    database.scratch()
    compare("PostgreSQL", update_four_times, make_table, 3.0)


if __name__ == "__main__":
    os.chdir(os.environ.get("TMPDIR", "/tmp"))  # noqa: S108 - a file for the processes beside the race
    main()
