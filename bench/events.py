"""How much do batches save a relay? As a ratio in one run, on a server with fsync on.

    python bench/events.py

A thousand events of a hundred runs, sent to nobody and marked: in batches of 100 at least 5 times as fast as one by
one.
"""

import time
from functools import partial

import sqlalchemy as sa
from figures import TRY, Took, beside, interleaved, per_second

from labkit import database
from labkit.events import create_tables, record, relay
from labkit.postgres import connect

EVENTS, RUNS = 20 if TRY else 1000, 100


def seconds(engine: sa.Engine, batch: int) -> Took:
    """To send them all, so many at a time."""
    with engine.begin() as connection:
        for number in range(EVENTS):
            record(connection, f"run {number % RUNS}", "stepped", {"number": number})
    begun, sent = time.perf_counter(), 0
    while sent < EVENTS:  # one call passes over all runs once
        sent += relay(engine, lambda _: None, batch=batch)
    return Took(time.perf_counter() - begun)


def main() -> None:
    """Tell the ratio."""
    with database.throwaway() as url:
        create_tables(engine := connect(url))
        ways = {"in batches of 100": partial(seconds, engine, 100), "one by one": partial(seconds, engine, 1)}
        rates = per_second(interleaved(ways), EVENTS)
        beside("relay events", rates, *ways, unit="per second", aim=5)
        engine.dispose()


if __name__ == "__main__":
    main()
