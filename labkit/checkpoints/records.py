"""What a checkpoint is, and when one is taken: triggers, the strategies that obey them, and the record itself."""

import hashlib
import json
from datetime import datetime
from enum import Enum, StrEnum
from typing import ClassVar, NoReturn, Self

from pydantic import BaseModel, ConfigDict

from labkit.clock import EPOCH
from labkit.task import IllegalTransitionError, TaskState


class Trigger(StrEnum):
    """What has happened, or is about to."""

    STEP = "step"
    """A step is done."""
    ITERATION = "iteration"
    """A turn of the agent's loop is done: a model call and all its tool calls."""
    STATE_CHANGE = "state change"
    BEFORE_EFFECT = "before effect"
    """Next comes an effect that cannot be repeated."""
    FINAL = "final"
    """The task has ended."""


FORCED = frozenset({Trigger.BEFORE_EFFECT, Trigger.FINAL})
"""What every strategy obeys."""


class CheckpointStrategy(Enum):
    """How often a checkpoint is written: a set of triggers."""

    EVERY_STEP = frozenset({Trigger.STEP, Trigger.ITERATION, Trigger.STATE_CHANGE})
    EVERY_ITERATION = frozenset({Trigger.ITERATION, Trigger.STATE_CHANGE})
    ON_STATE_CHANGE = frozenset({Trigger.STATE_CHANGE})

    def obeys(self, trigger: Trigger) -> bool:
        """Whether a checkpoint is written now."""
        return trigger in self.value | FORCED


class Checkpoint(BaseModel):
    """A snapshot of a task, as it is stored."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str] = "checkpoint"

    id: str
    task_id: str
    number: int
    trigger: Trigger
    state: TaskState
    """Of the task."""
    created_at: datetime
    code_version: str
    snapshot: str
    """The task as JSON text."""
    checksum: str = ""
    updated_at: datetime = EPOCH
    version: int = 0

    may_follow: ClassVar[tuple[str, ...]] = ()
    """No stored state: a checkpoint is never changed."""

    def check_follows(self, stored: Self) -> NoReturn:
        """Raise IllegalTransitionError, always."""
        raise IllegalTransitionError(f"checkpoint {stored.id} is written once: take a new one")

    def digest(self) -> str:
        """The checksum that this content should have."""
        content = self.model_dump(mode="json", exclude={"checksum", "updated_at", "version"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
