"""A worker beside the server: it goes on with each run, as long as there is something that it can do."""

import json
import logging
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

import psycopg
import sqlalchemy as sa

from labkit.agent import Agent
from labkit.agent.run import AgentRun
from labkit.postgres import in_autocommit, in_plain_words
from labkit.progress import resume
from labkit.store import CorruptState, StateStore, StoreError, UnsupportedSchemaError, paged
from labkit.task import TaskState

LOG = logging.getLogger(__name__)
STATES = TaskState.RUNNING, TaskState.PENDING, TaskState.FAILED
LOCK = int.from_bytes(b"work")
"""Of the advisory locks of those who work on a run; the run's hash is the other half."""
COMMANDED = "SELECT DISTINCT run FROM labkit_commands WHERE applied_at IS NULL"
PRIORITIES = "SELECT run, what FROM labkit_commands WHERE what::jsonb ->> 'do' = 'priority' ORDER BY run, number"
UNTOLD = """
    SELECT run FROM labkit_streams JOIN labkit_updates USING (run)
    WHERE number = last AND body ->> 'status' NOT IN ('completed', 'error')"""


def work(agent: Agent, engine: sa.Engine, runs: Collection[str] | None = None) -> int:
    """Go on once with each of these runs (None: all) that can, the highest priority first; how many there were.

    Those that are running, or were never begun, those that wait for a human who has said something, and those that
    have failed and not told it. A run that another worker is at is left to it; what one raises stops no other.
    """
    with in_plain_words(), in_autocommit(engine) as connection:
        commanded = {run for (run,) in connection.execute(COMMANDED)}
        priorities = {run: _priority(what) for run, what in connection.execute(PRIORITIES)}
        untold = {run for (run,) in connection.execute(UNTOLD)}
    ours = [run for run in _unfinished(agent.store) if runs is None or run.id in runs]
    ready = [run for run in ours if _can_go_on(run, commanded, untold)]
    for run in sorted(ready, key=lambda each: -priorities.get(each.id, 0)):
        try:
            with _alone(engine, run.id) as mine:
                if mine and run.state is TaskState.FAILED:
                    agent.tell(run.id)
                elif mine:
                    resume(agent, engine, run.id)
        except StoreError:
            LOG.debug(
                "the run %s is for the next time", run.id, exc_info=True
            )  # another has it, or the database is away
        except Exception as error:  # noqa: BLE001 - whatever it was, the other runs go on
            LOG.warning("the run %s: %s: %s", run.id, type(error).__name__, error)
    return len(ready)


def _unfinished(store: StateStore) -> list[AgentRun]:
    """All runs that may go on; those that cannot be read are named in the log, and stop no other."""
    try:
        return [run for state in STATES for run in paged(store.list_by_state, AgentRun, state)]
    except (CorruptState, UnsupportedSchemaError) as error:
        LOG.warning("left out: %s", error)
    found = []
    for run_id in paged(store.list_ids, AgentRun):
        with suppress(CorruptState, UnsupportedSchemaError):
            found.append(store.get(AgentRun, run_id))
    return [run for run in found if run is not None and run.state in STATES]


def _can_go_on(run: AgentRun, commanded: set[str], untold: set[str]) -> bool:
    if run.state is TaskState.FAILED:
        return run.id in untold
    return not run.question or run.id in commanded


def _priority(what: str) -> int:
    value = json.loads(what).get("priority")
    return value if isinstance(value, int) else 0


@contextmanager
def _alone(engine: sa.Engine, run: str) -> Iterator[bool]:
    """Whether nobody else works on this run now. It holds an advisory lock, which ends with its connection."""
    with in_autocommit(engine) as connection:
        (mine,) = connection.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", [LOCK, run]).fetchone()
        try:
            yield mine
        finally:
            with suppress(psycopg.Error):
                if mine:
                    connection.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", [LOCK, run])


@contextmanager
def working(
    agent: Agent, engine: sa.Engine, runs: Collection[str] | None = None, *, poll: float = 0.3
) -> Iterator[None]:
    """Work in a thread of this process, looking every `poll` seconds; at the end, the last step is waited for."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(poll):
            try:
                work(agent, engine, runs)
            except StoreError:
                LOG.debug("the database may be back soon", exc_info=True)
            except Exception as error:  # noqa: BLE001 - or nobody would work any more
                LOG.warning("%s: %s", type(error).__name__, error)

    thread = threading.Thread(target=go_on, name="labkit.web.working", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)
