"""A crash lab for long-lived AI agents: break them at every point where the world could notice, and mend them.

The mechanisms, in the order of the course: the code that one would deploy. They know nothing of the lab.
    clock           time as a parameter                             all
    task            a task, its states and its step journal           1
    store           what a state store promises, and its errors       1
    files           atomic writes, and a state store in files         1
    sqlite          the same, in one file of SQLite                   1
    memory          the same, in memory: for tests                    1
    plan            a fixed plan that goes on after a restart         1
    idempotency     a key, and what was done under it                 2
    backoff         delays, jitter, when to try again                 3
    deadlines       one for the run, and what it leaves a step        4
    postgres        a state store in PostgreSQL, transactions         5
    claims          leases, heartbeats, fencing tokens                5b
    tasks           a queue: submit, take, finish, wait             9
    events          outbox, relay, inbox: others learn of it          10
    checkpoints     when to take one, which to go back to             5c
    saga            steps that are all done or all undone             6
    agent_state     the state as a document, and its patches          7
    context         what of it fits into the model's window           7
    webhooks        sign, verify, deliver, when to try again          10
    progress        updates and a stream of them; commands            11
    address_guard   no connection to an address of our own            10
    mcp_state       one state, several agents: over MCP              12
    agent           the loop: a model, tools, all of the above      all
The world that they run in
    world           tools whose effects outlive our processes
    llm             a scripted model behind real HTTP
    database        an embedded PostgreSQL
    web             a page for progress and commands, in a process of its own
    brokers         real Valkey and NATS servers, for a while
The lab
    isolation       how processes are confined, limited and ended
    crash           the sweep: a process killed at each of its effects, and the report; the race: all orders
    engines         DBOS, killed at each of its effects              13
    grading         an answer's way from a notebook to a verdict
The course
    course          labkit's own answers, the student's, the two stories
    gauntlet        the agent and the service made of a student's answers, and their last examinations
    learner                     predictions, what is kept of a student, and pieces to play with
    copies, update              chapters and exercises in work/
    repository, start, cli      where the lab lies, `labkit lab`, the command

What learners use can be imported from here; each name is loaded when it is first used. In a notebook, `import labkit`
also turns on the `%%crash` and `%%restart` cells and lets `check` see which answer cells were run.
"""

import importlib
import sys
from typing import Any

_NAMES = {
    "clock": "FakeClock SystemClock",
    "task": "Task TaskState",
    "store": "AlreadyExistsError CorruptState NotFoundError StateStore StoreError VersionConflictError",
    "files": "FileStateStore write_atomically",
    "sqlite": "SqliteStateStore",
    "memory": "MemoryStateStore",
    "plan": "resume resume_all",
    "idempotency": "InProgressError run_once step_key",
    "backoff": "Policy full_jitter is_retryable retry",
    "deadlines": "Deadline DeadlineExceeded",
    "postgres": "PostgresStateStore connect in_transaction",
    "tasks": "QueueFullError QueuedTask submit wait",
    "checkpoints": "Checkpoint CheckpointManager CheckpointStrategy NoValidCheckpointError Trigger",
    "saga": "Saga SagaLog SagaState SagaStep undo_order",
    "agent_state": "AgentState Artifact Fact StatePatch apply keep_artifact",
    "context": "ContextSlice ContextTooSmall count_tokens select_context",
    "world": "ToolTimeoutError World WorldClock ack arrange ask attach standing tool",
    "crash": "service sweep trial",
    "crash.race.api": "after race",
    "crash.magic": "scratch",
    "learner.prediction": "predict",
    "learner.tally": "predictions",
    "learner.pieces.backoff": "backoff_explorer",
    "learner.pieces.lease": "lease_line",
    "learner.pieces.saga": "saga_board",
    "learner.pieces.window": "window_meter",
    "grading.session": "check explain hint",
    "course.standing": "my_progress",
    "course.stories": "stories",
}
"""Module → what learners use of it."""
_HOME = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = [*sorted(_HOME)]  # noqa: PLE0604 - ruff cannot see through the star


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
