"""A worker beside the server: it goes on with each run, as long as there is something that it can do."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa

from labkit.agent import Agent
from labkit.agent.run import AgentRun
from labkit.postgres import in_autocommit, in_plain_words
from labkit.progress import resume
from labkit.store import StoreError, VersionConflictError, paged
from labkit.task import TaskState

COMMANDED = "SELECT DISTINCT run FROM labkit_commands WHERE applied_at IS NULL"
PRIORITIES = """
    SELECT DISTINCT ON (run) run, (what::jsonb ->> 'priority')::int FROM labkit_commands
    WHERE what::jsonb ->> 'do' = 'priority' ORDER BY run, number DESC"""


def work(agent: Agent, engine: sa.Engine) -> int:
    """Resume once each run that can go on, the highest priority first; how many there were. Call it for ever.

    Those that are running, or were never begun, and those that wait for a human who has said something.
    """
    with in_plain_words(), in_autocommit(engine) as connection:
        commanded = {run for (run,) in connection.execute(COMMANDED)}
        priorities = dict(connection.execute(PRIORITIES).fetchall())
    states = TaskState.RUNNING, TaskState.PENDING
    runs = [run for state in states for run in paged(agent.store.list_by_state, AgentRun, state)]
    ready = [run.id for run in runs if not run.question or run.id in commanded]
    for run_id in sorted(ready, key=lambda each: -priorities.get(each, 0)):
        with suppress(VersionConflictError):  # then another worker has it
            resume(agent, engine, run_id)
    return len(ready)


@contextmanager
def working(agent: Agent, engine: sa.Engine, *, poll: float = 0.3) -> Iterator[None]:
    """Work in a thread of this process, looking every `poll` seconds; at the end, the last step is waited for."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(poll):
            with suppress(StoreError):  # the database may be back soon
                work(agent, engine)

    thread = threading.Thread(target=go_on, name="labkit.web.working", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)
