"""A PostgreSQL server, ours or one that was given: databases on it, and the words to say when it does not answer."""

import re
from abc import ABC, abstractmethod
from typing import ClassVar
from urllib.parse import quote, urlencode

import psycopg
from psycopg import conninfo, errors, sql

from labkit.database.errors import DatabaseError
from labkit.database.programs import OLDEST

CONNECT_TIMEOUT = 10
"""Seconds."""
LOCK = 0x6C61626B6974
"""The advisory lock under which databases are made: "labkit" in ASCII."""
PER_LOAN = 4
"""Scratch databases for one borrower: its notebook's own, and one for each world that its crash lab keeps."""
NAME = re.compile(r"[a-z_][a-z0-9_]{0,39}")


class Server(ABC):
    """Something that databases can be made on."""

    advice: ClassVar[str]
    """What to do when it does not let us in."""

    @abstractmethod
    def start(self) -> None:
        """Make sure that it answers. DatabaseError if it does not."""

    @property
    @abstractmethod
    def running(self) -> bool:
        """Whether it takes connections."""

    @abstractmethod
    def status(self) -> str:
        """What there is to say of it, in one line."""

    @abstractmethod
    def conninfo(self, database: str = ..., role: str = ...) -> dict[str, str]:
        """How to connect: libpq's keywords."""

    def owner(self, database: str) -> dict[str, str]:
        """How the owner of a database connects to it. On a server of ours each database has an owner of its own."""
        return self.conninfo(database, database)

    def connect(self, **how: str) -> psycopg.Connection:
        """A connection in autocommit. DatabaseError if the server does not answer or does not let us in."""
        try:
            connection = psycopg.connect(**{"connect_timeout": CONNECT_TIMEOUT, **how}, autocommit=True)
        except psycopg.OperationalError as error:
            raise DatabaseError(f"{reason(error)}: {self.advice}") from None
        if connection.info.server_version < OLDEST * 10_000:
            connection.close()
            raise DatabaseError(f"the server is older than PostgreSQL {OLDEST}: set LABKIT_DSN to a newer one")
        return connection

    def version(self) -> str:
        """Such as "PostgreSQL 18.6"."""
        with self.connect(**self.conninfo()) as connection:
            return f"PostgreSQL {connection.info.parameter_status('server_version')}"

    def make_database(self, name: str, owner_of: str = "") -> None:
        """Make a database unless it is there, for its owner alone, or for the owner of another one.

        ValueError unless `name` is a plain word.
        """
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a database: small letters, digits and _ are")
        with self.connect(**self.conninfo()) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])  # one at a time; it ends with the connection
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                self._create(connection, name, self.owner(owner_of or name))
            self._furnish(name)

    def _create(self, connection: psycopg.Connection, name: str, owner: dict[str, str]) -> None:
        created = sql.Identifier(name)
        create = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0")
        try:
            self._make_role(connection, owner)
            connection.execute(create.format(created, sql.Identifier(owner["user"])))
            connection.execute(sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC").format(created))
        except errors.InsufficientPrivilege as error:
            raise DatabaseError(f"{reason(error)}: the role in LABKIT_DSN needs the right CREATEDB") from None
        except errors.DiskFull as error:
            raise DatabaseError(f"{reason(error)}: make room on the disk") from None

    def _furnish(self, name: str) -> None:  # noqa: B027 - most servers are not ours
        """Change in a database what only its server's superuser may, unless that is done."""

    def lend(self, name: str) -> str:
        """Databases for a process that may reach no others; the address for its LABKIT_LENT."""
        self.make_database(name)
        for number in range(PER_LOAN):
            self.make_database(f"{name}_labkit_scratch_{number}", owner_of=name)
        return url(self.owner(name))

    def take_back(self, name: str) -> None:
        """Drop what was lent, and the role that owned it."""
        role, owned = self.owner(name)["user"], "SELECT datname FROM pg_database WHERE datdba = to_regrole(%s)"
        with self.connect(**self.conninfo()) as connection:
            for (database,) in connection.execute(owned, [role]).fetchall():
                self.drop_database(database)
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))

    def borrowers(self, prefix: str) -> list[str]:
        """Who still has something that was lent under a name that begins like this."""
        with self.connect(**self.conninfo()) as connection:
            found = connection.execute("SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)", [prefix])
            return [name for (name,) in found]

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is connected to it; no error if there is none."""
        database = sql.Identifier(name)
        with self.connect(**self.conninfo()) as connection:
            template = "SELECT 1 FROM pg_database WHERE datname = %s AND datistemplate"
            if connection.execute(template, [name]).fetchone():  # its owner may have made it one
                connection.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(database))
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(database))

    def _make_role(self, connection: psycopg.Connection, owner: dict[str, str]) -> None:
        """Make the owner of a database: a role that may do nothing else."""
        role, password = sql.Identifier(owner["user"]), sql.Literal(owner["password"])
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [owner["user"]]).fetchone():
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, password))


class GivenServer(Server):
    """The server that LABKIT_DSN names. Its role owns all databases, for we may not be allowed to make others."""

    advice = "see whether the server of LABKIT_DSN runs, and whether role, password and database are right"

    def __init__(self, dsn: str) -> None:
        try:
            self._how = {key: str(value) for key, value in conninfo.conninfo_to_dict(dsn).items()}
        except psycopg.ProgrammingError:
            example = "postgresql://user:password@host:5432/name"
            raise DatabaseError(f"LABKIT_DSN is no address of a database: write it like {example}") from None

    def start(self) -> None:
        """See Server.start."""
        self.connect(**self._how).close()

    @property
    def running(self) -> bool:
        """See Server.running."""
        try:
            self.start()
        except DatabaseError:
            return False
        return True

    def status(self) -> str:
        """See Server.status."""
        return (
            f"{self.version()} answers at LABKIT_DSN. It is not ours, so these are left out: killing a whole server, "
            "a role for each database, `labkit db stop` and `reset`"
        )

    def conninfo(self, database: str = "", role: str = "") -> dict[str, str]:  # noqa: ARG002 - there is one role
        """See Server.conninfo."""
        return {**self._how, "dbname": database} if database else self._how

    def _make_role(self, connection: psycopg.Connection, owner: dict[str, str]) -> None:
        """Makes none: the role in LABKIT_DSN owns every database."""


class LentServer(GivenServer):
    """Databases that somebody has made for us: the one that the address names, and each `<its name>_<what we ask for>`.

    Its role owns them and nothing else; so it makes none.
    """

    advice = "the databases that were lent to this process are gone"

    def conninfo(self, database: str = "", role: str = "") -> dict[str, str]:
        """See Server.conninfo."""
        return super().conninfo(f"{self._how['dbname']}_{database}" if database else "", role)

    def make_database(self, name: str, owner_of: str = "") -> None:
        """Makes none: the lender has. If it has not, the first connection is refused."""


def url(how: dict[str, str]) -> str:
    """A connection's keywords as a URL that psycopg and SQLAlchemy understand."""
    rest = {key: value for key, value in how.items() if key not in {"user", "password", "dbname"}}
    user = quote(how.get("user", ""), safe="")
    password = f":{quote(how['password'], safe='')}" if "password" in how else ""
    return f"postgresql://{user}{password}@/{quote(how.get('dbname', ''), safe='')}?{urlencode(rest, quote_via=quote)}"


def reason(error: psycopg.Error) -> str:
    """What the server or its driver says, in one line and without an address."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text.removeprefix("connection failed: ")
