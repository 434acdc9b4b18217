"""A piece of work that a fork server does, on the side of whoever asked for it: ordered, waited for, ended."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from labkit.isolation.namespaces import Plan

Entry = Callable[..., None]


@dataclass(frozen=True)
class Order:
    """What the asker tells the keeper, pickled, before anything begins."""

    plan: Plan | None
    """The enclosure; None: there is none."""
    processors: frozenset[int]
    """Those that it may use."""
    folder: Path | None
    """Removed by the keeper if the asker does not live any more when the work has ended."""
    entry: Entry
    arguments: tuple[Any, ...]


class ForkServerError(RuntimeError):
    """A fork server could not be started, or is gone."""


class StoppedError(RuntimeError):
    """The work was stopped: nothing is known of what it would have come to."""


class Work:
    """Used like a subprocess.Popen, over the channel to its keeper. ForkServerError if it could not be begun."""

    def __init__(self, channel: Connection) -> None:
        self._channel, self._status, self._stopped = channel, None, False
        try:
            self.pid = int(channel.recv_bytes())
            """Of the keeper. The work itself runs in the keeper's child."""
        except (EOFError, ConnectionResetError):
            raise ForkServerError("the work could not be begun") from None

    def poll(self) -> int | None:
        """Its exit status as in subprocess, or None while it goes on."""
        return self._status if self._status is not None or not self._channel.poll() else self.wait()

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, once nothing of it is left. subprocess.TimeoutExpired after `timeout` seconds.

        StoppedError if it was stopped.
        """
        if self._status is None:
            if not self._channel.poll(timeout):
                raise subprocess.TimeoutExpired("work", timeout or 0)
            try:
                self._status = int(self._channel.recv_bytes())
            except (EOFError, ConnectionResetError):  # the keeper was killed, and the work with it
                self._status = -signal.SIGKILL
        if self._stopped:
            raise StoppedError
        return self._status

    def kill(self) -> None:
        """Shut down our end of the socket: the keeper reads EOF and kills the work. From any thread; then `wait`."""
        with suppress(OSError), socket.socket(fileno=os.dup(self._channel.fileno())) as ours:
            ours.shutdown(socket.SHUT_WR)

    def stop(self) -> None:
        """Kill it, and make every `wait` for it raise StoppedError."""
        self._stopped = True
        self.kill()
