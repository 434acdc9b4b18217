"""How much do batches save a relay? As a ratio in one run, on a server with fsync on.

    python bench/events.py

A thousand events of a hundred runs, sent to nobody and marked: in batches of 100 at least 5 times as fast as one by
one. What counts is the ratio of the medians.
"""

import statistics
import time

import sqlalchemy as sa

from labkit import database
from labkit.events import create_tables, record, relay
from labkit.postgres import connect

ROUNDS, EVENTS, RUNS = 7, 1000, 100


def seconds(engine: sa.Engine, batch: int) -> float:
    """To send them all, so many at a time."""
    with engine.begin() as connection:
        for number in range(EVENTS):
            record(connection, f"run {number % RUNS}", "stepped", {"number": number})
    begun, sent = time.perf_counter(), 0
    while sent < EVENTS:  # one call passes over all runs once
        sent += relay(engine, lambda _: None, batch=batch)
    return time.perf_counter() - begun


def main() -> None:
    """Print the ratio."""
    with database.throwaway() as url:
        create_tables(engine := connect(url))
        seconds(engine, 100)
        rounds = [(seconds(engine, 1), seconds(engine, 100)) for _ in range(ROUNDS)]
        one, many = map(statistics.median, zip(*rounds, strict=True))
        print(
            f"in batches of 100: {one / many:.1f} times as fast as one by one ({EVENTS / many:.0f} events per second)"
        )
        engine.dispose()


if __name__ == "__main__":
    main()
