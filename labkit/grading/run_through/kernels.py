"""Kernels that are forked rather than started: all that they load is there already. Linux."""

import os
import signal
import sys
from collections.abc import Mapping
from functools import partial
from multiprocessing.connection import Connection, Pipe
from typing import Any

from jupyter_client.connect import ConnectionFileMixin
from jupyter_client.provisioning import local_provisioner

from labkit.isolation.forkserver import ForkServerClient
from labkit.isolation.work import Work


class Kernel:
    """A kernel as Jupyter has it, in place of a subprocess.Popen."""

    stdin = stdout = stderr = None

    def __init__(self, work: Work, pid: int) -> None:
        self.poll, self.wait, self.kill = work.poll, work.wait, work.kill
        self.pid = pid

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)


def fork_kernels() -> None:
    """From now on, this process's kernels are forks of what it is now. It must not have any yet.

    They speak ZMQ over Unix sockets in place of TCP: these need no network, and no port can be taken by others.
    """
    ConnectionFileMixin.transport.default_value = "ipc"
    local_provisioner.launch_kernel = partial(_launch, ForkServerClient.beside())


def _launch(server: ForkServerClient, command: list[str], env: Mapping[str, str], cwd: str, **_: Any) -> Kernel:
    ours, theirs = Pipe()
    with ours, theirs:
        work = server.work(None, _be_kernel, command, dict(env), cwd, channels=(theirs.fileno(),))
        theirs.close()
        return Kernel(work, ours.recv())


def _be_kernel(channel: Connection, command: list[str], known: Mapping[str, str], folder: str) -> None:
    from ipykernel.kernelapp import launch_new_instance  # noqa: PLC0415 - the server has it already

    os.setsid()
    channel.send(os.getpid())
    channel.close()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(known)
    sys.argv = ["ipykernel_launcher", *command[command.index("-f") :]]
    launch_new_instance()
