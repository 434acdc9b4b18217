"""labkit's own answers to the exercises: its mechanisms under the signatures that the exercises ask for.

They stand in wherever a student has no answer yet, and run in children only, as a student's answers do. Where one uses
another answer to the same exercise, that is a keyword: it may be the student's.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import sqlalchemy as sa

from labkit import plan, saga
from labkit.agent_state import AgentState, apply
from labkit.backoff import Policy, exponential, full_jitter, retry
from labkit.clock import Clock, SystemClock
from labkit.context import ContextSlice, ContextTooSmall
from labkit.course.own_events import deliver, next_attempt, receive, record, relay, verify
from labkit.course.own_progress import command, frame, may_command, publish, stream, work_on
from labkit.course.own_queue import drain, submit, wait
from labkit.course.own_shared import go_on, read_state, save_state
from labkit.deadlines import Deadline, step_timeout
from labkit.files import write_atomically
from labkit.idempotency import step_key
from labkit.postgres import in_transaction
from labkit.saga import Saga, SagaLog, SagaStep
from labkit.store import AlreadyExistsError, CorruptState, StateStore, StoreError
from labkit.task import Task, TaskState

__all__ = [
    "apply", "command", "delays", "deliver", "drain", "execute_step", "execute_task_if_not_done",
    "execute_with_retry", "finish_step", "frame", "full_jitter", "go_on", "load_task", "may_command",
    "next_attempt", "publish", "read_state", "receive", "record", "relay", "resume", "run_saga", "run_steps",
    "save_state", "save_task", "select_context", "step_key", "step_timeout", "stream", "submit", "undo_order",
    "verify", "wait", "work_on",
]  # fmt: skip

delays, resume = exponential, plan.resume
TASKS = sa.table("tasks", *map(sa.column, ("id", "state", "version", "result")))
"""The table of exercise 5."""
AGES = 1e9
"""Seconds: longer than anybody waits."""


def save_task(task: Task, path: str) -> None:
    """Replace what is at path, durably."""
    write_atomically(path, task.model_dump_json().encode())


def load_task(path: str) -> Task | None:
    """The task at path. None only if there is no file; CorruptState if it cannot be read."""
    try:
        return Task.model_validate_json(Path(path).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise CorruptState(f"{path} does not hold a task") from error


def execute_task_if_not_done(
    task_id: str, store: StateStore, do_work: Callable[[str, str], str], *, step_key: Any = step_key
) -> Task:
    """`resume` with a single step, whose idempotency key is made of the task's id."""
    wish = store.get(Task, task_id).user_input
    return resume(task_id, store, {"do_work": lambda: do_work(wish, step_key(task_id, "do_work"))})


def execute_with_retry(
    fn: Callable[[], Any],
    max_attempts: int,
    is_retryable: Callable[[Exception], bool],
    jitter: Callable[[float], float] | None = None,
    *,
    delays: Any = exponential,
) -> Any:
    """`retry` under a policy made of these arguments."""
    policy = Policy(max_attempts=max_attempts, delays=delays, jitter=jitter, is_retryable=is_retryable)
    return retry(fn, policy, time.sleep)


def run_steps(
    task: Task,
    steps: Mapping[str, Callable[[float], str]],
    store: StateStore,
    clock: Clock,
    limit: float,
    *,
    step_timeout: Any = step_timeout,
) -> Task:
    """`resume` with steps that are given what is left of the task's time; an error is saved in the task."""
    deadline = Deadline(task.deadline, clock)
    timed = {name: lambda step=step: step(step_timeout(deadline, limit)) for name, step in steps.items()}
    try:
        return resume(task.id, store, timed)
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it was, the task says it
        stored = store.get(Task, task.id)
        at = next((name for name in steps if name not in stored.journal), "the end")
        return store.save(stored.to(TaskState.FAILED, error=f"{at}: {type(error).__name__}: {error}"))


