"""The kernel's side: start the zygote when it is first needed, ask it, and leave nothing behind."""

import atexit
import os
import pickle
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from labkit.crash.asked import Request
from labkit.crash.channel import hear, made
from labkit.crash.jobs import CrashLabError, LabEndedError, Limits
from labkit.crash.preload import shipped
from labkit.isolation.confine import Confinement

T = TypeVar("T")
START = "from labkit.crash.zygote.__main__ import main; main()"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""For libraries of C that calculate in threads of their own, which begin with the import: a fork has none of them."""
ENVIRONMENT = {"PYTHONHASHSEED": "0", "TZ": "UTC", **ONE_THREAD}
"""Of the zygote and its children, beside what they have of ours."""


@dataclass(frozen=True)
class Enclosure:
    """Where the zygote lives when its children run a stranger's code."""

    start: Callable[[int, int, Path], Any]
    """Starts it there, given its socket, its log and its folder. What is returned is used like a subprocess.Popen."""
    children: Confinement


class Client:
    """A zygote that is started on the first request and lives as long as this process."""

    seconds = 10.0
    """What one child may take before it counts as hung: see `zygote.patience`."""
    enclosure: Enclosure | None = None
    """Where it lives, if what it runs is not to be trusted; to be set before the first request."""

    def __init__(self) -> None:
        self._process: Any = None
        self._owner = os.getpid()
        self._folder: Path | None = None
        self._turn = threading.Lock()
        self._reason = ""

    @property
    def folder(self) -> Path:
        """All that the crash lab writes for this process; a new one if somebody has tidied it away.

        It goes when the process ends, however that happens; a fork of this process leaves it alone.
        """
        if self._folder is None or not self._folder.exists() or self._owner != os.getpid():
            self._folder, self._owner = scratch(), os.getpid()
            atexit.register(_remove, self._folder, self._owner)
        return self._folder

    @folder.setter
    def folder(self, folder: Path) -> None:
        """Somebody else's, who removes it."""
        self._folder, self._owner = folder, os.getpid()

    @property
    def pid(self) -> int | None:
        """The zygote's process id, if it runs."""
        return self._process.pid if self._process else None

    def ask(self, request: Request, kind: type[T], limits: Limits) -> T:
        """What the zygote answers. CrashLabError if it cannot; whatever interrupts the wait ends the zygote."""
        if database := sys.modules.get("labkit.database"):
            database.server().start()  # from a child it cannot be: what children start is ended with them
        with self._turn:
            self.start()
            try:
                self._channel.send_bytes(pickle.dumps((shipped(), limits, request)))
                told = hear(self._channel)
            except (EOFError, BrokenPipeError):
                self.close()
                if self._reason:
                    raise CrashLabError(self._reason) from None
                self._log.seek(0)
                said = self._log.read().decode(errors="replace").strip().splitlines()[-1:]
                raise LabEndedError(f"the crash lab's own process ended: {' '.join(said) or 'killed'}") from None
            except BaseException:
                self.close()
                raise
        if "problem" in told:
            raise CrashLabError(told["problem"], told["lines"])
        return made(kind, told["answer"])

    def start(self) -> None:
        """Start the zygote unless it runs."""
        running = self._process is not None and self._owner == os.getpid() and self._process.poll() is None
        if running and self._folder is not None and self._folder.exists():
            return
        self.close()
        self._reason = ""
        ours, theirs = socket.socketpair()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it has no name, by which strangers could lead us elsewhere
        with theirs:
            start = self.enclosure.start if self.enclosure else _start
            self._process = start(theirs.fileno(), self._log.fileno(), self.folder)
        self._channel = Connection(ours.detach())
        self._channel.send_bytes(pickle.dumps(self.enclosure and self.enclosure.children))

    def end_for(self, reason: str) -> None:
        """Kill the zygote, if it runs, from another thread: whoever is in `ask` gets this reason as a CrashLabError."""
        self._reason = reason
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """Kill the zygote and wait for it. Its world and its child go with it (PR_SET_PDEATHSIG)."""
        if self._process is None:
            return
        if self._owner == os.getpid():  # in a fork, it is the parent's
            self._process.kill()
            self._process.wait()
        self._process = None
        self._channel.close()


def scratch(user: int | None = None) -> Path:
    """A new folder in /dev/shm, where fsync costs nothing, else a temporary one; `user`'s own if we are root."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="labkit-", dir="/dev/shm"))
    except OSError:  # there is none, or it is not for us
        folder = Path(tempfile.mkdtemp(prefix="labkit-"))
    if user is not None and os.geteuid() == 0:
        os.chown(folder, user, user)
    return folder


def _remove(folder: Path, owner: int) -> None:
    if owner == os.getpid():
        shutil.rmtree(folder, ignore_errors=True)


def _start(channel: int, log: int, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", START, str(channel), str(folder)],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[channel],
        start_new_session=True, cwd=folder, env={**os.environ, **ENVIRONMENT},
    )  # fmt: skip


CLIENT = Client()
atexit.register(CLIENT.close)
