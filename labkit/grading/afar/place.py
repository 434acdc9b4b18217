"""The database that asker and workers share: found by all that libpq knows, or refused in one line.

Whoever finds it takes what libpq would read in the environment out of it: what is started later knows no password.
"""

import os
import sys
from dataclasses import dataclass, field
from typing import NoReturn

import psycopg
from psycopg.conninfo import conninfo_to_dict

from labkit.database.programs import OLDEST
from labkit.database.server import reason, url
from labkit.repository import UsageError

AGAIN = "LABKIT_GRADE_WORKER_AGAIN"
"""In the environment of a worker that has begun anew: it waits for a server that does not answer."""
EXAMPLE = "postgresql://user@host/database"
SECRET = {"LABKIT_DSN", "PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGSERVICEFILE"}
FOUND_BY = {"service", "servicefile", "passfile"}
"""Keywords that say where others stand, which we have then found."""
ALIVE = {
    "connect_timeout": "10", "tcp_user_timeout": "15000",
    "keepalives_idle": "5", "keepalives_interval": "2", "keepalives_count": "3",
}  # fmt: skip
"""A peer that is gone without a word is missed within 20 seconds."""
SERVER_SIDE = "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3"
ADVICE = {
    "password": "give the right one in PGPASSWORD, or in ~/.pgpass",
    "does not exist": f"name what there is, as in --on {EXAMPLE}",
    "pg_hba": "ask whoever keeps the server to let you in from this machine",
    "permission denied": "ask whoever keeps the server for the right to connect",
}
"""What to do by what the server says; then it is of no use to try again."""


class NoPlaceError(UsageError):
    """The database does not answer, or does not let us in."""

    def __init__(self, text: str, *, later: bool) -> None:
        super().__init__(text)
        self.later = later
        """Whether it may answer later."""


@dataclass(frozen=True)
class Place:
    """Where it is."""

    how: dict[str, str] = field(repr=False)
    """libpq's keywords, with the password."""

    @property
    def url(self) -> str:
        """For SQLAlchemy and DBOS, with the password."""
        return url(self.how)

    def connect(self) -> psycopg.Connection:
        """A connection in autocommit, whose server misses us when we are gone. NoPlaceError if there is none."""
        try:
            connection = psycopg.connect(**self.how, autocommit=True)
        except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
            refuse(error, self.how.get("password", ""))
        if connection.info.server_version < OLDEST * 10_000:
            connection.close()
            raise NoPlaceError(f"the server is older than PostgreSQL {OLDEST}: name a newer one", later=False)
        connection.execute(SERVER_SIDE)
        return connection


def find(dsn: str) -> Place:
    """The database that a DSN means, reached once. NoPlaceError if that fails; what it says has no password."""
    try:
        given = {key: str(value) for key, value in conninfo_to_dict(dsn).items()}
    except psycopg.ProgrammingError:  # its text has the DSN
        raise NoPlaceError(f"the DSN cannot be read: write it as in --on {EXAMPLE}", later=False) from None
    known = {**ALIVE, **given}
    with Place(known).connect() as connection:
        info = connection.info
        found = {**known, **info.get_parameters(), "user": info.user, "dbname": info.dbname, "password": info.password}
    return Place({key: value for key, value in found.items() if value and key not in FOUND_BY})


def forget_secrets() -> dict[str, str]:
    """Take passwords, and ways to them, out of the environment: what we start from now on does not get them."""
    return {name: os.environ.pop(name) for name in sorted(SECRET) if name in os.environ}


def hide_password(dsn: str) -> None:
    """If all users can read the password among our arguments, begin anew with it in the environment."""
    try:
        password = conninfo_to_dict(dsn).get("password")
    except psycopg.ProgrammingError:
        return
    bare = _without_password(dsn, str(password)) if password else dsn
    if bare != dsn and any(dsn in word for word in sys.orig_argv[1:]):
        os.environ["PGPASSWORD"] = str(password)
        begin_anew([word.replace(dsn, bare) for word in sys.orig_argv[1:]])


def begin_anew(arguments: list[str] | None = None) -> NoReturn:
    """Replace this process by a fresh one, with the same arguments if no others are given."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *(sys.orig_argv[1:] if arguments is None else arguments)])  # noqa: S606 - there is no shell to start it by


def _without_password(dsn: str, password: str) -> str:
    """The same database without it; the DSN as it is if that cannot be written."""
    how = conninfo_to_dict(dsn)
    del how["password"]
    bare = psycopg.conninfo.make_conninfo(**how) or "user="
    return dsn if password in bare else bare


def refuse(error: psycopg.Error, password: str = "") -> NoReturn:
    """Raise NoPlaceError instead: what is wrong, and what to do."""
    said = reason(error)
    said = said.replace(password, "…") if password else said
    for sign, advice in ADVICE.items():
        if sign in said:
            raise NoPlaceError(f"{said}: {advice}", later=False) from None
    later = isinstance(error, psycopg.OperationalError) and "could not translate" not in said
    raise NoPlaceError(f"{said}: see whether the server runs, and can be reached from here", later=later) from None
