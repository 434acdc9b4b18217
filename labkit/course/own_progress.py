"""labkit's own answers to exercise 11: progress in the tables of that exercise, as `labkit.progress` has it in its own.

They run in children only, as those of `own.py`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

RUNS = sa.table("runs", sa.column("name"), sa.column("last"))
UPDATES = sa.table("updates", sa.column("run"), sa.column("number"), sa.column("body", JSONB))
COMMANDS = sa.table("commands", *map(sa.column, ("run", "id", "what", "number")), sa.column("applied", sa.Boolean))
DONE = sa.table("done", sa.column("run"), sa.column("step"))
BATCH, FINAL = 100, ("completed", "error")
PORTS = {"http": 80, "https": 443}

Update = dict[str, Any]


def publish(conn: sa.Connection, run: str, update: Update) -> int:
    """An update counts up, and keeps the run's row locked until the caller's transaction ends."""
    count_up = RUNS.update().where(RUNS.c.name == run).values(last=RUNS.c.last + 1).returning(RUNS.c.last)
    number = conn.scalar(count_up)
    conn.execute(UPDATES.insert().values(run=run, number=number, body=update))
    return number


def frame(seq: int, update: Update) -> str:
    """JSON has no line break, so its line is one."""
    return f"id: {seq}\ndata: {json.dumps(update)}\n\n"


def stream(conn: sa.Connection, run: str, last_id: int, wait: Callable[[], object]) -> Iterator[tuple[int, Update]]:
    """A batch for a look; at the end when the number of the last update is no greater than what was seen."""
    ours = UPDATES.c.run == run
    final = sa.select(UPDATES.c.number).where(ours, UPDATES.c.body["status"].astext.in_(FINAL))
    behind = sa.select(UPDATES.c.number, UPDATES.c.body).where(ours).order_by(UPDATES.c.number).limit(BATCH)
    end = None
    while end is None or end > last_id:
        with conn.begin():
            end = conn.scalar(final)
            rows = conn.execute(behind.where(UPDATES.c.number > last_id)).all()
        for number, update in rows:
            yield number, update
            last_id = number
        if not rows and (end is None or end > last_id):
            wait()


def command(conn: sa.Connection, run: str, command_id: str, what: str) -> bool:
    """The primary key decides which of two is the first."""
    save = insert(COMMANDS).values(run=run, id=command_id, what=what).on_conflict_do_nothing().returning(COMMANDS.c.id)
    with conn.begin():
        return conn.execute(save).first() is not None


def work_on(
    conn: sa.Connection,
    run: str,
    steps: Sequence[str],
    do: Callable[[str], object],
    apply: Callable[[sa.Connection, str], object],
) -> str:
    """Between two steps, effect and mark of each command are in one transaction; a cancel is a row, and stays."""
    with conn.begin():
        done = {*conn.scalars(sa.select(DONE.c.step).where(DONE.c.run == run))}
    for step in steps:
        if step in done:
            continue
        if _is_cancelled(conn, run, apply):
            return "cancelled"
        do(step)
        with conn.begin():
            conn.execute(DONE.insert().values(run=run, step=step))
    return "completed"


def _is_cancelled(conn: sa.Connection, run: str, apply: Callable[[sa.Connection, str], object]) -> bool:
    """Whether it was, when all that waited is applied."""
    ours = COMMANDS.c.run == run
    waiting = sa.select(COMMANDS.c.id, COMMANDS.c.what).where(ours, ~COMMANDS.c.applied).order_by(COMMANDS.c.number)
    with conn.begin():
        for command_id, what in conn.execute(waiting.with_for_update()).all():
            apply(conn, what)
            conn.execute(COMMANDS.update().where(ours, COMMANDS.c.id == command_id).values(applied=True))
        cancels = sa.select(COMMANDS.c.id).where(ours, COMMANDS.c.what == "cancel", COMMANDS.c.applied)
        return conn.execute(cancels).first() is not None


def may_command(origin: str | None, ours: str) -> bool:
    """Taken apart, with the port that is usual where none is written."""
    try:
        one, other = (
            (parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme))
            for parts in (urlsplit(origin or ""), urlsplit(ours))
        )
    except ValueError:
        return False
    return one == other
