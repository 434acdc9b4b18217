"""What do 200 streams cost a server, of which half do not read? For two minutes, on a server with fsync on.

    python bench/streams.py [--seconds 120] [--streams 200]

Four runs are told ten updates of a kilobyte each second. Those who read must get every number once and in order. Those
who do not are cut off and come back, every time. What counts is that the server's memory has a bound: its growth is
told beside what it would have had to keep if it kept all for everybody, after each fifth of the time: a round.
"""

import argparse
import asyncio
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import figures as told
import httpx
import psutil
import sqlalchemy as sa

from labkit import database
from labkit.clock import SystemClock
from labkit.postgres import connect, in_transaction
from labkit.progress import ProgressUpdate, create_tables, publish
from labkit.web import Right, Server, serving

RUNS = ["north", "east", "south", "west"]
EVERY, SIZE, HEARTBEAT = 0.1, 1000, 5.0
"""Seconds between two updates of a run; characters of each; seconds: who takes nothing for twice as long is cut off."""
MB, PARTS = 1e6, 5


@dataclass
class Figures:
    """What was measured."""

    told: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RUNS, 0))
    """Run → number of its last update."""
    delays: list[float] = field(default_factory=list)
    """Seconds between the moment of an update and the moment at which one reader has it."""
    wrong: list[str] = field(default_factory=list)
    """Readers that did not get each number once and in order."""
    memory: list[int] = field(default_factory=list)
    """Resident bytes of the server, each second."""
    returns: int = 0
    """How often those who do not read were connected anew."""


async def tell(engine: sa.Engine, figures: Figures, seconds: float) -> None:
    """Publish for so long, then the ends."""
    clock, until = SystemClock(), time.monotonic() + seconds
    going = True
    while going:
        going = time.monotonic() < until
        for run in RUNS:
            figures.told[run] += 1
            status = "thinking" if going else "completed"
            update = ProgressUpdate(
                task=run, step=figures.told[run], status=status, time=clock.now(), message="x" * SIZE
            )
            await asyncio.to_thread(in_transaction, engine, lambda conn, it=update: publish(conn, it.task, it))
        await asyncio.sleep(EVERY)


async def read(client: httpx.AsyncClient, server: Server, run: str, figures: Figures) -> None:
    """One reader: all numbers from 1 to the end, and how late they came."""
    numbers: list[int] = []
    async with client.stream("GET", _url(server, run)) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("id: "):
                numbers.append(int(line[4:]))
            elif line.startswith("data: {"):
                told = ProgressUpdate.model_validate_json(line[6:])
                figures.delays.append(time.time() - told.time.timestamp())
    if numbers != [*range(1, figures.told[run] + 1)]:
        figures.wrong.append(f"{run}: {len(numbers)} of {figures.told[run]}")


async def neglect(server: Server, run: str, figures: Figures) -> None:
    """One that asks and never reads; when it is cut off, it asks again."""
    while True:
        with socket.create_connection(("127.0.0.1", server.port)) as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.sendall(f"GET {_url(server, run).removeprefix(server.url)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            await asyncio.sleep(3 * HEARTBEAT)
        figures.returns += 1


async def watch(process: psutil.Process, figures: Figures) -> None:
    """Note the server's memory, each second."""
    while True:
        figures.memory.append(process.memory_info().rss)
        await asyncio.sleep(1)


async def load(engine: sa.Engine, server: Server, streams: int, seconds: float) -> Figures:
    """Half of the streams read, half do not."""
    figures, process = Figures(), psutil.Process(server.pid)
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client, asyncio.TaskGroup() as group:
        aside = [group.create_task(watch(process, figures))]
        aside += [group.create_task(neglect(server, RUNS[n % 4], figures)) for n in range(streams // 2)]
        readers = [group.create_task(read(client, server, RUNS[n % 4], figures)) for n in range(streams - streams // 2)]
        await asyncio.sleep(2)
        await tell(engine, figures, seconds)
        await asyncio.wait(readers, timeout=60)
        for each in [*aside, *readers]:
            each.cancel()
    return figures


def _url(server: Server, run: str) -> str:
    return f"{server.url}/runs/{run}/updates?token={server.token(run, Right.LOOK)}"


@contextmanager
def a_server() -> Iterator[tuple[sa.Engine, Server]]:
    """One on a database of its own."""
    with database.throwaway() as url:
        engine = connect(url)
        create_tables(engine)
        with serving(url, secrets.token_hex(), heartbeat=HEARTBEAT) as server:
            yield engine, server
        engine.dispose()


def main() -> None:
    """Tell the figures; status 1 if a reader missed an update."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5 if told.TRY else 120)
    parser.add_argument("--streams", type=int, default=8 if told.TRY else 200)
    given = parser.parse_args()
    with a_server() as (engine, server):
        figures = asyncio.run(load(engine, server, given.streams, given.seconds))
    parts = [len(figures.memory) * part // PARTS for part in range(1, PARTS + 1)]
    kept = sum(figures.told.values()) / len(RUNS) * SIZE * given.streams / 2 / MB
    memory = {
        "the server": [(max(figures.memory[:part]) - figures.memory[0]) / MB for part in parts],
        "keeping all": [kept * part / PARTS for part in range(1, PARTS + 1)],
    }
    told.beside("memory of a server with neglected streams", memory, "the server", "keeping all", unit="MB")
    size = max(1, len(figures.delays) // PARTS)
    late = [sorted(figures.delays[part * size : (part + 1) * size]) for part in range(PARTS)]
    for what, share in (("half", 0.5), ("99 in a hundred", 0.99)):
        times = [each[int(len(each) * share)] for each in late]
        told.beside(f"from update to reader, {what}", {"within": times}, "within")
    missed = {"readers": [len(figures.wrong)]}
    told.beside("readers that missed an update or got one twice", missed, "readers", unit="", aim=0)
    print(f"those who do not read were connected anew {figures.returns} times; {figures.wrong[:3] or ''}")
    raise SystemExit(bool(figures.wrong))


if __name__ == "__main__":
    main()
