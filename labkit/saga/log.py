"""What is remembered of a saga: where it stands, and what may have happened in each of its steps.

The log is one record in a state store. It is saved before every action, as an intent, and after it, with the outcome.
"""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from labkit.clock import EPOCH
from labkit.task import Moving


class SagaState(StrEnum):
    """Where a saga stands."""

    RUNNING = "running"
    COMPLETED = "completed"
    COMPENSATING = "compensating"
    COMPENSATED = "compensated"
    PARKED = "parked"


class StepState(StrEnum):
    """What the log knows of a step. A step that it does not name was never begun."""

    STARTED = "started"
    """The intent: it may have acted, or not."""
    DONE = "done"
    REFUSED = "refused"
    """It was begun, and has done nothing."""
    UNDOING = "undoing"
    """The intent to compensate: that may have acted, or not."""
    UNDONE = "undone"
    PARKED = "parked"
    """It may have acted, and could not be compensated."""


class Entry(BaseModel):
    """What the log knows of one step."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: StepState
    key: str
    """The idempotency key that it acted under."""
    result: str | None = None
    error: str | None = None
    """Why it failed, or why its compensation did."""
    undo_by: datetime | None = None
    """When its compensation is given up. A restart does not move it."""


class SagaLog(Moving):
    """The record of a saga."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str] = "saga"
    arrows: ClassVar = {
        SagaState.RUNNING: {SagaState.RUNNING, SagaState.COMPLETED, SagaState.COMPENSATING, SagaState.PARKED},
        SagaState.COMPENSATING: {SagaState.COMPENSATING, SagaState.COMPENSATED, SagaState.PARKED},
        SagaState.PARKED: {SagaState.RUNNING, SagaState.COMPENSATING},
        SagaState.COMPLETED: set(),
        SagaState.COMPENSATED: set(),
    }

    id: str = Field(min_length=1)
    state: SagaState = SagaState.RUNNING
    steps: dict[str, Entry] = Field(default_factory=dict)
    """By name, in the order they were begun."""
    deadline: datetime
    """When the way forward ends. A restart does not move it."""
    error: str | None = None
    """Why the saga turned back, or stopped."""
    updated_at: datetime = EPOCH
    version: int = 0

    def left(self) -> dict[str, Entry]:
        """The steps whose effects are in the world, or may be: what a human has to look at when the saga is parked."""
        nothing = {StepState.REFUSED, StepState.UNDONE}
        return {name: entry for name, entry in self.steps.items() if entry.state not in nothing}

    def __str__(self) -> str:
        lines = [f"saga {self.id} is {self.state}{f': {self.error}' if self.error else ''}"]
        for name, entry in self.steps.items():
            details = [f"under the key {entry.key}" if name in self.left() else "", entry.result, entry.error]
            lines.append(f"  {name}: {'; '.join(filter(None, [entry.state, *details]))}")
        return "\n".join(lines)
