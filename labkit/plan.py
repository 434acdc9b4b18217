"""A fixed plan: an agent that need not think yet. Its task's journal says what is done; a restart does the rest."""

from collections.abc import Callable, Mapping

from labkit.store import NotFoundError, StateStore, paged
from labkit.task import Task, TaskState

Steps = Mapping[str, Callable[[], str]]
"""Step names and what each does, in the order they run."""


def resume(task_id: str, store: StateStore, steps: Steps) -> Task:
    """Run the steps that the task's journal lacks, save after each, and return the completed task.

    After a crash, call it again: a journalled step never runs twice. The step that was in flight may: it can have run
    and not been journalled. Chapter 2 closes that gap. NotFoundError if there is no such task.
    """
    task = store.get(Task, task_id)
    if task is None:
        raise NotFoundError(f"there is no task {task_id}")
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.FAILED:
        task = store.save(task.to(TaskState.PENDING))
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name not in task.journal:
            task = store.save(task.finished(name, step()))
    return store.save(task.to(TaskState.COMPLETED, result="; ".join(task.journal.values())))


def resume_all(store: StateStore, steps: Steps) -> list[Task]:
    """What a process does when it starts: resume every task that an earlier one left running."""
    return [resume(task.id, store, steps) for task in paged(store.list_by_state, Task, TaskState.RUNNING)]
