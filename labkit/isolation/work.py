"""A piece of work that a fork server does: as whoever asked for it has it, and as the process has it that keeps it."""

import os
import select
import shutil
import signal
import socket
import subprocess
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from labkit.isolation import process
from labkit.isolation.namespaces import Plan, leave, settle

Entry = Callable[..., None]


class ForkServerError(RuntimeError):
    """A fork server could not be started, or is gone."""


class StoppedError(RuntimeError):
    """The work was stopped: nothing is known of what it would have come to."""


class Work:
    """Much like a subprocess.Popen, given the channel to its keeper. ForkServerError if it could not be begun."""

    def __init__(self, channel: Connection) -> None:
        self._channel, self._status, self._stopped = channel, None, False
        try:
            self.pid = int(channel.recv_bytes())
            """The process that keeps it. What does it is that one's child."""
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
            except (EOFError, ConnectionResetError):  # whoever kept it was killed, and it with that one
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


def keep(asker: Connection, *channels: Connection) -> None:
    """In a process forked for it: do what the asker says in a child, and tell how it ended.

    The child, and all that it has started, ends when it ends or nobody waits for it any more.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    plan, affinity, folder, entry, arguments = asker.recv()
    os.sched_setaffinity(0, affinity)
    process.adopt_orphans()
    if plan:
        leave(plan)
    pid = os.fork()
    if pid == 0:
        _do(plan, asker, entry, channels, arguments)
    for each in channels:
        each.close()
    with suppress(BrokenPipeError):  # then nobody waits for it any more, which is seen below
        asker.send_bytes(b"%d" % os.getpid())
    ended = os.pidfd_open(pid)
    select.select([asker, ended], [], [])
    os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    process.end_children(but=0)
    try:
        asker.send_bytes(b"%d" % status)
    except BrokenPipeError:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _do(plan: Plan | None, asker: Connection, entry: Entry, channels: tuple[Connection, ...], arguments: Any) -> None:
    status = 1
    try:
        asker.close()
        if plan:
            settle(plan)
        else:
            process.LIBC.prctl(process.PR_SET_PDEATHSIG, signal.SIGKILL)
        entry(*channels, *arguments)
        status = 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:  # noqa: BLE001 - it is not ours to say; the status tells
        traceback.print_exc()
    finally:
        os._exit(status)