def finish_step(conn: sa.Connection, task_id: str, version: int, result: str) -> bool:
    """Compare-and-swap on the version, in one UPDATE."""
    as_read = TASKS.update().where(TASKS.c.id == task_id, TASKS.c.version == version, TASKS.c.state == "running")
    done = conn.execute(as_read.values(state="completed", version=version + 1, result=result))
    return done.rowcount == 1


def execute_step(engine: sa.Engine, task_id: str, step: Callable[[], str], *, finish_step: Any = finish_step) -> bool:
    """Read in a transaction, work in none, and write in another."""
    read = sa.select(TASKS.c.state, TASKS.c.version).where(TASKS.c.id == task_id)
    row = in_transaction(engine, lambda conn: conn.execute(read).one())
    if row.state == "completed":
        return False
    result = step()
    return in_transaction(engine, lambda conn: finish_step(conn, task_id, row.version, result))


def undo_order(done: Collection[str], steps: Sequence[Any]) -> list[str]:
    """The names in done, dependents first."""
    return saga.undo_order(done, [_saga_step(step) for step in steps])


class SagaNotes:
    """A store of saga logs in the log of exercise 6: it notes each step by its name, and the whole under "saga"."""

    def __init__(self, log: Any) -> None:
        self._log = log

    def get(self, kind: type[SagaLog], saga_id: str) -> SagaLog | None:
        """The log as it was noted last."""
        noted = self._log.read(saga_id).get("saga")
        return kind.model_validate_json(noted) if noted else None

    def insert(self, record: SagaLog) -> SagaLog:
        """Note a new one."""
        if self.get(SagaLog, record.id):
            raise AlreadyExistsError(f"there is a saga {record.id}")
        return self.save(record)

    def save(self, record: SagaLog) -> SagaLog:
        """Note what changed: first the steps, so that none can act unknown."""
        known = self._log.read(record.id)
        for name, entry in record.steps.items():
            if known.get(name) != entry.state:
                self._log.note(record.id, name, entry.state)
        self._log.note(record.id, "saga", record.model_dump_json())
        return record


def run_saga(saga_id: str, steps: Sequence[Any], log: Any) -> str:
    """A `Saga` of these steps, for which the exercise sets no time."""
    made = [_saga_step(step) for step in steps]
    patient = Policy(max_attempts=10, jitter=_jitter)
    own = Saga(
        made, SagaNotes(log), SystemClock(), Policy(jitter=_jitter), patient, max_seconds=AGES, undo_seconds=AGES
    )
    return str(own.run(saga_id).state)


def _saga_step(step: Any) -> SagaStep:
    execute, compensate = (
        lambda key, _seconds, _results, act=act: str(act(key)) for act in (step.execute, step.compensate)
    )
    return SagaStep(step.name, execute, compensate, requires=tuple(step.requires))


def _jitter(delay: float) -> float:
    return full_jitter(delay, Random(int(delay)))


def select_context(state: AgentState, step: str, budget: int, count: Callable[[str], int]) -> ContextSlice:
    """By the rules of the exercise, which are fewer than labkit's: excerpts whole or not at all, and no other steps."""

    def taken(chosen: ContextSlice, part: str, forms: Sequence[Any]) -> ContextSlice:
        larger = [replace(chosen, **{part: (*getattr(chosen, part), form)}) for form in forms]
        return next((each for each in larger if count(_in_order(each).render()) <= budget), chosen)

    chosen = ContextSlice(state.goal, step, state.open_questions)
    if (needed := count(chosen.render())) > budget:
        raise ContextTooSmall(needed, budget)
    for artifact in state.artifacts:
        if artifact.step == step:
            chosen = taken(chosen, "artifacts", (artifact, artifact.model_copy(update={"excerpt": ""})))
    for fact in reversed(state.known_facts):
        chosen = taken(chosen, "facts", [fact])
    return _in_order(chosen)


def _in_order(chosen: ContextSlice) -> ContextSlice:
    return replace(chosen, facts=chosen.facts[::-1])
