"""The unit of work that has to outlive the process: a task, its state and its step journal.

    pending → running → completed            running → running   (progress, resume)
       ↓         ↓                           running → pending   (waits for approval, lease expired)
     failed ← failed        failed → pending

A completed task is final.
"""

import secrets
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field


class TaskState(StrEnum):
    """Where a task stands."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


LEGAL_TRANSITIONS = {
    TaskState.PENDING: {TaskState.RUNNING, TaskState.FAILED},
    TaskState.RUNNING: {TaskState.RUNNING, TaskState.PENDING, TaskState.COMPLETED, TaskState.FAILED},
    TaskState.FAILED: {TaskState.PENDING},
    TaskState.COMPLETED: set(),
}


class IllegalTransitionError(ValueError):
    """A record was asked to move between states that have no arrow between them."""


class Moving(BaseModel):
    """A record that moves between states, along its arrows only."""

    arrows: ClassVar[Mapping[str, Collection[str]]]
    """State → the states that may follow it."""

    @property
    def may_follow(self) -> list[str]:
        """The states from which there is an arrow to this one."""
        return [state for state, following in self.arrows.items() if self.state in following]

    def check_follows(self, stored: Self) -> None:
        """Raise IllegalTransitionError unless this may replace `stored`; stores ask before they save."""
        if stored.state not in self.may_follow:
            raise IllegalTransitionError(
                f"{self.kind} {self.id}: {stored.state} → {self.state} is not a legal transition"
            )


def new_task_id() -> str:
    """A task id that no other process will draw: 64 random bits, never the time of day."""
    return f"task-{secrets.token_hex(8)}"


def _now() -> datetime:
    return datetime.now(UTC)


class Task(Moving):
    """A task as it is stored. Tasks are values: every change returns a new one."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str] = "task"
    arrows: ClassVar = LEGAL_TRANSITIONS

    id: str = Field(default_factory=new_task_id, min_length=1)
    user_input: str
    state: TaskState = TaskState.PENDING
    result: str | None = None
    error: str | None = None
    journal: dict[str, str] = Field(default_factory=dict)
    """Finished steps and what each returned, in the order they finished."""
    deadline: datetime | None = None
    """Absolute wall time by which the whole run must end (chapter 4)."""
    created_at: datetime = Field(default_factory=_now)
    updated_at: datetime = Field(default_factory=_now)
    """Stamped by the store at every save."""
    version: int = 0
    """Counted up by the store at every save; two writers cannot both save the same one (chapter 5)."""

    def to(self, state: TaskState, *, result: str | None = None, error: str | None = None) -> Self:
        """This task in another state; IllegalTransitionError if there is no arrow to it."""
        changed = self.model_copy(update={"state": TaskState(state), "result": result, "error": error})
        changed.check_follows(self)
        return changed

    def finished(self, step: str, result: str) -> Self:
        """This task with `step` and its result added to the journal."""
        return self.model_copy(update={"journal": {**self.journal, step: result}})
