"""A crash lab for long-lived AI agents: break them at every point where the world could notice, and mend them.

The mechanisms, in the order of the course: the code that one would deploy. They know nothing of the lab.
    clock           time as a parameter                             all
    task            a task, its states and its step journal           1
    store           what a state store promises, and its errors       1
    files           atomic writes, and a state store in files         1
    plan            a fixed plan that goes on after a restart         1
    idempotency     a key, and what was done under it                 2
    backoff         delays, jitter, when to try again                 3
    deadlines       one for the run, and what it leaves a step        4
    postgres        a state store in PostgreSQL, transactions         5
    claims          leases, heartbeats, fencing tokens                5b
    checkpoints     when to take one, which to go back to             5c
    saga            steps that are all done or all undone             6
    agent_state     the state as a document, and its patches          7
    context         what of it fits into the model's window           7
    agent           the loop: a model, tools, all of the above      all
The world that they run in
    world           tools whose effects outlive our processes
    llm             a scripted model behind real HTTP
    database        an embedded PostgreSQL
The lab
    isolation       how processes are confined, limited and ended
    crash           the sweep: a process killed at each of its effects, and the report
    grading         an answer's way from a notebook to a verdict
The course
    course          labkit's own answers, the student's, the two stories
    gauntlet        the agent made of a student's answers, and its last examination
    repository, start, cli      where the lab lies, `labkit lab`, the command

What learners use can be imported from here; each name is loaded when it is first used. In a notebook, `import labkit`
also turns on the `%%crash` and `%%restart` cells and lets `check` see which answer cells were run.
"""

import importlib
import sys
from typing import Any

_HOME = {
    "AgentState": "agent_state",
    "AlreadyExistsError": "store",
    "Artifact": "agent_state",
    "Checkpoint": "checkpoints",
    "CheckpointManager": "checkpoints",
    "CheckpointStrategy": "checkpoints",
    "ContextSlice": "context",
    "ContextTooSmall": "context",
    "CorruptState": "store",
    "Deadline": "deadlines",
    "DeadlineExceeded": "deadlines",
    "Fact": "agent_state",
    "FakeClock": "clock",
    "FileStateStore": "files",
    "InProgressError": "idempotency",
    "NoValidCheckpointError": "checkpoints",
    "NotFoundError": "store",
    "Policy": "backoff",
    "PostgresStateStore": "postgres",
    "Saga": "saga",
    "SagaLog": "saga",
    "SagaState": "saga",
    "SagaStep": "saga",
    "StatePatch": "agent_state",
    "StateStore": "store",
    "StoreError": "store",
    "SystemClock": "clock",
    "Task": "task",
    "TaskState": "task",
    "ToolTimeoutError": "world",
    "Trigger": "checkpoints",
    "VersionConflictError": "store",
    "World": "world",
    "WorldClock": "world",
    "ack": "world",
    "apply": "agent_state",
    "arrange": "world",
    "ask": "world",
    "attach": "world",
    "check": "grading.session",
    "connect": "postgres",
    "count_tokens": "context",
    "full_jitter": "backoff",
    "hint": "grading.session",
    "in_transaction": "postgres",
    "is_retryable": "backoff",
    "keep_artifact": "agent_state",
    "resume": "plan",
    "resume_all": "plan",
    "retry": "backoff",
    "run_once": "idempotency",
    "scratch": "crash.magic",
    "select_context": "context",
    "standing": "world",
    "step_key": "idempotency",
    "stories": "course.stories",
    "sweep": "crash",
    "tool": "world",
    "trial": "crash",
    "undo_order": "saga",
    "write_atomically": "files",
}

__all__ = [  # noqa: PLE0604 - ruff cannot see through the star
    *sorted(_HOME),
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"labkit has no {name!r}")
    module = importlib.import_module(f"labkit.{_HOME[name]}")
    return module if _HOME[name].endswith(f".{name}") else getattr(module, name)


def __dir__() -> list[str]:
    return __all__


def _enter_notebook() -> None:
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        importlib.import_module("labkit.grading.session").watch(shell)
        importlib.import_module("labkit.crash.magic").register(shell)


_enter_notebook()
