"""Who gives a dead worker's job back to the queue: one at a time, and not before the dead one could have come back."""

import psycopg
import pytest
from by_workers import reached

from labkit.grading.distributed import engine, lease, recovery
from labkit.grading.distributed.lease import WORKERS
from labkit.grading.distributed.recovery import Recovery

BEGIN = """UPDATE labkit_grading_1_dbos.workflow_status SET status = 'PENDING', executor_id = %s
    WHERE workflow_uuid = %s"""
FOUND = "SELECT split_part(workflow_uuid, '/', 2), status, queue_name FROM labkit_grading_1_dbos.workflow_status"


@pytest.fixture
def left(database_url, monkeypatch):
    """What workflows there are: one that v-0 has begun, one of another version, one that waits. And a connection."""
    monkeypatch.setattr(recovery, "BACK", 0.0)
    with psycopg.connect(database_url, autocommit=True) as connection:
        engine.prepare(reached(database_url), connection)
        client = engine.client(reached(database_url))
        engine.set_pace(client, engine.IDLE)
        for job in "abc":
            client.enqueue(engine.options("g", job, 1, "v"), "g", job, 1)
        client.destroy()
        for executor, job in (("v-0", "a"), ("w-0", "b")):
            connection.execute(BEGIN, [executor, f"g/{job}/1"])

        def found():
            return {job: (status, queue) for job, status, queue in connection.execute(FOUND)}

        yield connection, found


def test_what_a_dead_worker_has_begun_goes_back_to_the_queue(left, database_url):
    """The same queue, where one is judged at a time; that of another version is for others."""
    connection, found = left
    looks = Recovery(reached(database_url), "v")
    looks.look(connection)
    looks.look(connection)
    assert found() == {
        "a": ("ENQUEUED", engine.QUEUE), "b": ("PENDING", engine.QUEUE), "c": ("ENQUEUED", engine.QUEUE)
    }  # fmt: skip
    with psycopg.connect(database_url, autocommit=True) as other:
        assert lease.locked(other, WORKERS, "v-0")


def test_nothing_is_taken_from_who_lives_or_may_come_back_or_is_looked_after(left, database_url, monkeypatch):
    """Two do not give back the same: the second one would take it from whoever has it by then."""
    connection, found = left
    looks = Recovery(reached(database_url), "v")
    looks.look(connection)
    with psycopg.connect(database_url, autocommit=True) as other:
        assert lease.locked(other, WORKERS, "v-0")
        looks.look(connection)
        looks._give_back(connection, "v-0")
        assert found()["a"][0] == "PENDING"
    monkeypatch.setattr(recovery, "BACK", 60.0)
    while lease.living(connection, WORKERS):
        pass
    looks.look(connection)
    looks.look(connection)
    assert found()["a"][0] == "PENDING"
