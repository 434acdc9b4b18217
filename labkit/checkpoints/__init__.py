"""Checkpoints: snapshots of a task, put aside as it goes on, to go back to after a crash.

    a trigger → does the strategy obey it? → checkpoint number n + 1 → … → rotation deletes what is no longer needed

Nothing ever changes a checkpoint. The newest one may be damaged, too old, or of another version of the code; so
`resume` takes the newest that is valid. The id of a checkpoint is "<task id>/<number>", in the order of the numbers.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any

from pydantic import ValidationError

from labkit.checkpoints.records import FORCED, Checkpoint, CheckpointStrategy, Trigger
from labkit.clock import Clock
from labkit.store import AlreadyExistsError, CorruptState, StateStore, StoreError, UnsupportedSchemaError, paged
from labkit.task import Task, TaskState

__all__ = [
    "FORCED", "Checkpoint", "CheckpointManager", "CheckpointStrategy", "Found", "NoValidCheckpointError", "Trigger",
]  # fmt: skip

Migration = Callable[[dict[str, Any]], dict[str, Any]]


class NoValidCheckpointError(StoreError):
    """The task has checkpoints, and none of them may be resumed from. To begin anew would repeat what was done."""


@dataclass(frozen=True)
class Found:
    """A checkpoint as it was found in the store."""

    number: int
    problem: str = ""
    """Why the task may not be resumed from it; empty if it is valid."""
    task: Task | None = None
    """The task, if everything is right, or everything but its age."""
    age: float = 0.0
    """Seconds since it was taken, as far as that can be known."""


@dataclass(frozen=True)
class CheckpointManager:
    """Takes checkpoints of tasks, finds the newest valid one, and deletes those that nobody needs any more."""

    store: StateStore
    strategy: CheckpointStrategy
    clock: Clock
    code_version: str
    """Of the program that saves and resumes: the commit it was built from, for instance."""
    max_age: float = 24 * 3600.0
    """Seconds. A completed task is never too old."""
    keep: int = 10
    """How many checkpoints of a task `rotate` leaves, not counting those that cannot be used."""
    migrations: Mapping[str, Migration] = field(default_factory=dict)
    """By code version: what makes a task as that version wrote it one that this version can read."""
    model: type[Task] = Task

    def __post_init__(self) -> None:
        if self.keep < 1 or not self.max_age > 0:
            raise ValueError("keep at least one checkpoint, for more than 0 seconds")

    def save(self, task: Task, trigger: Trigger) -> Checkpoint | None:
        """Write a checkpoint and return it as stored, or None if the strategy does not obey `trigger`.

        Of two processes that do this at once, each gets a number of its own. ValueError if what was written could not
        be read back.
        """
        if not self.strategy.obeys(trigger):
            return None
        taken = {"task_id": task.id, "trigger": trigger, "state": task.state, "created_at": self.clock.now()}
        snapshot = self.model.model_validate_json(task.model_dump_json(warnings=False)).model_dump_json()
        number = max(self._numbers(task.id), default=0)
        while True:
            number += 1
            names = {"id": _id(task.id, number), "number": number, "code_version": self.code_version}
            checkpoint = Checkpoint(**names, **taken, snapshot=snapshot)
            with suppress(AlreadyExistsError):
                return self.store.insert(checkpoint.model_copy(update={"checksum": checkpoint.digest()}))

    def resume(self, task_id: str) -> Task | None:
        """The task as its newest valid checkpoint has it; None if there never was a checkpoint of it.

        NoValidCheckpointError if there are checkpoints, and none is valid.
        """
        history = self.history(task_id)
        for found in history:
            if not found.problem:
                return found.task
        if history:
            newest = "; ".join(f"{found.number} {found.problem}" for found in history[:3])
            raise NoValidCheckpointError(f"task {task_id} has no valid checkpoint, {len(history)} looked at: {newest}")
        return None

    def history(self, task_id: str) -> list[Found]:
        """All checkpoints of a task, the newest first, with what is wrong with each."""
        while True:
            history = [self._look(task_id, number) for number in self._numbers(task_id)]
            if None not in history:  # or else somebody has rotated them since, and newer ones may be there
                return _completed_is_final(history)[::-1]

    def rotate(self, task_id: str) -> list[int]:
        """Delete all but the newest `keep`, and of these the ones that are too old. Returns the numbers deleted.

        It never deletes the newest valid one, nor the newest of those with which only the age is wrong, nor the last
        of all: its number would be given out again.
        """
        history = self.history(task_id)
        usable = [found for found in history if found.task]
        young = [found for found in usable if found.age <= self.max_age]
        needed = [*history[:1], *usable[:1]]  # the newest valid one is the newest usable one, or the first young one
        least = young[: self.keep][-1].number if young else 0
        surplus = [found for found in history if found.number < least or found.age > self.max_age]
        numbers = sorted(found.number for found in surplus if found not in needed)
        for number in numbers:
            self.store.delete(Checkpoint, _id(task_id, number))
        return numbers

    def _numbers(self, task_id: str) -> Iterator[int]:
        """The numbers of a task's checkpoints, in ascending order. Another task's id may begin with this one's."""
        prefix = f"{task_id}/"
        ids = paged(self.store.list_ids, Checkpoint, after=prefix)
        numbers = (name.removeprefix(prefix) for name in takewhile(lambda name: name.startswith(prefix), ids))
        return map(int, filter(str.isdecimal, numbers))

    def _look(self, task_id: str, number: int) -> Found | None:
        """Read one checkpoint and say what is wrong with it; None if it has been deleted."""
        try:
            checkpoint = self.store.get(Checkpoint, _id(task_id, number))
        except (CorruptState, UnsupportedSchemaError):
            return Found(number, "cannot be read")
        if checkpoint is None:
            return None
        if checkpoint.checksum != checkpoint.digest():
            return Found(number, "has a wrong checksum")
        age = (self.clock.now() - checkpoint.created_at).total_seconds()
        known = {**self.migrations, self.code_version: dict}
        if checkpoint.code_version not in known:
            return Found(number, f"is from code version {checkpoint.code_version}", age=age)
        try:
            task = self.model.model_validate(known[checkpoint.code_version](json.loads(checkpoint.snapshot)))
        except ValidationError:
            return Found(number, f"holds no {self.model.kind} that can be resumed", age=age)
        old = age > self.max_age and task.state is not TaskState.COMPLETED
        return Found(number, f"is {age:g} s old" if old else "", task, age)


def _id(task_id: str, number: int) -> str:
    return f"{task_id}/{number:010}"


def _completed_is_final(history: list[Found]) -> list[Found]:
    """Marks as invalid, oldest first, what a worker that was left behind has taken of a task already completed."""
    end = next((found.number for found in history if found.task and found.task.state is TaskState.COMPLETED), None)
    return [
        replace(found, task=None, problem=f"is {found.task.state} after the end")
        if end and found.number > end and found.task and found.task.state is not TaskState.COMPLETED
        else found
        for found in history
    ]
