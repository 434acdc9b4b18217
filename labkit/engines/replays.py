"""Many replays of one Temporal workflow in a process of its own, for a judge. It imports none of labkit: it runs alone.

As a program it reads what to do from standard input, and writes what came of it to standard output, both JSON.
"""

import asyncio
import importlib
import json
import logging
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import time_machine
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    Replayer,
    StartActivityInput,
    UnsandboxedWorkflowRunner,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

MODULE = "answer_deploy"
"""The module that an answer is put into: a file, as the sandbox imports it anew."""
TELL = "labkit_tell"


@dataclass(frozen=True)
class Replays:
    """What one process does."""

    text: str
    """The cell."""
    name: str
    """Of the class in it."""
    histories: Sequence[Mapping[str, Any]]
    """As JSON has them."""
    weekday: int
    """What day it is in this process, from 0."""
    sandbox: bool = True
    """Whether Temporal's sandbox refuses what differs from process to process."""


def replays(those: Replays) -> list[dict[str, Any]]:
    """Of each history: {"failure": what was wrong, "calls": [[activity, arguments]], "value": [what it returned]}.

    One entry, with the failure alone, if there is no such workflow in the cell.
    """
    logging.getLogger("temporalio").setLevel(logging.CRITICAL + 1)
    days = (those.weekday - time.gmtime().tm_wday) % 7 + 7
    time_machine.travel(time.time() + 86400 * days, tick=True).start()
    Path(f"{MODULE}.py").write_text(those.text, encoding="utf-8")
    sys.path.insert(0, str(Path.cwd()))
    importlib.invalidate_caches()
    try:
        kind = getattr(importlib.import_module(MODULE), those.name)
        return asyncio.run(_replays(kind, those))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever its code does
        return [{"failure": f"{type(error).__name__}: {error}", "calls": [], "value": []}]


def elsewhere(those: Replays, seed: int) -> "subprocess.Popen[str]":
    """The same in a fresh interpreter that hashes by this seed; `heard` has what came of it."""
    process = subprocess.Popen(
        [sys.executable, "-P", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={"PYTHONHASHSEED": str(seed), "LANG": "C.UTF-8", "HOME": f"/home/{seed}"},
    )  # fmt: skip
    process.stdin.write(json.dumps(vars(those)))
    process.stdin.close()
    return process


def heard(process: "subprocess.Popen[str]") -> list[dict[str, Any]]:
    """What a fresh interpreter has found. RuntimeError if it has ended without a word."""
    said = process.stdout.read().splitlines()[-1:]
    process.wait()
    if not said:
        raise RuntimeError("the process that replays it ended")
    return json.loads(said[0])


async def _replays(kind: type, those: Replays) -> list[dict[str, Any]]:
    telling = Telling()
    restrictions = SandboxRestrictions.default.with_passthrough_modules(__name__)
    sandbox = SandboxedWorkflowRunner(restrictions=restrictions) if those.sandbox else UnsandboxedWorkflowRunner()
    replayer = Replayer(
        workflows=[kind], interceptors=[telling], workflow_runner=sandbox,
        runtime=Runtime(telemetry=TelemetryConfig(logging=None)),
    )  # fmt: skip
    recorded = [WorkflowHistory.from_json(str(number), history) for number, history in enumerate(those.histories)]
    ended = await replayer.replay_workflows(_each(recorded), raise_on_replay_failure=False)
    return [
        {
            "failure": str(ended.replay_failures.get(each.run_id, "")),
            "calls": [about for run, what, about in telling.told if (run, what) == (each.run_id, "call")],
            "value": [about for run, what, about in telling.told if (run, what) == (each.run_id, "value")],
        }
        for each in recorded
    ]


async def _each(histories: Sequence[WorkflowHistory]) -> AsyncIterator[WorkflowHistory]:
    for history in histories:
        yield history


class Telling(Interceptor):
    """Outside of the sandbox: hears what a workflow asks for."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, Any]] = []

    def tell(self, run: str, what: str, about: Any) -> None:
        """Called from within."""
        self.told.append((run, what, json.loads(json.dumps(about, default=repr))))

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:  # noqa: A002
        """What stands at the workflow's door."""
        input.unsafe_extern_functions[TELL] = self.tell
        return Inbound


class Inbound(WorkflowInboundInterceptor):
    """Tells what it returns."""

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        """At the start."""
        super().init(Outbound(outbound))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002
        """Run it."""
        value = await super().execute_workflow(input)
        _tell("value", value)
        return value


class Outbound(WorkflowOutboundInterceptor):
    """Tells which activities it starts."""

    def start_activity(self, input: StartActivityInput) -> Any:  # noqa: A002
        """Start one."""
        _tell("call", [input.activity, [*input.args]])
        return super().start_activity(input)

    def start_local_activity(self, input: Any) -> Any:  # noqa: A002
        """Start one here: no history has it."""
        _tell("call", [input.activity, [*input.args]])
        return super().start_local_activity(input)


def _tell(what: str, about: Any) -> None:
    workflow.extern_functions()[TELL](workflow.info().run_id, what, about)


if __name__ == "__main__":
    print(json.dumps(replays(Replays(**json.load(sys.stdin)))))
