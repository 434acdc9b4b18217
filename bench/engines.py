"""What does a step cost? By hand and on an engine, as ratios to one INSERT with its COMMIT, on a server with fsync on.

    python bench/engines.py

A step does nothing: what is measured is how it is remembered. `run_once` by hand, which stores the key before the step
and the result behind it; a step of DBOS, which stores the result. All are measured in turn, in many short rounds.
"""

import statistics
import time
import uuid
from collections.abc import Callable
from functools import partial

import psycopg
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer

from labkit import database, run_once
from labkit.postgres import PostgresStateStore, connect, create_schema

ROUNDS, STEPS = 30, 20


def nothing() -> str:
    """A step."""
    return "done"


def seconds(steps: Callable[[], object]) -> float:
    """For one step of those."""
    begun = time.perf_counter()
    steps()
    return (time.perf_counter() - begun) / STEPS


def inserting(connection: psycopg.Connection) -> None:
    """The least that remembers a step."""
    for number in range(STEPS):
        connection.execute("INSERT INTO bench_steps VALUES (%s, %s, %s)", (str(uuid.uuid4()), number, "done"))


def by_hand(store: PostgresStateStore) -> None:
    """The lab's own."""
    run = uuid.uuid4()
    for number in range(STEPS):
        run_once(store, f"{run}/{number}", nothing)


@DBOS.workflow(name="bench")
def on_dbos() -> float:
    """Seconds for a step; what a workflow costs besides is left out."""
    return seconds(lambda: [DBOS.run_step({"name": "nothing"}, nothing) for _ in range(STEPS)])


def main() -> None:
    """Measure on an empty database."""
    with database.throwaway() as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE bench_steps (run text, step int, result text, PRIMARY KEY (run, step))")
        engine = connect(url)
        create_schema(engine)
        quiet: DBOSConfig = {
            "name": "bench",
            "system_database_url": url,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "CRITICAL",
        }
        DBOS(config=quiet)
        DBOS.launch()
        ways = {
            "INSERT and COMMIT": partial(seconds, partial(inserting, connection)),
            "run_once": partial(seconds, partial(by_hand, PostgresStateStore(engine))),
            "a step of DBOS": on_dbos,
        }
        measured = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                measured[name].append(way())
        DBOS.destroy()
        engine.dispose()
    least = statistics.median(measured["INSERT and COMMIT"])
    for name, each in measured.items():
        median = statistics.median(each)
        print(f"{name:<18} {median * 1000:6.2f} ms   {median / least:5.2f} times INSERT and COMMIT")


if __name__ == "__main__":
    main()
