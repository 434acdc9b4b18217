"""What does a step cost? By hand and on an engine, as ratios to one INSERT with its COMMIT, on a server with fsync on.

    python bench/engines.py

A step does nothing: what is measured is how it is remembered. `run_once` by hand, which stores the key before the
step and the result behind it; a step of DBOS, which stores the result.
"""

import itertools
import time
import uuid
from collections.abc import Callable
from functools import partial

import psycopg
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer
from figures import Took, beside, interleaved

from labkit import database, run_once
from labkit.postgres import PostgresStateStore, connect, create_schema

TURNS, STEPS = 6, 20
LIMIT = "run_once stores twice: the key before the step, the result behind it."


def nothing() -> str:
    """A step."""
    return "done"


def seconds(steps: Callable[[], object]) -> Took:
    """For one step of those."""
    begun = time.perf_counter()
    steps()
    return Took((time.perf_counter() - begun) / STEPS)


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
            "a step of DBOS": lambda: Took(on_dbos()),
        }
        rounds = interleaved(ways, turns=TURNS)
        DBOS.destroy()
        engine.dispose()
    for ours, theirs in itertools.combinations(["run_once", "a step of DBOS", "INSERT and COMMIT"], 2):
        beside("a step that does nothing", rounds, ours, theirs, limit=LIMIT)


if __name__ == "__main__":
    main()
