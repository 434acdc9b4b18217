"""The run of chapter 5: a shared database, a second worker, connections that die, and a server that does."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import psycopg
from psycopg import sql
from sqlalchemy.exc import SQLAlchemyError

from labkit import database, world
from labkit.crash import Observation, Report, Stop, sweep, trial
from labkit.crash.race.api import race
from labkit.crash.race.report import RaceReport
from labkit.database.backends import ending
from labkit.gauntlet.busy_rows import rows_are_kept
from labkit.gauntlet.parts import Parts
from labkit.grading.judge.survival import did
from labkit.postgres import connect
from labkit.store import StoreError

CREATE = "CREATE TABLE tasks (id text PRIMARY KEY, state text, version int, result text)"
INSERT = "INSERT INTO tasks VALUES ('shop', 'running', 3, ''), ('blog', 'running', 3, '')"
PROGRESS = "UPDATE tasks SET version = version + 1 WHERE id = 'shop'"
COMPLETE = "UPDATE tasks SET state = 'completed', result = 'done long ago' WHERE id = 'shop'"
ROW = "SELECT s.state, s.result, b.state FROM tasks s, tasks b WHERE s.id = 'shop' AND b.id = 'blog'"
ALL = sql.SQL("""
    datname = current_database() AND pid <> pg_backend_pid()
    AND application_name = current_setting('application_name')
""")
ORDERS = 100
"""Orders that are run at most: an answer that sends many statements has thousands."""
SEEN, FIRST, SECOND = "seen by", "the first worker", "the second worker"


def transactions(parts: Parts) -> Iterator[Report | RaceReport]:
    """A step in a shared database. Two workers execute it; one writes meanwhile; connections die; then all of it.

    The work has a key, so that it acts once, whoever does it.
    """
    two = {who: partial(_execute_once, parts, who) for who in "AB"}
    yield race(two, _one_acted, make_table, limit=ORDERS, name="two workers")
    beside = {"A": partial(execute, parts), "B": _progress}
    yield race(beside, _one_acted, _lossy_table, limit=ORDERS, name="progress of another worker")
    run = partial(execute, parts, connections_die)
    yield sweep(run, run, _acted_once, make_table, name="connections that die")
    seen = trial(partial(_finish_again, parts), _completed)
    assert seen.value == [False, "completed", "done long ago"], (
        f"A worker finished a task that was completed already, with its right version: {seen.value or did(seen)}"
    )
    rows_are_kept(parts)
    _server_dies(parts)


def _lossy_table() -> None:
    make_table()
    world.arrange(faults={"notify": ["ambiguous"]})


def _completed() -> None:
    make_table()
    with psycopg.connect(database.url(), autocommit=True) as connection:
        connection.execute(COMPLETE)


def _finish_again(parts: Parts) -> list[object]:
    with database.engine().begin() as conn:
        told = bool(parts["finish_step"](conn, "shop", 3, "once more"))
    return [told, *row()[:2]]


def make_table(url: str | None = None) -> None:
    """The table of exercise 5, with two running tasks."""
    with psycopg.connect(url or database.url(), autocommit=True) as connection:
        connection.execute(CREATE)
        connection.execute(INSERT)


def row(url: str | None = None) -> list[str]:
    """The state and the result of that task, and the state of another one."""
    with psycopg.connect(url or database.url(), autocommit=True) as connection:
        return list(connection.execute(ROW).fetchone())


def execute(parts: Parts, *meanwhile: Callable[[Parts], None]) -> list[str]:
    """What a worker does: execute the step until it is done, by whomever. These happen in the middle of it."""
    happens = [*meanwhile]

    def step() -> str:
        result = _work(FIRST)
        while happens:
            happens.pop(0)(parts)
        return result

    for _ in range(5):
        with suppress(SQLAlchemyError, psycopg.Error, StoreError, world.ToolTimeoutError):
            _tell(FIRST, parts["execute_step"](database.engine(), "shop", step))
        if row()[0] == "completed":
            break
    return row()


def _work(who: str) -> str:
    return f"{SEEN} {who}: {world.tool('notify', key='shop', service='shop')}"


def _execute_once(parts: Parts, who: str) -> None:
    """What a worker does: execute the step, and once more after each error."""
    for _ in range(5):
        with suppress(SQLAlchemyError, psycopg.Error, StoreError, world.ToolTimeoutError):
            return _tell(who, parts["execute_step"](database.engine(), "shop", partial(_work, who)))
    raise TimeoutError("the step was executed five times, and failed each time")


def _tell(who: str, told: object) -> None:
    world.ack(f"{who} {bool(told)}")


def second_worker(parts: Parts) -> None:
    """Another worker executes the same step, from its beginning to its end."""
    _tell(SECOND, parts["execute_step"](connect(database.url()), "shop", lambda: _work(SECOND)))


def _progress() -> None:
    with psycopg.connect(database.url(), autocommit=True) as connection:
        connection.execute(PROGRESS)


def connections_die(_parts: Parts) -> None:
    """The server ends the connections of all workers, as it does when it is restarted."""
    with psycopg.connect(database.url(), autocommit=True) as connection:
        connection.execute(ending(ALL))


def _acted_once(seen: Observation) -> None:
    assert [call.tool for call in seen.ledger] == ["notify"], f"the team was told {len(seen.ledger)} times"
    one_winner(seen.acknowledged, seen.state)


def _one_acted(seen: Observation) -> None:
    assert [call.tool for call in seen.ledger] == ["notify"], f"the team was told {len(seen.ledger)} times"
    one_winner(seen.acknowledged, row())


def one_winner(acknowledged: list[str], stored: list[str]) -> None:
    """The task is completed, and who was told that it won has its result in the table."""
    state, result, other = stored
    assert other == "running", f"another task is {other} as well"
    assert state == "completed", f"the task is {state}; expected completed"
    winners = [label.removesuffix(" True") for label in acknowledged if label.endswith(" True")]
    assert len(winners) < 2, f"{' and '.join(winners)} were both told that they finished the task"
    for who in winners:
        assert result.startswith(f"{SEEN} {who}:"), f"{who} was told True, and the task holds {result!r}"
    assert result.startswith(SEEN), f"the task is completed, and holds {result!r}"


def _server_dies(parts: Parts) -> None:
    """A worker dies in the middle of its step, and the whole database server with it. Both start again."""
    with database.throwaway_cluster() as cluster:
        cluster.make_database("work")
        url = database.as_url(cluster.owner("work"))
        make_table(url)
        once = partial(_execute_at, parts, url)
        seen = trial(once, stop=Stop(after="tool notify"))
        assert seen.how == "stopped", f"The step was to be killed in its middle, and it {did(seen)}"
        cluster.kill()
        cluster.start()
        after = trial(once, world=seen.world)
        assert after.how == "returned", f"The server was killed and started again, and execute_step {did(after)}"
        state, result, _ = row(url)
        told = f"The server was killed in the middle of the step. After the restart, the task is {state}: {result!r}"
        assert state == "completed", told
        assert result.startswith(SEEN), told
        assert len(after.world.ledger) == 1, f"{told}; the team was told {len(after.world.ledger)} times"


def _execute_at(parts: Parts, url: str) -> bool:
    return bool(parts["execute_step"](connect(url), "shop", lambda: _work(FIRST)))
