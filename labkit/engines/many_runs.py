"""One life of an executor with many runs: each comes to its end, or stops before an effect of its own and waits."""

import inspect
import json
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

import sqlalchemy as sa
import time_machine
from dbos import DBOS, SetWorkflowID
from sqlalchemy import event

from labkit import world
from labkit.crash.child.remote_world import RemoteWorld
from labkit.crash.child.trace import lines_under_test
from labkit.crash.lines import Line
from labkit.crash.under_test import text_of
from labkit.engines.dice import draw_by_run
from labkit.engines.life import NAME, WRITES, Told, config

DAY = 86_400
MOST = 40
"""Runs at a time: each may hold a connection."""
POLL, LOOKS = 0.03, 150
"""Seconds between two looks; and after how many a run waits for ever, if no other has done anything either: not after
so many seconds, of which a busy machine has fewer."""
POINTS = 24
"""The most crash points of a run that are looked at."""
STEP, END = "operation_outputs", "workflow_status"
"""Tables of DBOS: what a step has returned, and how a run is."""


@dataclass(frozen=True)
class Life:
    """What one process of an executor does, beside going on with what the life before it has stopped."""

    workflow: Callable[[], Callable[..., Any]]
    """Finds the function, in that process alone."""
    whole: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Runs that it begins and ends, by their ids, with their arguments."""
    stopped: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Runs that it begins then: the first stops before its first effect, the second before its second, and so on."""
    days: float = 0.0
    """For how many days the clock has gone on since the first life."""
    dice: int = 0
    """What a run draws hangs on this and its id."""
    before: Callable[[], None] = lambda: None
    """What happens before it begins."""


class Counting(RemoteWorld):
    """The world outside, and where each run stops."""

    def __init__(self, channel: Connection) -> None:
        super().__init__(channel)
        self.stops: dict[str, int] = {}
        self.effects: dict[str, list[str]] = {}
        self.stopped: set[str] = set()
        self.asked: dict[str, list[tuple[str, int]]] = {}
        """What each run has asked for, and behind how many of its effects."""
        self.threads: dict[str, int] = {}
        self.over: set[str] = set()
        """Runs whose function has returned or raised in this life."""
        self.lines: dict[str, str] = {}
        self.errors: dict[str, str] = {}

    def reach(self, effect: str) -> None:
        """A run is about to have this effect: now, or never."""
        if (run := DBOS.workflow_id) is None:
            return
        done = self.effects.setdefault(run, [])
        if len(done) == self.stops.get(run):
            self.stopped.add(run)
            threading.Event().wait()
        done.append(effect)

    def ask(self, what: str) -> None:
        """A run asks for what may be different in the next life."""
        if run := DBOS.workflow_id:
            self.asked.setdefault(run, []).append((what, len(self.effects.get(run, ()))))

    def note(self, run: str, frame: FrameType | None) -> None:
        """Keep where a run is."""
        if frame:
            self.lines[run] = str(Line.first(lines_under_test(traceback.walk_stack(frame))) or "")

    def call(self, tool: str, arguments: dict[str, Any], key: str | None = None, timeout: float | None = None) -> str:
        """Use a tool."""
        self.reach(tool)
        return super().call(tool, arguments, key, timeout)


def live(life: Life, begun: Sequence[str], url: str, channel: Connection) -> None:
    """Begin the runs of this life, go on with those that were begun, and tell how each of them goes."""
    outside = world.attach(Counting(world.current()._channel))  # noqa: SLF001 - the child's own, which does not use it
    if life.days:
        time_machine.travel(time.time() + DAY * life.days, tick=True).start()
    draw_by_run(life.dice)
    DBOS(config=config(Told(url, "", b"", "lab", "1", None, 100)) | {"sys_db_pool_size": MOST})
    workflow = DBOS.workflow(name=NAME)(_told(outside, inspect.unwrap(life.workflow())))
    watch(outside)
    DBOS.launch()
    for run, arguments in life.whole.items():
        _begin(workflow, run, arguments)
    ends = _ends(outside, [*begun, *life.whole])
    if any(end["how"] == "waiting" for end in ends.values()):
        channel.send_bytes(json.dumps(ends, default=repr).encode())
        return
    points = max((len(outside.effects.get(run, ())) for run in life.whole), default=0)
    stopped = [*life.stopped.items()][: min(points, POINTS)]
    for point, (run, arguments) in enumerate(stopped):
        outside.stops[run] = point
        _begin(workflow, run, arguments)
    ends |= _ends(outside, [run for run, _ in stopped])
    channel.send_bytes(json.dumps(ends, default=repr).encode())


def _begin(workflow: Callable[..., Any], run: str, arguments: Sequence[Any]) -> None:
    with SetWorkflowID(run):
        DBOS.start_workflow(workflow, *arguments)


def _ends(outside: Counting, runs: Sequence[str]) -> dict[str, dict[str, Any]]:
    """How these runs go, as soon as each has come to an end or stopped, or nothing goes on."""
    ends: dict[str, dict[str, Any]] = {}
    done = looks = 0
    while len(ends) < len(runs) and looks < LOOKS:
        for run in [run for run in runs if run not in ends]:
            how, value = _status(outside, run)
            if how:
                ends[run] = {"how": how, "value": value}
        if (now := len(ends) + sum(map(len, outside.effects.values()))) != done:
            done, looks = now, 0
        looks += 1
        time.sleep(POLL)
    for run in runs:
        if run not in ends and run not in outside.over:
            outside.note(run, sys._current_frames().get(outside.threads.get(run)))  # noqa: SLF001 - made for this
    waiting = {run: {"how": "waiting", "value": None} for run in runs}
    return {
        run: {
            **end,
            "effects": outside.effects.get(run, []),
            "asked": outside.asked.get(run, []),
            "line": outside.lines.get(run, ""),
        }
        for run, end in {**waiting, **ends}.items()
    }


def _status(outside: Counting, run: str) -> tuple[str, Any]:
    if run in outside.stopped:
        return "stopped", None
    if run not in outside.over:  # to ask the database costs more than all else
        return "", None
    status = DBOS.get_workflow_status(run)
    if status and status.status == "SUCCESS":
        return "result", status.output
    if status and status.status == "ERROR":
        return "error", outside.errors.get(run, f"{type(status.error).__name__}: {status.error}")
    return "", None


def _told(outside: Counting, function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function; where it raises is kept."""

    @wraps(function)
    def body(*arguments: Any) -> Any:
        outside.threads[DBOS.workflow_id] = threading.get_ident()
        try:
            return function(*arguments)
        except Exception as error:
            frames = reversed(list(traceback.walk_tb(error.__traceback__)))
            outside.lines[DBOS.workflow_id] = str(Line.first(lines_under_test(frames)) or "")
            outside.errors[DBOS.workflow_id] = f"{type(error).__name__}: {text_of(error)}"
            raise
        finally:
            outside.over.add(DBOS.workflow_id)

    return body


def watch(outside: Counting) -> None:
    """Reach each statement that stores what a step has returned, or the run's end."""

    def execute(_: Any, __: Any, statement: str, *___: Any) -> None:
        if (writes := WRITES.match(statement)) and writes[2] in {STEP, END}:
            outside.reach(writes[2])

    event.listen(sa.Engine, "before_cursor_execute", execute)
