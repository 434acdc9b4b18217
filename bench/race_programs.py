"""Three races of two workers on PostgreSQL, as functions that both tools of `race_beside.py` can run."""

import os

import psycopg
from psycopg import IsolationLevel

SCHEMA = """
    DROP TABLE IF EXISTS account, doctor, task;
    CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL);
    INSERT INTO account VALUES (1, 100);
    CREATE TABLE doctor (name text PRIMARY KEY, on_call bool NOT NULL);
    INSERT INTO doctor VALUES ('ann', true), ('bob', true);
    CREATE TABLE task (id int PRIMARY KEY, holder text, claims int NOT NULL);
    INSERT INTO task VALUES (1, NULL, 0)
"""


def connect() -> psycopg.Connection:
    """To the database of the tool that runs it."""
    if url := os.environ.get("RACE_URL"):
        return psycopg.connect(url)
    from labkit import database  # noqa: PLC0415 - the other tool's processes need not import it

    return psycopg.connect(database.url())


def set_up() -> None:
    """The tables as they are at first."""
    with connect() as connection:
        connection.execute(SCHEMA)


def one(query: str) -> object:
    """A value."""
    with connect() as connection:
        return connection.execute(query).fetchone()[0]


def withdraw() -> None:
    """Lost update: read, compute, write."""
    with connect() as connection:
        (balance,) = connection.execute("SELECT balance FROM account WHERE id = 1").fetchone()
        connection.execute("UPDATE account SET balance = %s WHERE id = 1", [balance - 10])


def go_home(name: str) -> None:
    """Write skew: who sees two on call goes home."""
    with connect() as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        (others,) = connection.execute("SELECT count(*) FROM doctor WHERE on_call").fetchone()
        if others > 1:
            connection.execute("UPDATE doctor SET on_call = false WHERE name = %s", [name])


def ann() -> None:
    """One of the two."""
    go_home("ann")


def bob() -> None:
    """The other one."""
    go_home("bob")


def claim() -> None:
    """Double claim: look for a free task, then take it."""
    with connect() as connection:
        if connection.execute("SELECT id FROM task WHERE holder IS NULL").fetchone():
            connection.execute("UPDATE task SET holder = 'me', claims = claims + 1 WHERE id = 1")


PROGRAMS = {
    "lost update": (("withdraw", "withdraw"), lambda: one("SELECT balance FROM account") == 80),
    "write skew": (("ann", "bob"), lambda: one("SELECT count(*) FROM doctor WHERE on_call") > 0),
    "double claim": (("claim", "claim"), lambda: one("SELECT claims FROM task") == 1),
}
"""By name: the workers, and whether all is well at the end."""
