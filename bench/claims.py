"""How fast is a claim? As a ratio to the same statements by psycopg alone, and beside two queues that people use.

    python bench/claims.py

Claim one task, and finish it, on one server with fsync on. The aims: at least 0.9 of the statements alone; ten at a
time at least 4 times as many as one by one; ahead of procrastinate and pgqueuer, which the extra `bench` installs.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import psycopg
import sqlalchemy as sa
from figures import Took, beside, installed, interleaved, per_second

from labkit import database
from labkit.claims import LEASE, claim, enqueue, finish, finish_all, statements
from labkit.postgres import create_schema
from labkit.task import Task, TaskState

TURNS, TASKS = 30, 10
"""In a round each way has so many turns, and does so many tasks in each: what else the machine does meets all."""
LIMIT = "A connection is taken from SQLAlchemy's pool and put back for each of the two statements."
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


def turn(loop: asyncio.Runner, fill: Way, run: Way, batch: int = 1) -> Callable[[], Took]:
    """Seconds for one task, of so many."""

    async def once() -> Took:
        await fill()
        begun = time.perf_counter()
        for _ in range(TASKS // batch):
            await run()
        return Took((time.perf_counter() - begun) / TASKS)

    return lambda: loop.run(once())


def compare(url: str, loop: asyncio.Runner, stack: AsyncExitStack) -> None:
    """Measure everything that is installed, and tell the ratios."""
    plain, careful = sa.create_engine(url), sa.create_engine(url, pool_pre_ping=True)
    connection = stack.enter_context(psycopg.connect(url, autocommit=True))
    stack.callback(plain.dispose)
    stack.callback(careful.dispose)
    create_schema(plain)
    numbers = iter(range(10**9))

    async def fill() -> None:
        enqueue(plain, [Task(id=f"{next(numbers):09}", user_input="deploy") for _ in range(TASKS)])

    ways = {
        "labkit.claims": turn(loop, fill, ours(plain, 1)),
        "the statements alone": turn(loop, fill, alone(connection)),
        "labkit.claims, pinged first": turn(loop, fill, ours(careful, 1)),
        "labkit.claims, ten at a time": turn(loop, fill, ours(plain, 10), 10),
    }
    if installed("procrastinate", what="beside procrastinate"):
        ways["procrastinate"] = turn(loop, *loop.run(procrastinate_way(url, stack)))
    if installed("pgqueuer", what="beside pgqueuer"):
        ways["pgqueuer"] = turn(loop, *loop.run(pgqueuer_way(url, stack, 1)))
        ways["pgqueuer, ten at a time"] = turn(loop, *loop.run(pgqueuer_way(url, stack, 10)), 10)
    rates = per_second(interleaved(ways, turns=TURNS))
    how = {"unit": "per second", "limit": LIMIT}
    beside("claim and finish", rates, "labkit.claims", "the statements alone", aim=0.9, **how)
    beside("each connection pinged first", rates, "labkit.claims, pinged first", "the statements alone", **how)
    beside("ten at a time", rates, "labkit.claims, ten at a time", "labkit.claims", aim=4, unit="per second")
    for theirs in [name for name in ways if name.startswith(("procrastinate", "pgqueuer"))]:
        mine = "labkit.claims, ten at a time" if theirs.endswith("ten at a time") else "labkit.claims"
        beside("claim and finish", rates, mine, theirs, aim=1, **how)


def main() -> None:
    """Measure on an empty database."""
    with database.throwaway() as url, asyncio.Runner() as loop:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE SCHEMA bench")
        stack = AsyncExitStack()
        try:
            compare(f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3Dbench", loop, stack)
        finally:
            loop.run(stack.aclose())


if __name__ == "__main__":
    main()
