"""A queue whose workers are killed at random, and its server as well: what was accepted is worked on, each once."""

import multiprocessing
import random
import time
from contextlib import suppress
from pathlib import Path

import psycopg

from labkit import database, tasks
from labkit.database import as_url
from labkit.postgres import connect as engine_of
from labkit.postgres import create_schema
from labkit.store import StoreError

WORKERS, LEASE = 8, 3.0
LEDGER = "CREATE TABLE ledger (task text PRIMARY KEY); CREATE TABLE calls (task text)"
DEPLOY = "INSERT INTO ledger VALUES (%s) ON CONFLICT DO NOTHING"
COUNTS = """
    SELECT (SELECT count(*) FROM ledger), (SELECT count(*) FROM calls),
        (SELECT count(*) FROM labkit_records WHERE kind = 'queued task' AND body ->> 'result' = id || ' is up')
"""
STATES = "SELECT state, count(*) FROM labkit_records WHERE kind = 'queued task' GROUP BY state"


def work(url):
    """Take a few, deploy each by a tool that knows its key, and finish it; while the server is down, wait."""
    engine = engine_of(url)
    while True:
        with suppress(StoreError, psycopg.Error):
            held = tasks.take(engine, limit=5, lease=LEASE, attempts=1000)
            if not held:
                time.sleep(0.05)
                continue
            with psycopg.connect(url, autocommit=True) as tool:
                for each in held:
                    tool.execute("INSERT INTO calls VALUES (%s)", [each.id])
                    tool.execute(DEPLOY, [each.id])
                    tasks.finish(engine, each, f"{each.id} is up")


def submit(url, count, accepted):
    """Whoever submits tries again under the same key, and writes down what was accepted."""
    engine = engine_of(url)
    with Path(accepted).open("w", encoding="utf-8") as file:
        for number in range(count):
            key = f"task-{number:05}"
            while True:
                with suppress(StoreError):
                    print(tasks.submit(engine, "deploy", key), file=file, flush=True)
                    break
                time.sleep(0.02)


def assert_each_is_done_once(count, server_kills, folder):
    """Workers are killed until all is done, the server at moments spread over it."""
    rng, context, accepted = random.Random(23), multiprocessing.get_context("forkserver"), folder / "accepted"
    context.set_forkserver_preload([__name__])
    with database.throwaway_cluster() as cluster:
        cluster.make_database("work")
        url = as_url(cluster.owner("work"))
        create_schema(engine_of(url))
        with psycopg.connect(url) as tool:
            tool.execute(LEDGER)
        start = lambda function, *args: context.Process(target=function, args=args, daemon=True)  # noqa: E731
        processes = [start(submit, url, count, accepted), *(start(work, url) for _ in range(WORKERS))]
        for process in processes:
            process.start()
        worker_kills, left = 0, server_kills
        try:
            while (done := _states(url).get("completed", 0)) < count:
                time.sleep(rng.uniform(0.1, 0.5))
                victim = rng.randint(1, WORKERS)
                processes[victim].kill()
                processes[victim].join(30)
                processes[victim] = start(work, url)
                processes[victim].start()
                worker_kills += 1
                if done >= count * (server_kills - left + 1) / (server_kills + 1) and left:
                    cluster.kill()
                    cluster.start()
                    left -= 1
        finally:
            for process in processes:
                process.kill()
                process.join(30)
        with psycopg.connect(url) as tool:
            effects, calls, right = tool.execute(COUNTS).fetchone()
        print(f"{worker_kills} workers and {server_kills - left} servers killed, {calls - effects} calls repeated")
        assert accepted.read_text().split() == [f"task-{number:05}" for number in range(count)]
        assert (effects, right, left) == (count, count, 0)
        assert _states(url) == {"completed": count}
        assert calls > effects, "no worker was killed in mid-work: the test proves nothing"


def _states(url):
    """How many tasks are in each state."""
    with psycopg.connect(url) as connection:
        return dict(connection.execute(STATES).fetchall())
