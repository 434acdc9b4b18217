"""How fast is a claim? As a ratio to the same statements by psycopg alone, and beside two queues that people use.

    python bench/claims.py

Claim one task, and finish it: all are measured in turn, in many rounds on one server with fsync on. What counts is the
ratio of the medians. The aims: at least 0.8 of the statements alone; ten at a time at least 4 times as many as one by
one; ahead of procrastinate and pgqueuer. Those two are left out, by name, where the extra `bench` is not installed.
"""

import asyncio
import importlib.util
import json
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import psycopg
import sqlalchemy as sa

from labkit import database
from labkit.claims import LEASE, claim, enqueue, finish, finish_all, statements
from labkit.postgres import create_schema
from labkit.task import Task, TaskState

ROUNDS, TASKS = 150, 10
"""Short rounds, or what else the machine does decides: each way does so many tasks in each."""
Way = Callable[..., Awaitable[Any]]


def completed(record: Task) -> Task:
    """What becomes of every task here."""
    return record.to(TaskState.COMPLETED, result="done")


def ours(engine: sa.Engine, batch: int) -> Way:
    """Claim and finish by labkit.claims, so many at a time."""

    async def run() -> None:
        if batch == 1:
            (held,) = claim(engine)
            assert finish(engine, held, completed(held.record))
        else:
            done = [(held, completed(held.record)) for held in claim(engine, limit=batch)]
            assert finish_all(engine, done) == [True] * batch

    return run


def alone(connection: psycopg.Connection) -> Way:
    """The same two statements, with the least that a program around them can do."""
    wanted = {"kind": "task", "limit": 1, "lease": LEASE, "now": None}

    async def run() -> None:
        name, _, version, _, body, _, token, _ = connection.execute(statements.CLAIM, wanted).fetchone()
        bodies = [json.dumps({**body, "result": "done"})]
        row = {"ids": [name], "tokens": [token], "versions": [version], "states": ["completed"], "bodies": bodies}
        assert connection.execute(statements.FINISH, {"kind": "task", "now": None, **row}).fetchall()

    return run


async def procrastinate_way(url: str, stack: AsyncExitStack) -> tuple[Way, Way]:
    """Fill and run: procrastinate's own job manager, without the worker around it."""
    import procrastinate  # noqa: PLC0415 - it need not be there
    from procrastinate.jobs import Status  # noqa: PLC0415

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))
    await stack.enter_async_context(app.open_async())
    if not await app.check_connection_async():
        await app.schema_manager.apply_schema_async()
    manager = app.job_manager
    worker = await manager.register_worker()

    async def fill(tasks: int = TASKS) -> None:
        await app.configure_task("deploy", allow_unknown=True).batch_defer_async(*[{"wish": "deploy"}] * tasks)

    async def run() -> None:
        job = await manager.fetch_job(queues=None, worker_id=worker)
        await manager.finish_job(job, Status.SUCCEEDED, delete_job=False)

    return fill, run


async def pgqueuer_way(url: str, stack: AsyncExitStack, batch: int) -> tuple[Way, Way]:
    """Fill and run: pgqueuer's own queries, without the manager around them."""
    from pgqueuer.adapters.drivers.psycopg import PsycopgDriver  # noqa: PLC0415 - it need not be there
    from pgqueuer.adapters.persistence.queries import EntrypointExecutionParameter, Queries  # noqa: PLC0415

    connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
    queries = Queries(await stack.enter_async_context(PsycopgDriver(connection)))
    stack.push_async_callback(connection.close)
    if not await queries.schema_is_installed():
        await queries.install()
    name, me = f"deploy {batch}", uuid.uuid4()
    unlimited = {name: EntrypointExecutionParameter(concurrency_limit=0)}

    async def fill(tasks: int = TASKS) -> None:
        await queries.enqueue([name] * tasks, [b"deploy"] * tasks, [0] * tasks)

    async def run() -> None:
        jobs = await queries.dequeue(batch, unlimited, me, None, timedelta(seconds=LEASE))
        assert len(jobs) == batch
        await queries.log_jobs([(job, "successful", None) for job in jobs])

    return fill, run


async def measured(ways: dict[str, tuple[Way, Way, int]]) -> dict[str, float]:
    """The median seconds per task of each way."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, (fill, run, batch) in ways.items():
            await fill()
            begun = time.perf_counter()
            for _ in range(TASKS // batch):
                await run()
            seconds[name].append((time.perf_counter() - begun) / TASKS)
    return {name: statistics.median(times) for name, times in seconds.items()}


async def compare(url: str, stack: AsyncExitStack) -> None:
    """Measure everything that is installed, and print the ratios."""
    plain, careful = sa.create_engine(url), sa.create_engine(url, pool_pre_ping=True)
    connection = stack.enter_context(psycopg.connect(url, autocommit=True))
    stack.callback(plain.dispose)
    stack.callback(careful.dispose)
    create_schema(plain)
    numbers = iter(range(10**9))

    async def fill() -> None:
        enqueue(plain, [Task(id=f"{next(numbers):09}", user_input="deploy") for _ in range(TASKS)])

    ways = {
        "the statements alone": (fill, alone(connection), 1),
        "labkit.claims": (fill, ours(plain, 1), 1),
        "labkit.claims, each connection pinged first": (fill, ours(careful, 1), 1),
        "labkit.claims, ten at a time": (fill, ours(plain, 10), 10),
    }
    missing = [name for name in ("procrastinate", "pgqueuer") if importlib.util.find_spec(name) is None]
    if "procrastinate" not in missing:
        ways["procrastinate"] = (*await procrastinate_way(url, stack), 1)
    if "pgqueuer" not in missing:
        ways["pgqueuer"] = (*await pgqueuer_way(url, stack, 1), 1)
        ways["pgqueuer, ten at a time"] = (*await pgqueuer_way(url, stack, 10), 10)
    seconds = await measured(ways)
    for name, each in seconds.items():
        print(f"{name:44} {seconds['the statements alone'] / each:5.2f}   {each * 1e3:6.2f} ms per task")
    ratio = seconds["labkit.claims"] / seconds["labkit.claims, ten at a time"]
    print(f"ten at a time are {ratio:.1f} times as many as one by one")
    for name in missing:
        print(f"not measured: {name}, which is not installed")


async def main() -> None:
    """Measure on an empty database."""
    with database.throwaway() as url:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE SCHEMA bench")
        async with AsyncExitStack() as stack:
            await compare(f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3Dbench", stack)


if __name__ == "__main__":
    asyncio.run(main())
