"""How fast is a sweep of SQL? As a ratio to what it cannot do without, done plainly, per crash point and its recovery.

    python bench/sweep_sql.py

That is: two processes' connections, one TRUNCATE with the rows put back, the statements of the program and of its
recovery, and the wait until the server has let go of the dead client; on as many processors. The limit is 3.
"""

import os
import time
from functools import partial

import psycopg
from figures import compare

from labkit import ack, database, sweep
from labkit.crash import Observation, Report

STEPS = 20
"""Each an UPDATE and a COMMIT: 42 crash points."""
LIMIT = "Each crash point is reached by a new process that begins at the beginning, and so is each recovery."
NOT_GONE = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"


def setup() -> None:
    """A task that is not done."""
    with psycopg.connect(database.url()) as connection:
        connection.execute("CREATE TABLE task (id text PRIMARY KEY, step int)")
        connection.execute("INSERT INTO task VALUES ('a', 0)")


def run() -> None:
    """Save step by step."""
    with psycopg.connect(database.url()) as connection:
        save(connection, STEPS)
    ack("done")


def save(connection: psycopg.Connection, steps: int) -> None:
    """So many steps, each in a transaction of its own."""
    for step in range(1, steps + 1):
        connection.execute("UPDATE task SET step = %s", [step])
        connection.commit()


def recover() -> int:
    """What is there."""
    with psycopg.connect(database.url()) as connection:
        return connection.execute("SELECT step FROM task").fetchone()[0]


def invariant(seen: Observation) -> None:
    """What was acknowledged is there."""
    assert seen.state == STEPS or not seen.acknowledged


def swept() -> Report:
    """It must survive, or what is measured is worth nothing."""
    report = sweep(run, recover, invariant, setup)
    report.assert_survives()
    return report


def plainly(points: int) -> None:
    """The same number of crash points, on as many processors as a sweep uses."""
    width = len(os.sched_getaffinity(0))
    for part in range(width):
        if not os.fork():
            try:
                one_part(range(points * part // width, points * (part + 1) // width))
            finally:
                os._exit(0)
    for _ in range(width):
        os.wait()


def one_part(points: range) -> None:
    """For each crash point: put back, connect, do half of it on average, wait for the end, connect, recover."""
    with database.throwaway() as url, psycopg.connect(url, autocommit=True) as keeper:
        keeper.execute("CREATE TABLE task (id text PRIMARY KEY, step int)")
        for point in points:
            keeper.execute("TRUNCATE task")
            keeper.execute("INSERT INTO task VALUES ('a', 0)")
            dying = psycopg.connect(url)
            pid = dying.info.backend_pid
            save(dying, point // 2)
            dying.close()
            while keeper.execute(NOT_GONE, [pid]).fetchone()[0]:
                time.sleep(0.001)
            with psycopg.connect(url) as connection:
                connection.execute("SELECT step FROM task").fetchone()


def main() -> None:
    """Measure and tell."""
    points = len(swept().points)
    ways = {"sweep": swept, "the same done plainly": partial(plainly, points)}
    compare(f"{points} crash points of SQL", ways, aim=3, limit=LIMIT)


if __name__ == "__main__":
    main()
