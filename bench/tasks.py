"""How fast is the queue? As ratios in one run, on one server with fsync on.

    python bench/tasks.py

submit against its bare INSERT and COMMIT: at least 0.8 without a limit; an exact one takes a lock, in a transaction.
A waiter, from `finish` to the result, against the same statements and a bare NOTIFY: at most 3 times as long.
submit, take and finish by 2 and 4 workers, each a process, against one. take and finish beside a million tasks that
are done and a thousand that wait, against a queue of a few: at most 1.5 times as long. What counts is the ratio of
the medians. bench/claims.py and bench/queues.py have other queues beside it.
"""

import multiprocessing
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import psycopg
import sqlalchemy as sa

from labkit import Deadline, SystemClock, database, tasks
from labkit.postgres import COLUMNS, connect, create_schema
from labkit.tasks.queue import SUBMIT

ROUNDS, CALLS = 30, 30
DONE = """
    INSERT INTO labkit_records (kind, id, state, version, updated_at, body)
    SELECT 'queued task', 'done ' || n, 'completed', 3, now(), %s FROM generate_series(1, %s) AS n"""
Way = Callable[[str], object]


def submitting(engine: sa.Engine, limit: int | None) -> Way:
    """One submit, in the lab's way."""
    return lambda key: tasks.submit(engine, "deploy", key, limit=limit)


def inserting(connection: psycopg.Connection) -> Way:
    """The same row, by its INSERT alone."""

    def insert(key: str) -> None:
        body = tasks.QueuedTask(id=key, user_input="deploy").model_dump_json(exclude=set(COLUMNS))
        values = {"kind": "queued task", "id": key, "body": body, "priority": 0, "limit": 100, "now": None}
        assert connection.execute(SUBMIT, values).fetchone()

    return insert


def finishing(engine: sa.Engine) -> Way:
    """Take one task, and finish it."""

    def work(_: str) -> None:
        (held,) = tasks.take(engine)
        assert tasks.finish(engine, held, "up")

    return work


def measured(ways: dict[str, Way], between: Callable[[], object]) -> dict[str, float]:
    """The median seconds of one call of each way, in turn; `between` two rounds the queue is put in order."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ROUNDS):
        for name, way in ways.items():
            between()
            begun = time.perf_counter()
            for call in range(CALLS):
                way(f"{name} {number} {call}")
            seconds[name].append((time.perf_counter() - begun) / CALLS)
    return {name: statistics.median(times) for name, times in seconds.items()}


def told(listener: psycopg.Connection, other: psycopg.Connection) -> None:
    """Somebody stores a result and notifies, and who listens hears of it: by psycopg alone."""

    def finish() -> None:
        other.execute("UPDATE labkit_records SET state = 'completed' WHERE id = 'bare'")
        other.execute("SELECT pg_notify('bare', '')")

    threading.Thread(target=finish).start()
    assert list(listener.notifies(timeout=10, stop_after=1))


def waited(engine: sa.Engine, key: str) -> Callable[[], None]:
    """The same by `finish`, and `wait` with hints: what is called is measured."""
    tasks.submit(engine, "deploy", key)
    (held,) = tasks.take(engine)
    assert held.id == key

    def run() -> None:
        with tasks.hints(engine, key) as pause:
            threading.Thread(target=tasks.finish, args=(engine, held, "up")).start()
            assert tasks.wait(engine, key, Deadline.after(10, SystemClock()), pause=pause).result == "up"

    return run


def seconds_until_told(engine: sa.Engine, listener: psycopg.Connection, other: psycopg.Connection) -> dict[str, float]:
    """The medians of both, in turn."""
    listener.execute("LISTEN bare")
    tasks.submit(engine, "deploy", "bare")
    tasks.take(engine)
    seconds: dict[str, list[float]] = {"bare": [], "wait": []}
    for number in range(ROUNDS * 3):
        for name, way in {"bare": partial(told, listener, other), "wait": waited(engine, f"wait {number}")}.items():
            begun = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - begun)
    return {name: statistics.median(times) for name, times in seconds.items()}


def worker(url: str, name: int, start: float) -> tuple[float, float]:
    """Submit, take and finish so many tasks: when that began, and when it ended."""
    engine = connect(url)
    tasks.take(engine)  # the first connection and its statements are not what is measured
    time.sleep(max(0.0, start - time.monotonic()))
    begun = time.monotonic()
    for number in range(ROUNDS * CALLS):
        tasks.submit(engine, "deploy", f"{name} {start} {number}", limit=None)
        for held in tasks.take(engine):
            assert tasks.finish(engine, held, "up")
    return begun, time.monotonic()


def tasks_per_second(url: str, workers: int) -> float:
    """By so many processes at once."""
    start = time.monotonic() + 3
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        times = list(pool.map(worker, [url] * workers, range(workers), [start] * workers))
    begun, ended = zip(*times, strict=True)
    return workers * ROUNDS * CALLS / (max(ended) - min(begun))


def main() -> None:
    """Print the ratios."""
    with database.throwaway() as url, psycopg.connect(url, autocommit=True) as connection:
        engine = connect(url)
        create_schema(engine)

        def empty() -> None:
            connection.execute("DELETE FROM labkit_records WHERE state = 'pending'")

        def refill() -> None:
            empty()
            for number in range(CALLS):
                tasks.submit(engine, "deploy", f"{time.monotonic()} {number}", limit=None)

        ways = {"no limit": submitting(engine, None), "an exact limit": submitting(engine, 100)}
        submits = measured({"bare": inserting(connection), **ways}, empty)
        for way in ways:
            print(f"submit with {way}: {submits['bare'] / submits[way]:.2f} of its bare INSERT")
        empty()
        with psycopg.connect(url, autocommit=True) as listener:
            until = seconds_until_told(engine, listener, connection)
        print(f"a waiter learns of a result in {until['wait'] / until['bare']:.1f} times a bare NOTIFY")
        rates = {workers: tasks_per_second(url, workers) for workers in (1, 2, 4)}
        for workers, rate in rates.items():
            print(f"submit, take, finish by {workers}: {rate / rates[1]:.2f} times one worker")
        before = measured({"take": finishing(engine)}, refill)["take"]
        connection.execute(DONE, ["{}", 10**6])
        for number in range(1000):
            tasks.submit(engine, "deploy", f"patient {number}", limit=None)
        connection.execute("ANALYZE labkit_records")
        after = measured({"take": finishing(engine)}, lambda: None)["take"]
        print(f"take, finish beside 1,000,000 done and 1,000 waiting: {after / before:.2f} times as long")
        engine.dispose()


if __name__ == "__main__":
    main()
