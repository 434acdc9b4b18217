"""Fork servers: processes that have loaded what a kind of work needs, and fork for every piece of it. Linux.

Starting Python and loading pytest or a judge takes longer than most pieces of work. Each piece is kept by a process of
its own (`keeper`), which ends the work and all that this has started as soon as whoever asked for it closes its end.

Here are both sides: `ForkServerClient`, by which one is started and asked, and `main` and `_serve`, which are the
server. multiprocessing has such a server too, but one for all work, which strangers' code could reach by a path.
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
from typing import Any, TypeVar

from labkit.isolation import process
from labkit.isolation.keeper import keep
from labkit.isolation.namespaces import Plan
from labkit.isolation.work import Entry, ForkServerError, Order, Work

T = TypeVar("T")
MOST_CHANNELS = 8
LONGEST, LONGEST_TROUBLE = 2**17, 1000
"""Bytes of what a server is told and tells when it starts, and characters of what went wrong."""


class ForkServerClient:
    """Who asks for work. Any process that is handed the socket may ask as well."""

    def __init__(self, requests: socket.socket, server: subprocess.Popen[bytes] | None = None) -> None:
        self._requests, self._server = requests, server

    @classmethod
    def start(
        cls, environment: Mapping[str, str], prepare: Callable[..., T], *arguments: Any
    ) -> tuple["ForkServerClient", T]:
        """A server with this environment, and what its one call of `prepare(*arguments)` has returned.

        ForkServerError if that fails.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            server = subprocess.Popen(
                [sys.executable, "-P", "-m", "labkit.isolation.forkserver", str(theirs.fileno())],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True, pass_fds=[theirs.fileno()], env=environment,
            )  # fmt: skip
        ours.send(pickle.dumps((prepare, arguments)))
        if not (said := ours.recv(LONGEST)):
            raise ForkServerError("it ended while it was prepared")
        trouble, prepared = pickle.loads(said)  # noqa: S301 - from our own child, which runs nobody's code
        if trouble:
            raise ForkServerError(trouble)
        return cls(ours, server), prepared

    @classmethod
    def beside(cls) -> "ForkServerClient":
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
        processors: frozenset[int] | None = None,
    ) -> Work:
        """Have `entry(*channels, *arguments)` run in a fork of the server, enclosed if there is a plan.

        `channels` are descriptors; the fork gets a Connection for each. If nobody lives any more who could remove
        `folder` when the work has ended, it is removed. `processors`: those of this process if none are given.
        """
        processors = processors or frozenset(os.sched_getaffinity(0))
        ours, theirs = Pipe()
        with theirs:
            try:
                socket.send_fds(self._requests, [b"\0"], [theirs.fileno(), *channels])
                theirs.close()
                ours.send(Order(plan, processors, folder, entry, arguments))
            except OSError as error:
                raise ForkServerError(f"it is gone: {error}") from None
        return Work(ours)

    @property
    def alive(self) -> bool:
        """Whether the server that this process started has not ended."""
        return self._server is not None and self._server.poll() is None

    def fileno(self) -> int:
        """Of the socket, for another process that is to ask, too."""
        return self._requests.fileno()

    def close(self) -> None:
        """Close the socket. When nobody can ask any more and its work has ended, the server ends; its parent waits."""
        self._requests.close()
        if self._server:
            self._server.wait()


def main() -> None:
    """Be a server. Argument: the descriptor of its socket."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    prepare, arguments = pickle.loads(requests.recv(LONGEST))  # noqa: S301 - from our own parent
    trouble, prepared = "", None
    try:
        prepared = prepare(*arguments)
    except Exception as error:  # noqa: BLE001 - the parent says it to whoever is there to read it
        trouble = f"{type(error).__name__}: {error}"[:LONGEST_TROUBLE]
    requests.send(pickle.dumps((trouble, prepared)))
    if not trouble:
        _serve(Connection(requests.detach()))


def _serve(channel: Connection) -> None:
    """Fork a keeper for each request, until every copy of the other end is closed; then wait for the keepers."""
    gc.collect()
    gc.freeze()  # or the first collection in each fork would copy every page of what was loaded
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the keepers: nobody asks us how they ended
    with socket.socket(fileno=os.dup(channel.fileno())) as requests:
        while fds := socket.recv_fds(requests, 1, MOST_CHANNELS)[1]:
            channels = [Connection(fd) for fd in fds]
            process.start(keep, channels, ())
            for each in channels:
                each.close()
    with suppress(ChildProcessError):
        os.wait()  # with SIGCHLD ignored it returns, by this error, when the last keeper has tidied up


if __name__ == "__main__":
    main()
