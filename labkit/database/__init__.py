"""PostgreSQL with nothing to install: a real server that starts when it is first needed, or the one in LABKIT_DSN.

One server per user serves all notebooks. It keeps everything until `labkit db reset`, and runs until `labkit db stop`.
In the crash lab, each sweep has a database of its own, whose content is put back before every run.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import platformdirs
import sqlalchemy as sa
import sqlalchemy.dialects.postgresql.psycopg  # or each of the crash lab's children would load it anew

from labkit import world
from labkit.database.cluster import Cluster
from labkit.database.errors import DatabaseError
from labkit.database.scratch import Scratch
from labkit.database.server import GivenServer, LentServer, Server
from labkit.database.server import url as as_url
from labkit.postgres import connect

__all__ = [
    "LENT", "Cluster", "DatabaseError", "Server",
    "engine", "home", "scratch", "server", "throwaway", "throwaway_cluster", "url",
]  # fmt: skip

SHARED = "lab"
"""The database of a notebook that did not ask for one of its own."""
LENT = "LABKIT_LENT"
"""The environment variable with the address of databases that were made for this process alone."""
_own: list[Scratch] = []


def server() -> Server:
    """The server that everything here uses; it need not run yet. DatabaseError if there can be none."""
    if lent := os.environ.get(LENT):
        return LentServer(lent)
    if dsn := os.environ.get("LABKIT_DSN"):
        return GivenServer(dsn)
    if os.name == "nt":
        raise DatabaseError("the embedded PostgreSQL needs Linux or macOS: use WSL, or set LABKIT_DSN to a server")
    return Cluster(home() / "postgres", home())


def home() -> Path:
    """The folder of the embedded server; for root, one that the user nobody can reach, as whom it then runs."""
    if given := os.environ.get("LABKIT_HOME"):
        return Path(given).absolute()
    return Path("/var/lib/labkit") if os.geteuid() == 0 else platformdirs.user_data_path("labkit")


def url() -> str:
    """The current database: in the crash lab the sweep's own, else the notebook's own, else the one for all.

    A URL with its password, for psycopg and SQLAlchemy alike. Starts the server if need be. DatabaseError if it cannot.
    """
    if given := world.current().database:
        return given
    here = server()
    here.start()
    return _own[-1].url if _own else _shared(here)


def engine() -> sa.Engine:
    """An engine for the current database: one per database and process."""
    return _engine(url())


def scratch() -> None:
    """Give this process an empty database of its own, which from now on is the current one, until the process ends."""
    here = server()
    here.start()
    _own.append(Scratch(here))


@contextmanager
def throwaway() -> Iterator[str]:
    """An empty database for a while; its URL."""
    here = server()
    here.start()
    own = Scratch(here)
    try:
        yield own.url
    finally:
        own.close()


@contextmanager
def throwaway_cluster() -> Iterator[Cluster]:
    """A whole server for a while, running, to be killed at will. DatabaseError if there are no programs to run it."""
    folder = Path(tempfile.mkdtemp(prefix="labkit-"))
    folder.chmod(0o711)  # the server's user may be another
    cluster = Cluster(folder / "postgres", folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.kill()
        shutil.rmtree(folder)


def _shared(here: Server) -> str:
    if isinstance(here, GivenServer):
        return as_url(here.conninfo())
    _make_shared(here.folder)
    return as_url(here.owner(SHARED))


@cache
def _make_shared(folder: Path) -> None:
    Cluster(folder).make_database(SHARED)


@cache
def _engine(address: str) -> sa.Engine:
    return connect(address)
