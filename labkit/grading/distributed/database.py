"""The PostgreSQL that coordinator and workers share: found by all that libpq knows, or refused in one line.

Whoever finds it takes what libpq would read in the environment out of it: what is started later knows no password.
"""

import os
from dataclasses import dataclass, field
from typing import NoReturn

import psycopg
from psycopg.conninfo import conninfo_to_dict

from labkit.database.programs import OLDEST
from labkit.database.server import reason, url
from labkit.repository import UsageError

EXAMPLE = "postgresql://user@host/database"
SECRET = {"LABKIT_DSN", "PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGSERVICEFILE"}
FOUND_BY = {"service", "servicefile", "passfile"}
"""Keywords that say where others stand, which we have then found."""
ALIVE = {
    "connect_timeout": "10", "tcp_user_timeout": "15000",
    "keepalives_idle": "5", "keepalives_interval": "2", "keepalives_count": "3",
}  # fmt: skip
"""A server that is gone without a word is missed within 20 seconds."""
SERVER_SIDE = """SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
    SET tcp_user_timeout = 15000"""
"""And so are we by the server; the last one counts while something that it has sent is not acknowledged."""
ADVICE = {
    "password": "give the right one in PGPASSWORD, or in ~/.pgpass",
    "does not exist": f"name what there is, as in --on {EXAMPLE}",
    "pg_hba": "ask whoever keeps the server to let you in from this machine",
    "permission denied": "ask whoever keeps the server for the right to connect",
}
"""What to do by what the server says; then it is of no use to try again."""


class NoDatabaseError(UsageError):
    """The database does not answer, or does not let us in."""

    def __init__(self, text: str, *, later: bool) -> None:
        super().__init__(text)
        self.later = later
        """Whether it may answer later."""


@dataclass(frozen=True)
class Database:
    """Where it is."""

    how: dict[str, str] = field(repr=False)
    """libpq's keywords, with the password."""

    @property
    def url(self) -> str:
        """For SQLAlchemy and DBOS, with the password."""
        return url(self.how)

    def connect(self) -> psycopg.Connection:
        """A connection in autocommit, whose server misses us when we are gone. NoDatabaseError if there is none."""
        try:
            connection = psycopg.connect(**self.how, autocommit=True)
            connection.execute(SERVER_SIDE)
        except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
            refuse(error)
        if connection.info.server_version < OLDEST * 10_000:
            connection.close()
            raise NoDatabaseError(f"the server is older than PostgreSQL {OLDEST}: name a newer one", later=False)
        return connection


def find(dsn: str) -> Database:
    """The database that a DSN means, reached once. NoDatabaseError if that fails; what it says has no password."""
    try:
        given = {key: str(value) for key, value in conninfo_to_dict(dsn).items()}
    except psycopg.ProgrammingError:  # its text has the DSN
        raise NoDatabaseError(f"the DSN cannot be read: write it as in --on {EXAMPLE}", later=False) from None
    if any("password" in key for key in given) or "@" in given.get("host", "") + given.get("dbname", ""):
        raise NoDatabaseError(
            f"others can read a password in a DSN, in `ps`: write --on {EXAMPLE}, and give it in PGPASSWORD or in "
            "~/.pgpass", later=False,
        )  # fmt: skip
    known = {**ALIVE, **given}
    with Database(known).connect() as connection:
        info = connection.info
        reached = {key: value for key, value in info.get_parameters().items() if key != "hostaddr"}  # it may change
        found = {**reached, **known, "user": info.user, "dbname": info.dbname, "password": info.password}
    return Database({key: value for key, value in found.items() if value and key not in FOUND_BY})


def forget_secrets() -> None:
    """Take passwords, and ways to them, out of the environment: what we start from now on does not get them."""
    for name in SECRET:
        os.environ.pop(name, None)


def refuse(error: psycopg.Error) -> NoReturn:
    """Raise NoDatabaseError instead: what is wrong, and what to do."""
    said = reason(error)
    for sign, advice in ADVICE.items():
        if sign in said:
            raise NoDatabaseError(f"{said}: {advice}", later=False) from None
    later = isinstance(error, psycopg.OperationalError) and "could not translate" not in said
    raise NoDatabaseError(f"{said}: see whether the server runs, and can be reached from here", later=later) from None
