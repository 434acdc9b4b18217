"""How fast is PostgresStateStore? As ratios, both sides measured in turn in one run, on a server with fsync on.

    python bench/postgres.py

`save` against the same upsert and COMMIT in raw psycopg: at most 1 / 0.6 of its time. `list_by_state` of 100 tasks
among 1,000,000 against 100 among 1,000: less than 5 times.
"""

import json
from collections.abc import Callable

import psycopg
import sqlalchemy as sa
from figures import TRY, compare

from labkit import StateStore, database
from labkit.postgres import PostgresStateStore, connect
from labkit.task import Task, TaskState

HOW = {"turns": 6, "calls": 50}
MANY = 10_000 if TRY else 1_000_000
LIMIT = "SQLAlchemy makes the statement's arguments and takes a connection; pydantic writes the body of the record."
UPSERT = """
    INSERT INTO labkit_records (kind, id, state, version, updated_at, body) VALUES (%s, %s, %s, %s, now(), %s)
    ON CONFLICT (kind, id) DO UPDATE SET state = excluded.state, version = excluded.version,
        updated_at = excluded.updated_at, body = excluded.body
"""
FILL = """
    INSERT INTO labkit_records (kind, id, state, version, updated_at, body)
    SELECT 'task', %s || n, %s, 1, now(), %s FROM generate_series(1, %s) AS n
"""
TASK = Task(id="a", user_input="deploy the service", journal={"create_dns": "10.0.0.1", "deploy_container": "ok"})
BODY = json.dumps(TASK.model_dump(mode="json", exclude={"id", "state", "version", "updated_at"}))


def saving(store: StateStore) -> Callable[[], object]:
    """One save of a task, in the lab's way."""
    task = store.save(store.insert(TASK).to(TaskState.RUNNING))

    def save() -> None:
        nonlocal task
        task = store.save(task)

    return save


def upserting(connection: psycopg.Connection) -> Callable[[], object]:
    """One upsert and COMMIT, in psycopg's way."""
    version = 0

    def upsert() -> None:
        nonlocal version
        version += 1
        connection.execute(UPSERT, ("task", "raw", "running", version, BODY))
        connection.commit()

    return upsert


def listing(engine: sa.Engine, tasks: int) -> Callable[[], object]:
    """List the 100 running tasks, as many again waiting, and all others completed."""
    store = PostgresStateStore(engine)
    with psycopg.connect(url_of(engine), autocommit=True) as connection:
        for state, number in {"running": 100, "pending": 100, "completed": tasks - 200}.items():
            connection.execute(FILL, (state, state, BODY, number))
        connection.execute("VACUUM ANALYZE labkit_records")

    def list_running() -> None:
        assert len(store.list_by_state(Task, TaskState.RUNNING)) == 100

    return list_running


def url_of(engine: sa.Engine) -> str:
    """What psycopg needs to connect."""
    return engine.url.render_as_string(hide_password=False)


def main() -> None:
    """Measure and tell."""
    with database.throwaway() as url, psycopg.connect(url) as raw:
        assert raw.execute("SHOW fsync").fetchone() == ("on",)
        ways = {"PostgresStateStore": saving(PostgresStateStore(connect(url))), "upsert and COMMIT": upserting(raw)}
        compare("save", ways, aim=1 / 0.6, limit=LIMIT, **HOW)
    with database.throwaway() as small, database.throwaway() as large:
        ways = {"among 1,000,000": listing(connect(large), MANY), "among 1,000": listing(connect(small), 1_000)}
        compare("list 100 tasks by state", ways, aim=5, **HOW)


if __name__ == "__main__":
    main()
