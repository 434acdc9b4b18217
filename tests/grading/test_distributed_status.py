"""`labkit grade-status`: what is under way, how far it is, who is at work, and what nobody waits for any more."""

import psycopg
import pytest
from labkit.grading.distributed.place import find

from labkit.grading.distributed import slots, status, tables
from labkit.grading.distributed.engine import prepare
from labkit.repository import UsageError


def said(url, drop=None):
    """What there is to say."""
    return list(status.main(url, drop))


def test_a_database_without_gradings_says_so(database_url):
    """Also one that was never used for any."""
    assert said(database_url) == ["No class was ever graded here"]
    with psycopg.connect(database_url, autocommit=True) as connection:
        tables.make(connection)
    assert said(database_url)[0] == "No grading is under way"
    assert said(database_url)[1].startswith("No worker is at work")


def test_gradings_and_workers_are_told_as_they_are(database_url):
    """How many are judged, begun, waiting; who works at what; whether anybody waits. A dead worker is not told."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        prepare(find(database_url), connection)
        tables.open_grading(connection, "g", "v", "labkit 1")
        for job in "abc":
            tables.new_job(connection, "g", job, "asked")
        tables.begin(connection, "g", "a", 1, "v-0")
        tables.begin(connection, "g", "a", 2, "v-0")
        tables.begin(connection, "g", "b", 1, "v-0")
        tables.end(connection, "g", "b", "found")
        slot = slots.take(connection, "v")
        for name in (slot.id, "v-1"):
            insert = """INSERT INTO labkit_grading_1.worker (id, lock, machine, told, job, job_since)
                VALUES (%s, %s, 'there', 'labkit 1', 'g/a', now())"""
            connection.execute(insert, [name, slots.lock(name)])
        lines = said(database_url)
        assert lines[0].startswith("Grading g, asked for on ")
        assert lines[0].endswith(" by labkit 1; nobody waits for it now:")
        assert lines[1] == "  1 of 3 submissions are judged, 1 begun, 1 for the second time, 1 wait"
        assert lines[2:] == ["Worker 0 on there has judged for 0 s what grading g asks (labkit 1)"]
        slots.wait_for(connection, "g")
        assert "nobody waits" not in said(database_url)[0]
        assert said(database_url, "g")[0].startswith("Grading g is dropped")
        with pytest.raises(UsageError, match="there is no grading g"):
            said(database_url, "g")
