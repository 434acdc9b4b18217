"""Temporal's Replayer over histories that are written by hand: a replay needs no server, and here is none."""

import asyncio
import base64
import importlib
import json
import linecache
import logging
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import Replayer

QUEUE = {"name": "lab"}
PATCH = "patch:"
SAID = re.compile(r'message: "((?:[^"\\]|\\.)*)"')
"""Where the engine says what it found, in the text of its error."""
CELL = "workflow_of_a_cell"
"""The module that a notebook's workflow is put into."""
NEW_YEAR = datetime(2026, 1, 1)  # noqa: DTZ001 - a history has UTC
FLAGS = [1, 2]
"""What a server of today sends along; without it another type of activity is not seen."""


def history(
    workflow: str, argument: Any, steps: Sequence[tuple[str, Any]], result: Any = None, began: datetime = NEW_YEAR
) -> WorkflowHistory:
    """What a server has recorded of a run: each activity, with what it returned, one after another.

    An activity named "patch:…" stands for the mark of that patch. `result` is what the run returned; without one the
    run has not come to its end. What returned `...` has not returned yet: with it the history ends. Arguments and
    results are what JSON can hold. `began` is when, to the second, in UTC.
    """
    return WorkflowHistory.from_json("run", events_of(workflow, argument, steps, result, began))


def events_of(
    workflow: str,
    argument: Any,
    steps: Sequence[tuple[str, Any]],
    result: Any = None,
    began: datetime = NEW_YEAR,
    run: str = "run",
) -> dict[str, Any]:
    """The same as JSON has it, of a run with this id."""
    events = _Events(began)
    events.add(
        "workflow_execution_started",
        workflowType={"name": workflow},
        taskQueue=QUEUE,
        input=_payloads(argument),
        workflowTaskTimeout="10s",
        originalExecutionRunId=run,
        firstExecutionRunId=run,
    )
    turn = events.turn()
    for name, returned in steps:
        if name.startswith(PATCH):
            events.mark(turn, name.removeprefix(PATCH))
        else:
            events.activity(turn, name, argument, returned)
            if returned is ...:
                return {"events": events.all}
            turn = events.turn()
    if result is None:
        events.begun()
    else:
        events.add("workflow_execution_completed", result=_payloads(result), workflowTaskCompletedEventId=turn)
    return {"events": events.all}


def replay(workflow: type, recorded: WorkflowHistory) -> str:
    """Let a workflow go through a history, in Temporal's sandbox: what is wrong, in its words; empty if nothing is.

    A class of a notebook is taken with its whole cell, as a file of its own: the sandbox imports it anew. ValueError if
    the cell cannot be imported alone, or not in the sandbox.
    """
    logging.getLogger("temporalio").setLevel(logging.CRITICAL + 1)  # what it finds is returned
    with _alone(workflow) as alone, ThreadPoolExecutor(1) as pool:  # a notebook has a loop of its own already
        failure = pool.submit(asyncio.run, _replay(alone, recorded)).result()
    if failure is None:
        return ""
    said = SAID.search(str(failure))
    return _short(said[1].replace('\\"', '"') if said else str(failure))


async def _replay(workflow: type, recorded: WorkflowHistory) -> Exception | None:
    replayer = Replayer(workflows=[workflow], runtime=_runtime())
    try:
        return (await replayer.replay_workflow(recorded, raise_on_replay_failure=False)).replay_failure
    except RuntimeError as error:
        raise ValueError(f"the sandbox cannot import {workflow.__name__}: {_short(str(error.__cause__))}") from None


def _short(told: str) -> str:
    """Without the advice behind it, which is for other cases."""
    return told.partition(". If this is")[0]


@cache
def _runtime() -> Runtime:
    """Its core, which logs nothing."""
    return Runtime(telemetry=TelemetryConfig(logging=None))


@contextmanager
def _alone(workflow: type) -> Iterator[type]:
    """The class as a module of its own has it."""
    if workflow.__module__ != "__main__":
        yield workflow
        return
    with tempfile.TemporaryDirectory() as folder:
        cell = linecache.getlines(workflow.run.__code__.co_filename)
        Path(folder, f"{CELL}.py").write_text("".join(cell), encoding="utf-8")
        sys.path.insert(0, folder)
        try:
            module = importlib.import_module(CELL)
        except Exception as error:  # noqa: BLE001 - whatever its code does
            text = f"the cell of {workflow.__name__} does not stand alone: {error}; import in it what it uses"
            raise ValueError(text) from None
        else:
            yield getattr(module, workflow.__name__)
        finally:
            sys.path.remove(folder)
            sys.modules.pop(CELL, None)


class _Events:
    """A history, event by event, each with a number and a time of its own."""

    def __init__(self, began: datetime) -> None:
        self.all: list[dict[str, Any]] = []
        self._began, self._activities = began, 0

    def add(self, kind: str, **attributes: Any) -> int:
        """One more event; its number."""
        number = len(self.all) + 1
        words = kind.split("_")
        self.all.append(
            {
                "eventId": number,
                "eventTime": f"{self._began + timedelta(seconds=number):%Y-%m-%dT%H:%M:%SZ}",
                "eventType": f"EVENT_TYPE_{kind.upper()}",
                words[0] + "".join(map(str.capitalize, words[1:])) + "EventAttributes": attributes,
            }
        )
        return number

    def begun(self) -> int:
        """The workflow's code is called, and has not answered yet."""
        scheduled = self.add("workflow_task_scheduled", taskQueue=QUEUE)
        return self.add("workflow_task_started", scheduledEventId=scheduled)

    def turn(self) -> int:
        """The workflow's code is called, and has answered."""
        started = self.begun()
        attributes = {"scheduledEventId": started - 1, "startedEventId": started}
        return self.add("workflow_task_completed", **attributes, sdkMetadata={"coreUsedFlags": FLAGS})

    def activity(self, turn: int, name: str, argument: Any, returned: Any) -> None:
        """The code has asked for an activity, which a worker has done, unless it returned `...`."""
        self._activities += 1
        asked = {"activityId": str(self._activities), "activityType": {"name": name}, "taskQueue": QUEUE}
        scheduled = self.add(
            "activity_task_scheduled", **asked, input=_payloads(argument), workflowTaskCompletedEventId=turn
        )
        if returned is ...:
            return
        started = self.add("activity_task_started", scheduledEventId=scheduled, attempt=1)
        attributes = {"scheduledEventId": scheduled, "startedEventId": started}
        self.add("activity_task_completed", **attributes, result=_payloads(returned))

    def mark(self, turn: int, patch: str) -> None:
        """The code has come to a patch for the first time."""
        details = {"patch-data": _payloads({"id": patch, "deprecated": False})}
        self.add("marker_recorded", markerName="core_patch", details=details, workflowTaskCompletedEventId=turn)
        fields = {"indexedFields": {"TemporalChangeVersion": _payload([patch])}}
        self.add("upsert_workflow_search_attributes", searchAttributes=fields, workflowTaskCompletedEventId=turn)


def _payloads(value: Any) -> dict[str, Any]:
    return {"payloads": [_payload(value)]}


def _payload(value: Any) -> dict[str, Any]:
    encoded = {"encoding": base64.b64encode(b"json/plain").decode()}
    return {"metadata": encoded, "data": base64.b64encode(json.dumps(value).encode()).decode()}
