"""Many runs in one life: each stops at a point of its own, and then the process is killed. For a judge, in a child.

A sweep of the notebook's kind has two lives for each crash point. Here the first life begins a run for each of them,
which stops there and waits; when all do, the process is killed, and one more life goes on with all. What the lives have
told is plain data. They are forks of the child, which is a bare trial, and which never runs their code.
"""

import json
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import Pipe
from typing import Any

import sqlalchemy as sa

from labkit import database, world
from labkit.engines import many_runs
from labkit.engines.many_runs import DAY, Life

SECONDS = 120.0
"""For which a life may tell nothing."""
NEXT = "the next life"
"""What is among the calls of the world where another life begins."""


def lives(those: Sequence[Life]) -> list[dict[str, dict[str, Any]]]:
    """In a bare trial: one life after another on a new database. Of each, by run: how it went.

    {"how": result, error, stopped or waiting, "value": …, "effects": […], "asked": [[what, behind how many effects]],
    "line": where it raised or waits}. A run of `stopped` for which there is no effect left is not begun. Where a run is
    waiting, no other life follows.
    RuntimeError if a life ends without a word.
    """
    url, told = database.url(), []
    try:
        days = 0.0
        for life in those:
            with suppress(world.ToolError):
                world.tool(NEXT)
            world.current().sleep(DAY * (life.days - days))
            days = life.days
            life.before()
            begun = [run for run, end in (told[-1] if told else {}).items() if end["how"] == "stopped"]
            told.append(_lived(life, begun, url))
            if any(end["how"] == "waiting" for end in told[-1].values()):
                break
    finally:
        with sa.create_engine(url).begin() as connection:
            connection.execute(sa.text("DROP SCHEMA IF EXISTS dbos CASCADE"))
    return told


def _lived(life: Life, begun: Sequence[str], url: str) -> dict[str, dict[str, Any]]:
    ours, theirs = Pipe()
    pid = os.fork()
    if not pid:
        try:
            ours.close()
            many_runs.live(life, begun, url, theirs)
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    theirs.close()
    try:
        if not ours.poll(SECONDS):
            raise RuntimeError(f"the process had told nothing after {SECONDS:.0f} seconds")
        return json.loads(ours.recv_bytes())
    except EOFError:
        raise RuntimeError("the process ended") from None
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        ours.close()
