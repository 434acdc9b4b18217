"""How fast is PostgresStateStore? As ratios, both sides measured in turn in one run, on a server with fsync on.

    python bench/postgres.py

`save` against the same upsert and COMMIT in raw psycopg: at least 0.6. `list_by_state` of 100 tasks among 1,000,000
against 100 among 1,000: less than 5. What counts is the ratio of the medians.
"""

import json
import statistics
import time
from collections.abc import Callable

import psycopg
import sqlalchemy as sa

from labkit import database
from labkit.postgres import PostgresStateStore, connect
from labkit.task import Task, TaskState

ROUNDS, CALLS = 30, 50
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


def saving(engine: sa.Engine) -> Callable[[], object]:
    """One save of a task, in the lab's way."""
    store = PostgresStateStore(engine)
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


def medians(*calls: Callable[[], object]) -> list[float]:
    """Seconds that each takes, in turn."""
    taken: list[list[float]] = [[] for _ in calls]
    for turn in range(ROUNDS + 1):
        for call, times in zip(calls, taken, strict=True):
            start = time.perf_counter()
            for _ in range(CALLS):
                call()
            if turn:  # the first prepares the statements
                times.append((time.perf_counter() - start) / CALLS)
    return [statistics.median(times) for times in taken]


def main() -> None:
    """Measure and print."""
    with database.throwaway() as url, psycopg.connect(url) as raw:
        assert raw.execute("SHOW fsync").fetchone() == ("on",)
        save, upsert = medians(saving(connect(url)), upserting(raw))
        print(f"save {save * 1e3:.2f} ms, raw upsert {upsert * 1e3:.2f} ms: ratio {upsert / save:.2f} (at least 0.6)")
    with database.throwaway() as small, database.throwaway() as large:
        few, many = medians(listing(connect(small), 1_000), listing(connect(large), 1_000_000))
        print(
            f"100 among 1,000 {few * 1e3:.2f} ms, among 1,000,000 {many * 1e3:.2f} ms: ratio {many / few:.1f} (under 5)"
        )


if __name__ == "__main__":
    main()
