"""A piece of work that a fork server does, as whoever asked for it has it: much like a subprocess.Popen."""

import os
import signal
import socket
import subprocess
from contextlib import suppress
from multiprocessing.connection import Connection


class ForkServerError(RuntimeError):
    """A fork server could not be started, or is gone."""


class StoppedError(RuntimeError):
    """The work was stopped: nothing is known of what it would have come to."""


class Work:
    """Given the channel to the process that keeps it. ForkServerError if it could not be begun."""

    def __init__(self, channel: Connection) -> None:
        self._channel, self._status, self._stopped = channel, None, False
        try:
            self.pid = int(channel.recv_bytes())
            """The process that keeps it. What does it is that one's child."""
        except EOFError:
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
            except EOFError:  # whoever kept it was killed, and it with that one
                self._status = -signal.SIGKILL
        if self._stopped:
            raise StoppedError
        return self._status

    def kill(self) -> None:
        """End it, from any thread. Then `wait`."""
        with suppress(OSError), socket.socket(fileno=os.dup(self._channel.fileno())) as ours:
            ours.shutdown(socket.SHUT_WR)

    def stop(self) -> None:
        """End it, and whoever waits for it as well."""
        self._stopped = True
        self.kill()
