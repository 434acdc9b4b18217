"""Eight workers, 10,000 tasks, and a killer: `make long` runs it, and `.ci/run` does not.

Real processes, real kills, real time. What makes an effect happen exactly once is not the claim alone: the claim makes
sure that each task is done at least once, and the key that the ledger keeps makes a second call do nothing.
"""

import multiprocessing
import os
import random
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from labkit.claims import claim, enqueue, finish_all, reap
from labkit.idempotency import step_key
from labkit.postgres import create_schema
from labkit.task import Task, TaskState

WORKERS, TASKS, BATCH, LEASE = 8, 10_000, 10, 1.0
LEDGER = """
    CREATE TABLE ledger (key text PRIMARY KEY, task text, token bigint);
    CREATE TABLE calls (key text, token bigint)
"""
CALL = """
    WITH called AS (INSERT INTO calls VALUES (%(key)s, %(token)s))
    INSERT INTO ledger VALUES (%(key)s, %(task)s, %(token)s) ON CONFLICT DO NOTHING
"""
COUNTS = "SELECT (SELECT count(*) FROM ledger), (SELECT count(DISTINCT task) FROM ledger), (SELECT count(*) FROM calls)"


def work(url: str, told: str) -> None:
    """In a process of its own: claim, act, finish and tell, until it is killed."""
    engine = sa.create_engine(url)
    world = psycopg.connect(url, autocommit=True)
    world.execute("SET synchronous_commit = off")  # the server is not killed here
    acknowledged = os.open(told, os.O_WRONLY | os.O_APPEND)
    while True:
        done = []
        for held in claim(engine, limit=BATCH, lease=LEASE):
            world.execute(CALL, {"key": step_key(held.id, "deploy"), "task": held.id, "token": held.token})
            done.append((held, held.record.to(TaskState.COMPLETED, result=f"{held.token}")))
        ours = [held.id for (held, _), kept in zip(done, finish_all(engine, done), strict=True) if kept]
        os.write(acknowledged, "".join(f"{name}\n" for name in ours).encode())
        if not done:
            time.sleep(0.02)


def run_and_kill(engine: sa.Engine, url: str, told: str, rng: random.Random) -> int:
    """Keep eight workers going, kill one every now and then, reap; returns the kills when all tasks are completed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["labkit.claims", "sqlalchemy.dialects.postgresql.psycopg"])
    workers = [_started(context, url, told) for _ in range(WORKERS)]
    kills = 0
    try:
        while _open(engine):
            time.sleep(rng.uniform(0, 0.1))
            victim = rng.randrange(WORKERS)
            workers[victim].kill()
            workers[victim].join(30)
            workers[victim] = _started(context, url, told)
            kills += 1
            reap(engine, limit=TASKS)
    finally:
        for worker in workers:
            worker.kill()
            worker.join(30)
    return kills


def _started(context: multiprocessing.context.ForkServerContext, url: str, told: str) -> BaseProcess:
    process = context.Process(target=work, args=(url, told), daemon=True)
    process.start()
    return process


def _open(engine: sa.Engine) -> bool:
    with engine.connect() as connection:
        query = "SELECT EXISTS (SELECT 1 FROM labkit_records WHERE state <> 'completed')"
        return connection.exec_driver_sql(query).scalar()


@pytest.mark.timeout(600)
def test_workers_that_are_killed_lose_and_repeat_no_effect(engine, database_url, tmp_path):
    """Every effect is in the ledger exactly once, every task is completed, none is acknowledged twice."""
    create_schema(engine)
    told = tmp_path / "acknowledged"
    told.touch()
    with psycopg.connect(database_url) as connection:
        connection.execute(LEDGER)
    names = enqueue(engine, [Task(id=f"{number:05}", user_input="deploy") for number in range(TASKS)])
    begun = time.monotonic()
    kills = run_and_kill(engine, database_url, str(told), random.Random(5))
    with psycopg.connect(database_url) as connection:
        effects, tasks, calls = connection.execute(COUNTS).fetchone()
        finished = connection.execute("SELECT id, state FROM labkit_records").fetchall()
    acknowledged = Path(told).read_text().split()
    print(f"{kills} kills, {calls - effects} calls repeated, {time.monotonic() - begun:.0f} s")
    assert (effects, tasks) == (TASKS, TASKS)
    assert sorted(finished) == [(name, "completed") for name in names]
    assert len(acknowledged) == len(set(acknowledged))
    assert kills >= WORKERS
    assert calls > effects, "no worker was killed in mid-work: the test proves nothing"
