"""A PostgreSQL server of our own: made, started, stopped, and killed when a lesson is about that.

    <folder>/data        the cluster; the server's user owns it       <folder>/prepared   it was made to its end
    <folder>/password    the superuser's, for our user alone          <folder>/log        what the server says
    <folder>/.lock       held by whoever starts or stops it

The server listens on a Unix socket only, asks everybody for a password, and outlives the process that started it.
"""

import hashlib
import hmac
import os
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path

import psutil
from filelock import FileLock

from labkit.database import programs
from labkit.database.errors import DatabaseError
from labkit.database.postmaster import Postmaster
from labkit.database.server import Server
from labkit.database.snapshots import ALONE, FURNISHED

PATIENCE = 10.0
"""Seconds for which a start is tried again: after a kill, the old server's processes need a moment to go."""
LONGEST_SOCKET = 80
"""Bytes of a socket's folder. The system allows about 100, its name included."""
SETTINGS = {
    "listen_addresses": "",
    "password_encryption": "scram-sha-256",
    "scram_iterations": "1",  # they protect short passwords, and slow down each connection; ours has 256 bits
    "dynamic_shared_memory_type": "mmap",  # what a killed server leaves lies in its folder, and goes with it
    "client_connection_check_interval": "100ms",  # a client that was killed in mid-query does not keep its locks
}


class Cluster(Server):
    """A server in a folder."""

    advice = "`labkit db start` starts it, and `labkit db reset` begins anew"

    def __init__(self, folder: Path, home: Path | None = None) -> None:
        """The cluster in `folder`, made at its first start. `home` is where copied programs go, if need be."""
        self.folder, self._home = folder.absolute(), (home or folder).absolute()
        self._data, self._log = self.folder / "data", self.folder / "log"
        self._postmaster = Postmaster(self._data)

    def start(self) -> None:
        """Start the server unless it runs, and wait until it answers. DatabaseError if that cannot be."""
        if self.running and not self._postmaster.bereft:
            return
        self._home.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock():
            if self._postmaster.bereft:
                self._postmaster.stop()
            if not self.running:
                if not (self.folder / "prepared").exists():
                    self._prepare()
                self._configure()
                self._start()
            if not (self.folder / "closed").exists():
                self._close_to_public()

    def stop(self) -> None:
        """Stop the server, if it runs, and wait until it has."""
        if not self.folder.exists():
            return
        with self._lock():
            self._postmaster.stop()
            with suppress(OSError):  # it is not there, or holds what a killed server has left
                self._sockets().rmdir()

    def remove(self) -> None:
        """Stop the server and drop all that it keeps."""
        if self.folder.exists():
            self.stop()
            with self._lock():
                for name in ("closed", "prepared", "password"):
                    (self.folder / name).unlink(missing_ok=True)
                shutil.rmtree(self._data, ignore_errors=True)

    def status(self) -> str:
        """See Server.status."""
        if not self.running:
            return "PostgreSQL is not running: `labkit db start`, or whatever needs it, starts it"
        return f"{self.version()} is running, process {self.pid}, in {self.folder}"

    def kill(self) -> None:
        """Kill every process of the server by SIGKILL, as a failing machine would."""
        self._postmaster.kill()

    @property
    def running(self) -> bool:
        """Whether the server is up and takes connections."""
        return self._postmaster.ready

    @property
    def pid(self) -> int | None:
        """The server's process id, if it runs."""
        process = self._postmaster.process()
        return process.pid if process else None

    def conninfo(self, database: str = "postgres", role: str = "postgres") -> dict[str, str]:
        """See Server.conninfo."""
        password = self._superuser_password()
        if role != "postgres":
            password = hmac.new(password.encode(), role.encode(), hashlib.sha256).hexdigest()
        return {"host": str(self._sockets()), "user": role, "password": password, "dbname": database}

    def _superuser_password(self) -> str:
        try:
            return (self.folder / "password").read_text()
        except FileNotFoundError:
            raise DatabaseError("there is no database yet: run `labkit db start`") from None

    def _program(self, name: str) -> Path:
        return programs.within_reach(programs.find(), self._home) / name

    def _lock(self) -> FileLock:
        return FileLock(self.folder / ".lock", timeout=60)

    def _prepare(self) -> None:
        """Make the cluster. What an earlier attempt left half made holds nothing yet."""
        if not programs.can_reach(self.folder):
            raise DatabaseError(f"the user nobody cannot reach {self.folder}: set LABKIT_HOME to a folder that it can")
        shutil.rmtree(self._data, ignore_errors=True)
        self._data.mkdir(mode=0o700)
        programs.give_to_server(self._data)
        password, given = self.folder / "password", self._data.with_name("initdb-password")
        for path in (password, given):
            path.unlink(missing_ok=True)
            path.touch(mode=0o600)
        password.write_text(secrets.token_hex(32))
        given.write_text(password.read_text())
        programs.give_to_server(given)
        try:
            programs.run(
                self._program("initdb"), "--pgdata", self._data, "--username=postgres", f"--pwfile={given}",
                "--auth=scram-sha-256", "--set=scram_iterations=1", "--encoding=UTF8", "--no-locale",
            )  # fmt: skip
        finally:
            given.unlink()
        (self.folder / "prepared").touch()

    def _configure(self) -> None:
        sockets = self._sockets()
        if sockets.exists() and sockets.stat().st_uid not in {os.getuid(), self._data.stat().st_uid}:
            raise DatabaseError(f"{sockets} belongs to somebody else: remove it, or set LABKIT_HOME to a shorter path")
        sockets.mkdir(mode=0o700, exist_ok=True)
        programs.give_to_server(sockets)
        quoted = '"' + str(sockets).replace('"', '""') + '"'
        lines = {**SETTINGS, "unix_socket_directories": quoted}
        text = "".join("{} = '{}'\n".format(name, value.replace("'", "''")) for name, value in lines.items())
        path = self._data / "postgresql.auto.conf"
        path.write_text(text)
        programs.give_to_server(path)

    def _sockets(self) -> Path:
        """The folder of the server's socket: its own, or a short one elsewhere if the path to that is too long."""
        own = self.folder / "socket"
        if len(os.fsencode(own)) <= LONGEST_SOCKET and "," not in str(own):
            return own
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]
        return Path("/tmp") / f"labkit-{os.getuid()}-{digest}"  # noqa: S108 - _configure checks whose it is

    def _start(self) -> None:
        self._postmaster.forget_stranger()
        deadline = time.monotonic() + PATIENCE
        while not self.running:
            self._log.write_bytes(b"")
            pid = programs.launch(self._program("postgres"), "-D", self._data, log=self._log)
            while not self.running and psutil.pid_exists(pid):
                time.sleep(0.005)
            if not self.running and time.monotonic() > deadline:
                reason = programs.last_words(self._log.read_text(errors="replace"))
                raise DatabaseError(f"PostgreSQL does not start: {reason}; its log is {self._log}")

    def _furnish(self, name: str) -> None:
        with self.connect(**self.conninfo(name)) as connection:
            if connection.execute(FURNISHED).fetchone()[0] is None:
                connection.execute(ALONE)

    def _close_to_public(self) -> None:
        with self.connect(**self.conninfo()) as connection:
            connection.execute("REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC")
        (self.folder / "closed").touch()
