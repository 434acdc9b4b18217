"""One life of a process that runs a workflow on DBOS. It kills itself before one of its effects, or comes to an end."""

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import cloudpickle
import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, PortableWorkflowError, SetWorkflowID
from sqlalchemy import event

from labkit import world
from labkit.crash.channel import tell
from labkit.crash.child.remote_world import RemoteWorld

NAME = "workflow"
"""What every version of a workflow's code is called."""
WRITES = re.compile(r"\s*(?:WITH\s+\w+\s+AS\s*\(\s*)?(INSERT|UPDATE|DELETE)\s+(?:INTO\s+|FROM\s+)?(?:\w+\.)?(\w+)")
GOING_ON = {"PENDING", "ENQUEUED", "DELAYED"}
POLL = 0.05
"""Seconds between two looks for a result."""


@dataclass(frozen=True)
class Told:
    """What a life is told at its birth."""

    database: str
    """URL of PostgreSQL."""
    run: str
    """The workflow's id."""
    code: bytes
    """The workflow, a function, and its arguments, by cloudpickle."""
    executor: str
    version: str
    kill: int | None
    """Before which of its effects it kills itself, from 0."""
    attempts: int
    """In how many lives the engine tries to go on with a run, before it gives up."""


class Outside(RemoteWorld):
    """The world outside, to which each effect is told before it happens; a life may end there."""

    def __init__(self, channel: Connection, kill: int | None) -> None:
        super().__init__(channel)
        self._kill, self._count, self._counting = kill, 0, threading.Lock()

    def reach(self, op: str, target: str, line: tuple[str, str, int] | None = None) -> None:
        """An effect is about to happen: now, or never."""
        with self._counting:
            if self._count == self._kill:
                os.kill(os.getpid(), signal.SIGKILL)
            self._count += 1
            self._ask("effect", op, target, line)

    def call(self, tool: str, arguments: dict[str, Any], key: str | None = None, timeout: float | None = None) -> str:
        """Use a tool."""
        self.reach("tool", f"{tool}({', '.join(map(str, arguments.values()))})", _line())
        return super().call(tool, arguments, key, timeout)


def live(told: Told, channel: Connection) -> None:
    """Go on with whatever this executor has left, then with the run; tell its effects, and its result or its error."""
    _quiet()
    outside = world.attach(Outside(channel, told.kill))
    function, arguments = cloudpickle.loads(told.code)
    DBOS(config=config(told))
    workflow = DBOS.workflow(name=NAME, max_recovery_attempts=told.attempts)(function)
    watch(outside)
    DBOS.launch()
    try:
        end = ["result", ask(workflow, told, arguments)]
    except WaitingError:
        end = ["waiting"]
    except Exception as error:  # noqa: BLE001 - whatever the workflow ends with is told
        kind = error.name if isinstance(error, PortableWorkflowError) else type(error).__name__  # JSON has no classes
        end = ["error", kind, str(error)]
    tell(channel, end)
    os._exit(0)


def config(told: Told) -> DBOSConfig:
    """DBOS on the lab's PostgreSQL, with JSON in its tables: pickle would run what others have written there."""
    return {
        "name": "labkit",
        "system_database_url": told.database,
        "executor_id": told.executor,
        "application_version": told.version,
        "serializer": DBOSPortableJSONSerializer(),
        "log_level": "CRITICAL",
        "use_listen_notify": False,
        "notification_listener_polling_interval_sec": POLL,
    }


_asking = threading.local()


class WaitingError(Exception):
    """The run belongs to an executor or a version that is not here."""


def ask(workflow: Callable[..., Any], told: Told, arguments: tuple[Any, ...]) -> Any:
    """As a client does, who may have asked before: the same id is the same run. Its result, or WaitingError."""
    _asking.now = True
    with SetWorkflowID(told.run):
        handle = DBOS.start_workflow(workflow, *arguments)
    _asking.now = False
    while (status := handle.get_status()).status in GOING_ON:
        if status.app_version != told.version or status.executor_id not in {None, told.executor}:
            raise WaitingError
        time.sleep(POLL)
    return handle.get_result(polling_interval_sec=POLL)


def watch(outside: Outside) -> None:
    """Reach each statement that writes for a run, and each COMMIT behind one."""

    def execute(connection: sa.Connection, _: Any, statement: str, *__: Any) -> None:
        ours = DBOS.workflow_id is not None or getattr(_asking, "now", False)
        if ours and (writes := WRITES.match(statement)):
            connection.info["wrote"] = True
            outside.reach(writes[1], writes[2])

    def commit(connection: sa.Connection) -> None:
        if connection.info.pop("wrote", False):
            outside.reach("COMMIT", "")

    event.listen(sa.Engine, "before_cursor_execute", execute)
    event.listen(sa.Engine, "commit", commit)


def _quiet() -> None:
    """What it prints is for nobody."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)


def _line() -> tuple[str, str, int] | None:
    """The line of the workflow that uses a tool."""
    frame = sys._getframe(1)  # noqa: SLF001 - as in every tracer
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] in {"labkit", "dbos"}:
        frame = frame.f_back
    return frame and (frame.f_code.co_filename, frame.f_code.co_name, frame.f_lineno)
