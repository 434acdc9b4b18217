"""Databases for one submission: its own and no others, and gone afterwards, even if the grader was killed."""

import tempfile
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from labkit.database import LENT
from labkit.database.server import LentServer
from labkit.grading.sandbox.lending import Lender


@pytest.fixture
def lender(monkeypatch):
    """A lender with a server of its own, in a folder that the server's user can reach."""
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o711)
        monkeypatch.setenv("LABKIT_HOME", home)
        lender = Lender()
        yield lender
        lender.close()


def names(lender):
    """All databases but PostgreSQL's own."""
    found = set()
    for cluster in lender._clusters.values():
        with cluster.connect(**cluster.conninfo()) as connection:
            found |= {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
    return found - {"postgres", "template0", "template1"}


def test_a_borrower_finds_databases_and_reaches_no_others(lender):
    """It may not make any, nor connect to those of another one."""
    with lender.lent() as one, lender.lent() as other:
        ours, theirs = (psycopg.conninfo.conninfo_to_dict(each.environment[LENT])["dbname"] for each in (one, other))
        server = LentServer(one.environment[LENT])
        for database in ("", "labkit_scratch_0", "labkit_scratch_3"):
            server.connect(**server.conninfo(database)).close()
        assert server.conninfo("labkit_scratch_0")["dbname"] == f"{ours}_labkit_scratch_0"
        with server.connect(**server.conninfo()) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE DATABASE more")
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(one.environment[LENT].replace(f"/{ours}?", f"/{theirs}?"))
    assert names(lender) == set()


@pytest.mark.long
def test_what_a_killed_grader_lent_is_taken_back(lender):
    """The next one on the same server begins by that."""
    with lender.lent():
        pass
    lender._clusters[0].lend("submission_left")
    assert len(names(lender)) == 5
    lender.close()
    again = Lender()
    with again.lent():
        assert not [name for name in names(again) if name.startswith("submission_left")]
    again.close()


EXHAUSTING = {
    "every lock": "SELECT pg_advisory_lock(n) FROM generate_series(1, 1000000) n",
    "its own as a template": "ALTER DATABASE CURRENT IS_TEMPLATE true",
}


@pytest.mark.long
@pytest.mark.parametrize("what", EXHAUSTING)
def test_what_a_borrower_does_to_its_server_costs_no_other(lender, what):
    """Two slots have two servers; and whatever it was, its databases are taken back."""
    with lender.lent(0) as one, lender.lent(1) as other:
        with psycopg.connect(one.environment[LENT], autocommit=True) as connection, suppress(psycopg.Error):
            name = connection.info.dbname
            connection.execute(EXHAUSTING[what].replace("CURRENT", name))
        with psycopg.connect(other.environment[LENT], autocommit=True) as connection:
            connection.execute("CREATE TABLE mine (n int)")
            connection.execute("SELECT pg_advisory_lock(1)")
        assert one.server != other.server
    assert names(lender) == set()
