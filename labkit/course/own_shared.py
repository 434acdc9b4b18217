"""labkit's own answers to exercise 12: shared states in the table of that exercise, as `labkit.mcp_state` has them.

They run in children only, as those of `own.py`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from labkit.idempotency import step_key
from labkit.store import NotFoundError, VersionConflictError

STATES = sa.table("states", *map(sa.column, ("owner", "agent", "task", "version")), sa.column("state", JSONB))
Steps = Mapping[str, Callable[[str], str]]


def read_state(conn: sa.Connection, who: str, agent_id: str, task_id: str) -> tuple[int, dict[str, Any]]:
    """The owner is a part of what is asked for, so what is not theirs is not found."""
    found = conn.execute(
        sa.select(STATES.c.version, STATES.c.state).where(*_this(who, agent_id, task_id))
    ).one_or_none()
    if found is None:
        raise NotFoundError(f"there is no task {task_id!r} of {agent_id!r} among what is yours")
    return found.version, found.state


def save_state(
    conn: sa.Connection, who: str, agent_id: str, task_id: str, version: int, state: Mapping[str, Any]
) -> int:
    """Compare-and-swap on the version, in one statement; for what is new, the primary key decides."""
    if version:
        over = STATES.update().where(*_this(who, agent_id, task_id), STATES.c.version == version)
        saving = over.values(state=state, version=version + 1)
    else:
        row = {"owner": who, "agent": agent_id, "task": task_id, "version": 1, "state": state}
        saving = insert(STATES).values(**row).on_conflict_do_nothing()
    if (saved := conn.scalar(saving.returning(STATES.c.version))) is not None:
        return saved
    newest, _ = read_state(conn, who, agent_id, task_id)
    raise VersionConflictError(f"stale: version {version} is not the newest, which is {newest}. Nothing was saved")


def go_on(client: Any, uri: str, steps: Steps) -> dict[str, Any]:
    """Read before each step; refused or without an answer, read again."""
    while True:
        try:
            version, state = client.read(uri)
        except ConnectionError:
            continue
        step = next((step for step in state["plan"] if step not in state["done"]), None)
        if step is None:
            return state
        done = {**state["done"], step: steps[step](step_key(state["key"], step))}
        try:
            client.save(uri, version, {**state, "done": done})
        except (VersionConflictError, ConnectionError):
            continue


def _this(who: str, agent_id: str, task_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return STATES.c.owner == who, STATES.c.agent == agent_id, STATES.c.task == task_id
