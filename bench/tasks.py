"""How fast is the queue? As ratios in one run, on one server with fsync on.

    python bench/tasks.py

submit against its bare INSERT and COMMIT: at least 0.8 without a limit; an exact one takes a lock, in a transaction.
A waiter, from `finish` to the result, against the same statements and a bare NOTIFY: at most 3 times as long.
submit, take and finish by 2 and 4 workers, each a process, against one. take and finish beside a million tasks that
are done and a thousand that wait, against a queue of a few: at most 1.5 times as long. bench/claims.py and
bench/queues.py have other queues beside it.
"""

import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import count

import psycopg
import sqlalchemy as sa
from figures import TRY, Took, beside, compare, interleaved, per_second, seconds

from labkit import Deadline, SystemClock, database, tasks
from labkit.postgres import COLUMNS, connect, create_schema
from labkit.tasks.queue import SUBMIT

TURNS, CALLS, TASKS = 6, 1 if TRY else 30, 2 if TRY else 180
MANY = 1000 if TRY else 10**6
DONE = """
    INSERT INTO labkit_records (kind, id, state, version, updated_at, body)
    SELECT 'queued task', 'done ' || n, 'completed', 3, now(), %s FROM generate_series(1, %s) AS n"""
Way = Callable[[str], object]
_keys = count()


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


def turn(way: Way, between: Callable[[], object]) -> Callable[[], Took]:
    """Seconds of one call, of so many; before them the queue is put in order."""

    def run() -> Took:
        between()
        return seconds(lambda: way(f"task {next(_keys)}"), CALLS)

    return run


def told(listener: psycopg.Connection, other: psycopg.Connection) -> None:
    """Somebody stores a result and notifies, and who listens hears of it: by psycopg alone."""

    def finish() -> None:
        other.execute("UPDATE labkit_records SET state = 'completed' WHERE id = 'bare'")
        other.execute("SELECT pg_notify('bare', '')")

    threading.Thread(target=finish).start()
    assert list(listener.notifies(timeout=10, stop_after=1))


def waited(engine: sa.Engine) -> Took:
    """Seconds of the same by `finish`, and `wait` with hints."""
    tasks.submit(engine, "deploy", key := f"wait {next(_keys)}")
    (held,) = tasks.take(engine)
    assert held.id == key
    begun = time.perf_counter()
    with tasks.hints(engine, key) as pause:
        threading.Thread(target=tasks.finish, args=(engine, held, "up")).start()
        assert tasks.wait(engine, key, Deadline.after(10, SystemClock()), pause=pause).result == "up"
    return Took(time.perf_counter() - begun)


def worker(url: str, name: int, start: float) -> tuple[float, float]:
    """Submit, take and finish so many tasks: when that began, and when it ended."""
    engine = connect(url)
    tasks.take(engine)  # the first connection and its statements are not what is measured
    time.sleep(max(0.0, start - time.monotonic()))
    begun = time.monotonic()
    for number in range(TASKS):
        tasks.submit(engine, "deploy", f"{name} {start} {number}", limit=None)
        for held in tasks.take(engine):
            assert tasks.finish(engine, held, "up")
    return begun, time.monotonic()


def per_task(url: str, workers: int) -> Took:
    """Seconds for one task, by so many processes at once."""
    start = time.monotonic() + 3
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        times = list(pool.map(worker, [url] * workers, range(workers), [start] * workers))
    begun, ended = zip(*times, strict=True)
    return Took((max(ended) - min(begun)) / (workers * TASKS))


def submits(engine: sa.Engine, connection: psycopg.Connection) -> None:
    """With and without a limit."""

    def empty() -> None:
        connection.execute("DELETE FROM labkit_records WHERE state = 'pending'")

    ways = {
        "no limit": turn(submitting(engine, None), empty),
        "an exact limit": turn(submitting(engine, 100), empty),
        "bare INSERT": turn(inserting(connection), empty),
    }
    rates = per_second(interleaved(ways, turns=TURNS))
    beside("submit", rates, "no limit", "bare INSERT", unit="per second", aim=0.8)
    beside("submit", rates, "an exact limit", "bare INSERT", unit="per second", limit="It takes a lock.")
    empty()


def waits(engine: sa.Engine, url: str, connection: psycopg.Connection) -> None:
    """Until a result is known."""
    with psycopg.connect(url, autocommit=True) as listener:
        listener.execute("LISTEN bare")
        tasks.submit(engine, "deploy", "bare")
        tasks.take(engine)
        ways = {"wait": partial(waited, engine), "a bare NOTIFY": partial(told, listener, connection)}
        compare("a waiter learns of a result", ways, aim=3, turns=3 * TURNS)


def beside_many(engine: sa.Engine) -> None:
    """Two queues: one of a few tasks, and one beside a million."""

    def refill() -> None:
        for _ in range(CALLS):
            tasks.submit(engine, "deploy", f"refill {next(_keys)}", limit=None)

    with database.throwaway() as url, psycopg.connect(url, autocommit=True) as connection:
        large = connect(url)
        create_schema(large)
        connection.execute(DONE, ["{}", MANY])
        for number in range(1000):
            tasks.submit(large, "deploy", f"patient {number}", limit=None)
        connection.execute("ANALYZE labkit_records")
        ways = {"beside many": turn(finishing(large), lambda: None), "of a few": turn(finishing(engine), refill)}
        compare(f"take, finish beside {MANY:,} done and 1,000 waiting", ways, aim=1.5, turns=TURNS)
        large.dispose()


def main() -> None:
    """Tell the ratios."""
    with database.throwaway() as url, psycopg.connect(url, autocommit=True) as connection:
        engine = connect(url)
        create_schema(engine)
        submits(engine, connection)
        waits(engine, url, connection)
        ways = {f"{workers} workers": partial(per_task, url, workers) for workers in (2, 4, 1)}
        rates = per_second(interleaved(ways, warm=False))
        for ours in ("2 workers", "4 workers"):
            beside("submit, take, finish", rates, ours, "1 workers", unit="per second")
        beside_many(engine)
        engine.dispose()


if __name__ == "__main__":
    main()
