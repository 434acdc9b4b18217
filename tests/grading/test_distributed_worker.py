"""A worker's life: who it works for, when it leaves, and where it may not work."""

import time
from contextlib import contextmanager
from threading import Thread
from types import SimpleNamespace

import psycopg
import pytest
from by_workers import CUT_OFF, Grading, submissions, workers

from labkit.grading.distributed import lease, tables, version, worker
from labkit.grading.distributed.coordinator import TWICE
from labkit.grading.sandbox import guarantees
from labkit.repository import UsageError


@pytest.fixture
def connection(database_url):
    """A connection to a database that has the tables."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        tables.make(connection)
        yield connection


@contextmanager
def waited_for(url, grading):
    """Somebody waits for a grading."""
    with psycopg.connect(url, autocommit=True) as connection:
        lease.locked(connection, lease.COORDINATORS, grading)
        yield


def test_who_is_asked_for_by_nobody_of_its_version_is_of_no_use(connection, database_url):
    """Unless something is left that is of its own version, or nobody waits for the others."""
    tables.open_grading(connection, "other", "0" * 16, "labkit 0.0.9")
    assert worker._asked(connection) == {}
    with waited_for(database_url, "other"):
        assert worker._asked(connection) == {"other": "labkit 0.0.9"}
        tables.open_grading(connection, "ours", version.here().digest, "labkit")
        assert worker._asked(connection) == {}


def test_where_there_are_no_tables_nobody_is_waited_for(database_url):
    """And none are made to see that: a worker of another version may not change what the others use."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        assert worker._asked(connection) == {}
        with pytest.raises(tables.NONE_YET):
            tables.gradings(connection)


def test_a_machine_without_namespaces_works_only_over_tcp_with_a_password(monkeypatch):
    """There students' code could reach a Unix socket, and be let in by who it is."""

    def connected(host, *, password=True):
        return SimpleNamespace(info=SimpleNamespace(host=host), pgconn=SimpleNamespace(used_password=password))

    monkeypatch.setattr(guarantees, "apart", lambda: False)
    worker._refuse_exposed(connected("db.example"))
    for host, password in (("/run/postgresql", True), ("", True), ("@abstract", True), ("db.example", False)):
        with pytest.raises(UsageError, match="over TCP"):
            worker._refuse_exposed(connected(host, password=password))
    monkeypatch.setattr(guarantees, "apart", lambda: True)
    worker._refuse_exposed(connected("", password=False))


def wait_until(true, seconds=120):
    """Until it is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.slow(seconds=20)
def test_what_others_wait_for_and_what_happens_to_its_connections_takes_no_job_from_a_worker(
    tmp_path, database_url, connection
):
    """Another version's grading, whose coordinator is all that is left to wait, and all connections cut: once each."""
    students = submissions(tmp_path / "criteria", 2)
    grading = Grading(database_url, tmp_path / "out", tmp_path / "criteria")
    asking = Thread(target=lambda: grading.grade(students))
    with workers(database_url, tmp_path, seconds=8) as judging:
        asking.start()
        wait_until(judging.attempts)
        tables.open_grading(connection, "other", "0" * 16, "labkit 0.0.9")
        connection.execute(CUT_OFF)
        with waited_for(database_url, "other"):
            asking.join()
            assert judging.living[0].poll() is None
            assert sorted(judging.attempts().values()) == [1, 1]
            wait_until(lambda: judging.living[0].poll() is not None)
    assert not any(TWICE in each for each in grading.said)
    assert "was asked for by labkit 0.0.9" in (tmp_path / "log").read_text()
