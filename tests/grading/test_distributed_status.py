"""`labkit grade-status`: what is under way, how far it is, who is at work, and what nobody waits for any more."""

import psycopg
import pytest
from by_workers import reached, without_password

from labkit.grading.distributed import status, tables
from labkit.grading.distributed.engine import prepare
from labkit.grading.distributed.lease import COORDINATORS, WORKERS, Lease, locked, unlock
from labkit.repository import UsageError


@pytest.fixture
def said(database_url, monkeypatch):
    """Says what there is to say."""
    dsn, password = without_password(database_url)
    monkeypatch.setenv("PGPASSWORD", password)
    return lambda drop=None: list(status.main(dsn, drop))


def test_a_database_without_gradings_says_so(said, database_url):
    """Also one that was never used for any, and if one is to be dropped there."""
    assert said() == ["No class was ever graded here"]
    with pytest.raises(UsageError, match="there is no grading x: no class was ever graded here"):
        said("x")
    with psycopg.connect(database_url, autocommit=True) as connection:
        tables.make(connection)
    assert said()[0] == "No grading is under way"
    assert said()[1].startswith("No worker is at work")
    with pytest.raises(UsageError, match="there is no grading x"):
        said("x")


def test_a_server_that_goes_away_meanwhile_is_told_in_one_line(said, monkeypatch):
    """As one that does not answer at all."""

    def gone(_connection):
        raise psycopg.OperationalError("the connection is closed")

    monkeypatch.setattr(status, "_gradings", gone)
    with pytest.raises(UsageError, match="the connection is closed: see whether the server runs"):
        said()


def test_gradings_and_workers_are_told_as_they_are(said, database_url):
    """How many are judged, begun, waiting; who works at what; whether anybody waits. A dead worker is not told."""
    lease = Lease(reached(database_url), WORKERS, print, 60)
    lease.take("v-0", "v-0 there")
    with psycopg.connect(database_url, autocommit=True) as connection:
        prepare(reached(database_url), connection)
        tables.open_grading(connection, "g", "v", "labkit 1")
        for job in "abc":
            tables.new_job(connection, "g", job, "asked")
        tables.begin(connection, "g", "a", 1, "v-1", "one")
        tables.begin(connection, "g", "b", 1, "v-0", "two")
        tables.end(connection, "g", "b", 1, "found")
        tables.leave(connection, "g", "a", 1)
        assert said()[2:] == ["Worker v-0 on there waits"]
        tables.begin(connection, "g", "a", 2, "v-0", "three")
        lines = said()
        assert lines[0].startswith("Grading g, asked for on ")
        assert lines[0].endswith(" by labkit 1; nobody waits for it now:")
        assert lines[1] == "  1 of 3 submissions are judged, 1 begun, 1 for the second time, 1 wait"
        assert lines[2:] == ["Worker v-0 on there has judged for 0 s what grading g asks"]
    lease.close()


def test_what_somebody_waits_for_is_not_dropped(said, database_url):
    """They would wait for ever. What nobody waits for is."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        prepare(reached(database_url), connection)
        tables.open_grading(connection, "g", "v", "labkit 1")
        assert locked(connection, COORDINATORS, "g")
        assert "nobody waits" not in said()[0]
        with pytest.raises(UsageError, match="somebody waits for grading g: end that"):
            said("g")
        unlock(connection, COORDINATORS, "g")
        assert said("g")[0].startswith("Grading g is dropped")
        with pytest.raises(UsageError, match="there is no grading g"):
            said("g")
