"""Processes that have loaded what a kind of work needs, and fork for every piece of it. Linux.

Starting Python and loading pytest or a judge takes longer than most pieces of work. Each piece is kept by a process of
its own: it ends the work and all that this has started as soon as whoever asked for it lets go, or is gone.

multiprocessing has such a server too, but one for all work, which strangers' code could reach by a path.
"""

import gc
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from labkit.isolation import process
from labkit.isolation.namespaces import Plan
from labkit.isolation.work import Entry, ForkServerError, Work, keep

MOST_CHANNELS = 8
LONGEST, LONGEST_TROUBLE = 2**17, 1000
"""Bytes of what a server is told and tells when it starts, and characters of what went wrong."""


class ForkServer:
    """Who asks for work. Any process that is handed the socket may ask as well."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._process: subprocess.Popen[bytes] | None = None
        self.prepared: Any = None
        """What `prepare` has returned."""

    @classmethod
    def start(cls, environment: Mapping[str, str], prepare: Callable[..., Any], *arguments: Any) -> "ForkServer":
        """A server with this environment that calls `prepare(*arguments)` once. ForkServerError if that fails."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            server = cls(ours)
            server._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "labkit.isolation.forkserver", str(theirs.fileno())],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True, pass_fds=[theirs.fileno()], env=environment,
            )  # fmt: skip
        ours.send(pickle.dumps((prepare, arguments)))
        if not (said := ours.recv(LONGEST)):
            raise ForkServerError("it ended while it was prepared")
        trouble, server.prepared = pickle.loads(said)  # noqa: S301 - from our own child, which runs nobody's code
        if trouble:
            raise ForkServerError(trouble)
        return server

    @classmethod
    def beside(cls) -> "ForkServer":
        """A server that is a fork of this process as it is now."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        process.start(_serve, [Connection(theirs.detach())], ())
        return cls(ours)

    def work(
        self,
        plan: Plan | None,
        entry: Entry,
        *arguments: Any,
        channels: tuple[int, ...] = (),
        folder: Path | None = None,
    ) -> Work:
        """Have `entry(*channels, *arguments)` run in a fork of the server, enclosed if there is a plan.

        `channels` are descriptors; the fork gets a Connection for each. If nobody lives any more who could remove
        `folder` when the work has ended, it is removed.
        """
        ours, theirs = Pipe()
        with theirs:
            try:
                socket.send_fds(self._requests, [b"\0"], [theirs.fileno(), *channels])
                theirs.close()
                ours.send((plan, os.sched_getaffinity(0), folder, entry, arguments))
            except OSError as error:
                raise ForkServerError(f"it is gone: {error}") from None
        return Work(ours)

    @property
    def alive(self) -> bool:
        """Whether the server that this process started has not ended."""
        return self._process is not None and self._process.poll() is None

    def fileno(self) -> int:
        """Of the socket, for another process that is to ask, too."""
        return self._requests.fileno()

    def close(self) -> None:
        """Let go of it: when nobody can ask any more and its work has ended, it ends, for which its parent waits."""
        self._requests.close()
        if self._process:
            self._process.wait()


def main() -> None:
    """Be a server. Argument: the descriptor of its socket."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    prepare, arguments = pickle.loads(requests.recv(LONGEST))  # noqa: S301 - from our own parent
    try:
        answer = "", prepare(*arguments)
    except Exception as error:  # noqa: BLE001 - the parent says it to whoever is there to read it
        answer = f"{type(error).__name__}: {error}"[:LONGEST_TROUBLE], None
    requests.send(pickle.dumps(answer))
    if not answer[0]:
        _serve(Connection(requests.detach()))


def _serve(channel: Connection) -> None:
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks us how they ended
    with socket.socket(fileno=os.dup(channel.fileno())) as requests:
        while fds := socket.recv_fds(requests, 1, MOST_CHANNELS)[1]:
            channels = [Connection(fd) for fd in fds]
            process.start(keep, channels, ())
            for each in channels:
                each.close()
    with suppress(ChildProcessError):
        os.wait()  # each has seen that nobody waits for it any more, and is tidying up


if __name__ == "__main__":
    main()
