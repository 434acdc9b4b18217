"""A snapshot knows the transactions of its own database, and none of another: no program hangs on what others do."""

import os

import psycopg
import pytest

from labkit import database
from labkit.database.snapshots import FURNISHED

pytestmark = pytest.mark.skipif(
    "LABKIT_DSN" in os.environ, reason="NOT CHECKED with LABKIT_DSN: a server that is not ours stays as it is"
)
ASSIGNED = "SELECT pg_current_xact_id()"
LOOKS = ["pg_current_snapshot()", "txid_current_snapshot()", "pg_catalog.pg_current_snapshot()"]


@pytest.fixture
def other():
    """A connection to another database of the same server, in an open transaction that has a number."""
    with database.throwaway() as url, psycopg.connect(url) as connection:
        connection.execute(ASSIGNED)
        yield connection


def test_a_database_that_was_made_before_is_changed_when_it_is_next_asked_for():
    """As one whose making was interrupted."""
    server, name = database.server(), "labkit_made_before"
    server.drop_database(name)
    with server.connect(**server.conninfo()) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        for _ in range(2):
            server.make_database(name)
            with server.connect(**server.conninfo(name)) as connection:
                assert connection.execute(FURNISHED).fetchone()[0]
    finally:
        server.drop_database(name)


@pytest.fixture
def connect(database_url):
    """Connections to one database."""
    opened = []

    def new():
        opened.append(psycopg.connect(database_url, autocommit=True))
        return opened[-1]

    yield new
    for connection in opened:
        connection.close()


@pytest.mark.parametrize("look", LOOKS)
def test_a_transaction_of_another_database_holds_nothing_back(other, connect, look):
    """Neither one that began before, nor one that has ended; PostgreSQL's own word is that it does."""
    ours = connect()
    ours.execute(ASSIGNED)  # a later number: now the other one's is among those that the server names
    xmin, xmax, xip = ours.execute(f"SELECT {look}").fetchone()[0].split(":")
    assert (xmin, xip) == (xmax, "")
    (whole,) = ours.execute("SELECT labkit_snapshot_of_server()").fetchone()
    assert other.execute(ASSIGNED).fetchone()[0] in whole.split(":")[2].split(",")


def test_one_snapshot_is_the_same_to_its_end(other, connect):
    """Also when the transaction that was left out has ended meanwhile."""
    ours, look = connect(), "SELECT pg_snapshot_xmin(pg_current_snapshot())"
    ours.execute(ASSIGNED)
    ours.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    before = ours.execute(look).fetchone()
    other.rollback()
    assert ours.execute(look).fetchone() == before


@pytest.mark.parametrize("look", LOOKS)
def test_a_transaction_of_the_same_database_holds_back(other, connect, look):  # noqa: ARG001 - it is open
    """As does one's own; what both say of it is what PostgreSQL says."""
    first, second = connect(), connect()
    first.execute("BEGIN")
    number = first.execute(ASSIGNED).fetchone()
    second.execute(ASSIGNED)
    xmin, _, xip = second.execute(f"SELECT {look}").fetchone()[0].split(":")
    assert xmin == xip == number[0]
    assert first.execute(f"SELECT {look}").fetchone()[0].split(":")[::2] == [xmin, ""]
