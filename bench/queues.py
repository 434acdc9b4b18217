"""Submit, take, finish: how many tasks in a second, beside two queues that people use.

    python bench/queues.py

By 1, 2 and 4 workers, each a process, on one server with fsync on. The aim: ahead of both. pgmq is not measured, as
it is an extension, which the lab's server does not have; nor are DBOS's queues, whose workers take their tasks
themselves, when they like.
"""

import asyncio
import multiprocessing
import time
import uuid
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from functools import partial

import psycopg
from claims import Way, pgqueuer_way, procrastinate_way
from figures import TRY, Took, beside, installed, interleaved, per_second

from labkit import database, tasks
from labkit.postgres import connect, create_schema

SECONDS = 600
TASKS = 2 if TRY else 200
WORKERS = (1, 2, 4)


async def labkit_way(url: str, stack: AsyncExitStack, limit: int | None) -> tuple[Way, Way]:
    """Fill and run by labkit.tasks."""
    engine = connect(url)
    stack.callback(engine.dispose)

    async def fill(_: int) -> None:
        tasks.submit(engine, "deploy", str(uuid.uuid4()), limit=limit)

    async def run() -> None:
        for held in tasks.take(engine):
            assert tasks.finish(engine, held, "up")

    return fill, run


WAYS = {
    "labkit.tasks": lambda url, stack: labkit_way(url, stack, None),
    "labkit.tasks, an exact limit": lambda url, stack: labkit_way(url, stack, 10**6),
    "procrastinate": procrastinate_way,
    "pgqueuer": lambda url, stack: pgqueuer_way(url, stack, 1),
}


async def work(url: str, name: str, start: float) -> tuple[float, float]:
    """Do so many tasks from `start` on: when that began, and when it ended."""
    async with AsyncExitStack() as stack:
        fill, run = await WAYS[name](url, stack)
        await fill(1)
        await run()  # the first connection and its statements are not what is measured
        await asyncio.sleep(max(0.0, start - time.monotonic()))
        begun = time.monotonic()
        for _ in range(TASKS):
            await fill(1)
            await run()
        return begun, time.monotonic()


def worker(url: str, name: str, start: float) -> tuple[float, float]:
    """The same in a process of its own."""
    return asyncio.run(work(url, name, start))


def seconds(url: str, name: str, workers: int) -> Took:
    """For one task, by so many processes at once."""
    start = time.monotonic() + 3
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        times = list(pool.map(worker, [url] * workers, [name] * workers, [start] * workers))
    begun, ended = zip(*times, strict=True)
    return Took((max(ended) - min(begun)) / (workers * TASKS))


def main() -> None:
    """Tell the ratios."""
    ours, exact, *others = WAYS
    names = [ours, exact, *(name for name in others if installed(name, what=f"beside {name}"))]
    with database.throwaway() as server:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA bench")
        url = f"{server}{'&' if '?' in server else '?'}options=-csearch_path%3Dbench"
        create_schema(engine := connect(url))
        engine.dispose()
        for name in names:
            worker(url, name, 0.0)  # makes its tables
        for workers in WORKERS:
            ways = {name: partial(seconds, url, name, workers) for name in names}
            rates = per_second(interleaved(ways, warm=False))
            for theirs in names[1:]:
                aim = None if theirs == exact else 1
                beside(f"{workers} workers", rates, ours, theirs, unit="per second", aim=aim)


if __name__ == "__main__":
    main()
