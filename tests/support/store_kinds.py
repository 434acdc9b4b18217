"""Kinds of records to try a state store with, and real processes that use one store together.

Apart from the suite so that such a process starts quickly: nothing here loads pytest.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict
from races import race

from labkit.agent_state import AgentState, Fact, StatePatch, apply
from labkit.saga.log import Entry, SagaLog, SagaState, StepState
from labkit.store import AlreadyExistsError, StateStore, VersionConflictError
from labkit.task import IllegalTransitionError, Task, TaskState


@dataclass(frozen=True)
class Place:
    """Where a store keeps its records."""

    open: Callable[..., StateStore]
    """Opens the store there, as a process of its own would: with a clock, or with the machine's."""
    code: str
    """Python code that binds `store` to it, for another process."""


class DoorState(StrEnum):
    """Where a door stands."""

    OPEN = "open"
    CLOSED = "closed"
    LOCKED = "locked"


class JammedError(Exception):
    """An open door cannot be locked, and a locked one stays locked."""


class Lock(BaseModel):
    """A part of a door: records may be nested."""

    model_config = ConfigDict(frozen=True)
    pins: tuple[int, ...] = (3, 1, 2)
    wear: float = 0.1


class Door(BaseModel):
    """A record that has nothing to do with tasks."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str] = "door"
    id: str
    state: DoorState = DoorState.OPEN
    passages: int = 0
    lock: Lock = Lock()
    updated_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    version: int = 0

    @property
    def may_follow(self) -> list[DoorState]:
        """The states from which there is a way to this one."""
        return [DoorState.CLOSED] if self.state is DoorState.LOCKED else [DoorState.OPEN, DoorState.CLOSED]

    def check_follows(self, stored: Self) -> None:
        """Raise JammedError unless there is a way from `stored` to this."""
        if stored.state not in self.may_follow:
            raise JammedError(f"door {self.id}: {stored.state} → {self.state}")


@dataclass(frozen=True)
class Kind:
    """What the suite must know about a kind of record. Each moves first → busy → … → busy → last, and no other way."""

    model: type[Any]
    new: Callable[[str], Any]
    """A record that was never stored."""
    states: tuple[str, str, str]
    """First, busy, last."""
    step: Callable[[Any], Any]
    """A legal change, to busy, that counts one up."""
    count: Callable[[Any], int]
    jump: Callable[[Any], Any]
    """The change from first to last, which is illegal."""
    error: type[Exception]
    """What an illegal change raises."""
    spoiled: Callable[[Any], Any]
    """A record that could be written, but not be read again."""


def _steps(task: Task) -> int:
    return int(task.journal.get("count", "0"))


def _next(state: AgentState) -> str:
    return f"step {len(state.known_facts) + 1}"


def _change(**fields: Any) -> Callable[[Any], Any]:
    return lambda record: record.model_copy(update=fields)


def _begin_one_more(log: SagaLog) -> SagaLog:
    entry = Entry(state=StepState.STARTED, key="a key")
    return log.model_copy(update={"state": SagaState.COMPENSATING, "steps": log.steps | {f"{len(log.steps)}": entry}})


KINDS = {
    "task": Kind(
        Task,
        lambda name: Task(id=name, user_input="deploy the service"),
        ("pending", "running", "completed"),
        lambda task: task.to(TaskState.RUNNING).finished("count", str(_steps(task) + 1)),
        _steps,
        _change(state=TaskState.COMPLETED),
        IllegalTransitionError,
        _change(user_input=None),
    ),
    "agent_state": Kind(
        AgentState,
        lambda name: AgentState.model_validate({"id": name, "goal": "deploy", "unknown": {"a": [1, None]}}),
        ("pending", "running", "completed"),
        lambda state: apply(state.to(TaskState.RUNNING), StatePatch(add_facts=(Fact(key=_next(state), value="x"),))),
        lambda state: len(state.known_facts),
        _change(state=TaskState.COMPLETED),
        IllegalTransitionError,
        _change(goal=None),
    ),
    "door": Kind(
        Door,
        lambda name: Door(id=name),
        ("open", "closed", "locked"),
        lambda door: _change(state=DoorState.CLOSED, passages=door.passages + 1)(door),
        lambda door: door.passages,
        _change(state=DoorState.LOCKED),
        JammedError,
        _change(passages="many"),
    ),
    "saga": Kind(
        SagaLog,
        lambda name: SagaLog(id=name, deadline=datetime(2026, 1, 1, tzinfo=UTC)),
        ("running", "compensating", "compensated"),
        _begin_one_more,
        lambda log: len(log.steps),
        _change(state=SagaState.COMPENSATED),
        IllegalTransitionError,
        _change(deadline="later"),
    ),
}


def together(place: Place, work: str, arguments: list[tuple[Any, ...]]) -> list[Any]:
    """Do `work` in one real process for each of `arguments`, all let go at once; returns what each returned."""
    names = {kind.model: name for name, kind in KINDS.items()}
    commands = []
    for kind, *rest in arguments:
        code = [
            f"import sys; sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}",
            place.code,
            "import store_kinds as s",
            f"s.work(store, s.{work}, s.KINDS[{names[kind.model]!r}], *{rest!r})",
        ]
        commands.append([sys.executable, "-c", "\n".join(code)])
    return [json.loads(said) for said in race(commands)]


def work(store: StateStore, task: Callable[..., Any], *arguments: Any) -> None:
    """In a process of its own: say that it is ready, wait for all the others, work, and say what came of it."""
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(task(store, *arguments)))


def increment(store: StateStore, kind: Kind, name: str, times: int) -> int:
    """Count the record up, beginning again as often as another was first; returns how often that was."""
    conflicts = 0
    while times:
        try:
            store.save(kind.step(store.get(kind.model, name)))
            times -= 1
        except VersionConflictError:
            conflicts += 1
    return conflicts


def claim(store: StateStore, kind: Kind, _name: str, keys: int) -> list[int]:
    """Insert every key; returns the numbers of those that were won."""
    won = []
    for key in range(keys):
        try:
            store.insert(kind.new(f"key {key}"))
            won.append(key)
        except AlreadyExistsError:
            pass
    return won
