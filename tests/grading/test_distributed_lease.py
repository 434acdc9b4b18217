"""A process's name, by an advisory lock: one holder at a time, who keeps it when the server was gone."""

import threading

import psycopg
import pytest
from by_workers import CUT_OFF, reached

from labkit import database
from labkit.grading.distributed import lease
from labkit.grading.distributed.database import NoDatabaseError
from labkit.grading.distributed.lease import (
    COORDINATORS,
    WORKERS,
    Lease,
    LeaseLostError,
    living,
    locked,
    number,
    unlock,
)


@pytest.fixture
def made(database_url):
    """Makes leases."""
    found = []

    def make(space=WORKERS):
        found.append(Lease(reached(database_url), space, lambda _: None, 60))
        return found[-1]

    yield make
    for each in found:
        each.close()


def test_a_name_has_one_holder_and_is_free_when_that_ends(made, database_url):
    """Others see what it tells; a name of the other kind is another one."""
    one, two = made(), made()
    assert one.take("v-0", "v-0 machine")
    assert not two.take("v-0")
    assert two.take("v-1", "v-1 there")
    assert made(COORDINATORS).take("v-0")
    assert two.take("v-2", "v-2 there")
    with psycopg.connect(database_url, autocommit=True) as connection:
        assert living(connection, WORKERS) == {number("v-0"): "v-0 machine", number("v-2"): "v-2 there"}
        one.close()
        while number("v-0") in living(connection, WORKERS):
            pass
        assert made().take("v-0")


def test_the_name_is_kept_when_the_connection_ends(made, database_url):
    """What is done over it is done again; it is told as before."""
    mine = made()
    mine.take("v-0", "v-0 machine")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(CUT_OFF)
        assert mine.run(lambda on: on.execute("SELECT 1").fetchone()) == (1,)
        assert living(connection, WORKERS) == {number("v-0"): "v-0 machine"}
        assert not locked(connection, WORKERS, "v-0")


def test_who_finds_its_name_taken_has_lost_it(made, database_url, monkeypatch):
    """After it has waited for its own last connection to be missed."""
    monkeypatch.setattr(lease, "MISSED", 1)
    mine = made()
    mine.take("v-0")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(CUT_OFF)
        while not locked(connection, WORKERS, "v-0"):
            pass
        with pytest.raises(LeaseLostError):
            mine.run(lambda on: on.execute("SELECT 1"))
        unlock(connection, WORKERS, "v-0")
    assert mine.run(lambda on: on.execute("SELECT 1").fetchone()) == (1,)


def test_a_server_that_is_gone_is_waited_for():
    """So long, and told once; who is told to stop does not wait."""
    said = []
    with database.throwaway_cluster() as cluster:
        cluster.make_database("work")
        mine = Lease(reached(database.as_url(cluster.owner("work"))), WORKERS, said.append, 60)
        mine.take("v-0")
        cluster.kill()
        again = threading.Timer(2, cluster.start)
        again.start()
        assert mine.run(lambda on: on.execute("SELECT 1").fetchone()) == (1,)
        again.join()
        cluster.kill()
        mine.stopping = True
        with pytest.raises(NoDatabaseError, match="start this again later: "):
            mine.run(lambda on: on.execute("SELECT 1"))
    assert len(said) == 2
    assert all(each.startswith("Waiting for the database: ") for each in said)


def test_a_statement_that_the_server_refuses_is_told_and_the_name_is_kept(made, database_url):
    """It is of no use to say it again; what may go by itself is."""
    mine, full = made(), "DO $$ BEGIN RAISE disk_full; END $$"
    mine.take("v-0", "v-0 machine")
    with psycopg.connect(database_url, autocommit=True) as connection:
        with pytest.raises(NoDatabaseError, match="refuses what a grading needs: canceling statement due to"):
            mine.run(lambda on: on.execute("SET statement_timeout = 10; SELECT pg_sleep(60)"))
        assert not locked(connection, WORKERS, "v-0")
        tries = [full, "SELECT 1"]
        mine.run(lambda on: on.execute(tries.pop(0)))
        assert tries == []
        assert not locked(connection, WORKERS, "v-0")
