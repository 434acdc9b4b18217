"""Many runs in one life: each stops at a point of its own, and then the process is killed. For a judge, in a child.

A sweep of the notebook's kind has two lives for each crash point. Here the first life begins a run for each of them,
which stops there and waits; when all do, the process is killed, and one more life goes on with all. What the lives have
told is plain data. They are forks of the child, which is a bare trial, and which never runs their code.
"""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe
from typing import Any

import sqlalchemy as sa
import time_machine
from dbos import DBOS, SetWorkflowID
from sqlalchemy import event

from labkit import database, world
from labkit.crash.child.remote_world import RemoteWorld
from labkit.crash.child.virtual import CHANCE
from labkit.engines.life import NAME, WRITES, Told, config

MOST = 40
"""Runs at a time: each may hold a connection."""
POLL = 0.01
POINTS = 24
"""The most crash points of a run that are looked at."""
SECONDS = 20.0
"""For which a life may tell nothing."""
STEP, END = "operation_outputs", "workflow_status"
"""Tables of DBOS: what a step has returned, and how a run is."""
FOUND = {"result", "error"}


@dataclass(frozen=True)
class Life:
    """What one process of an executor does."""

    workflow: Callable[[], Callable[..., Any]]
    """Finds the function, in that process alone."""
    whole: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Runs that it begins and ends, by their ids, with their arguments."""
    stopped: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Runs that it begins then: the first stops before its first effect, the second before its second, and so on."""
    known: Sequence[str] = ()
    """Runs that another life has begun."""
    days: float = 0.0
    """For how many days the clock has gone on since the first life."""
    dice: int = 0
    """What a run draws hangs on this and its id."""
    before: Callable[[], None] = lambda: None
    """What happens before it begins."""


def lives(those: Sequence[Life]) -> list[dict[str, dict[str, Any]]]:
    """In a bare trial: one life after another on a new database. Of each, by run: how it went.

    {"how": result, error, stopped or waiting, "value": …, "effects": […]}. A run of `stopped` for which there is no
    effect left is not begun. RuntimeError if a life ends without a word.
    """
    url, told = database.url(), []
    try:
        for number, life in enumerate(those):
            life.before()
            told.append(_lived(life, number, url))
    finally:
        with sa.create_engine(url).begin() as connection:
            connection.execute(sa.text("DROP SCHEMA IF EXISTS dbos CASCADE"))
    return told


def _lived(life: Life, number: int, url: str) -> dict[str, dict[str, Any]]:
    ours, theirs = Pipe()
    pid = os.fork()
    if not pid:
        try:
            ours.close()
            _live(life, number, url, theirs)
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


class Counting(RemoteWorld):
    """The world outside, and where each run stops."""

    def __init__(self, channel: Connection) -> None:
        super().__init__(channel)
        self.stops: dict[str, int] = {}
        self.effects: dict[str, list[str]] = {}
        self.stopped: set[str] = set()

    def reach(self, effect: str) -> None:
        """A run is about to have this effect: now, or never."""
        if (run := DBOS.workflow_id) is None:
            return
        done = self.effects.setdefault(run, [])
        if len(done) == self.stops.get(run):
            self.stopped.add(run)
            threading.Event().wait()
        done.append(effect)

    def call(self, tool: str, arguments: dict[str, Any], key: str | None = None, timeout: float | None = None) -> str:
        """Use a tool."""
        self.reach(tool)
        return super().call(tool, arguments, key, timeout)


def _live(life: Life, number: int, url: str, channel: Connection) -> None:
    outside = world.attach(Counting(world.current()._channel))  # noqa: SLF001 - the child's own, which does not use it
    if life.days:
        time_machine.travel(time.time() + 86400 * life.days, tick=True).start()
    draw_by_run(life.dice)
    DBOS(config=config(Told(url, "", b"", "lab", "1", None, 100)) | {"sys_db_pool_size": MOST})
    workflow = DBOS.workflow(name=NAME)(life.workflow())
    watch(outside)
    DBOS.launch()
    for run, arguments in life.whole.items():
        _begin(workflow, run, arguments)
    ends = {run: _end(outside, run) for run in [*life.known, *life.whole]}
    points = max((len(outside.effects.get(run, ())) for run in life.whole), default=0)
    for point, (run, arguments) in enumerate([*life.stopped.items()][: min(points, POINTS)]):
        outside.stops[run] = point
        _begin(workflow, run, arguments)
        ends[run] = {}
    ends |= {run: _end(outside, run) for run in life.stopped if run in ends}
    channel.send_bytes(json.dumps(ends, default=repr).encode())


def _begin(workflow: Callable[..., Any], run: str, arguments: Sequence[Any]) -> None:
    with SetWorkflowID(run):
        DBOS.start_workflow(workflow, *arguments)


def _end(outside: Counting, run: str) -> dict[str, Any]:
    how, value, until = "waiting", None, time.monotonic() + SECONDS / 4
    while how == "waiting" and time.monotonic() < until:
        if run in outside.stopped:
            how = "stopped"
        elif (status := DBOS.get_workflow_status(run)) is None:
            break
        elif status.status == "SUCCESS":
            how, value = "result", status.output
        elif status.status == "ERROR":
            how, value = "error", f"{type(status.error).__name__}: {status.error}"
        else:
            time.sleep(POLL)
    return {"how": how, "value": value, "effects": outside.effects.get(run, [])}


def watch(outside: Counting) -> None:
    """Reach each statement that stores what a step has returned, or the run's end."""

    def execute(_: Any, __: Any, statement: str, *___: Any) -> None:
        if (writes := WRITES.match(statement)) and writes[2] in {STEP, END}:
            outside.reach(writes[2])

    event.listen(sa.Engine, "before_cursor_execute", execute)


class ByRun(random.Random):
    """Draws for each run from numbers of its own: threads may come in any order."""

    def __init__(self, dice: int) -> None:
        self.dice, self.sources = dice, {}
        super().__init__(dice)

    def _here(self) -> random.Random:
        run = DBOS.workflow_id
        if run not in self.sources:
            self.sources[run] = random.Random(f"{self.dice} {run}")  # noqa: S311 - a lesson
        return self.sources[run]

    def random(self) -> float:
        """Between 0 and 1."""
        return self._here().random()

    def getrandbits(self, k: int, /) -> int:
        """So many bits."""
        return self._here().getrandbits(k)


def draw_by_run(dice: int) -> None:
    """Have all that a run draws hang on the dice of this life: by random, os.urandom, uuid4 and secrets."""
    source = ByRun(dice)
    for name, function in list(vars(random).items()):
        if getattr(function, "__self__", None) is random._inst:  # noqa: SLF001 - whose methods the functions are
            setattr(random, name, getattr(source, name))
    CHANCE.append(source)
