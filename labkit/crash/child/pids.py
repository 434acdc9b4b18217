"""Process ids of a child: its own, and those of the lives before it. No call reaches any other process of the machine.

Nobody has the id of an earlier life now, or a stranger has it: the parent tries both once a child has asked.
"""

import errno
import os
import signal
from collections.abc import Collection
from typing import Any

from labkit.crash.child.patch import stand_in
from labkit.crash.child.trace import Trace
from labkit.crash.news import Asked

PIDS = {"setup": 4240, "run": 4242, "trial": 4242, "worker": 4260, "recover": 4343, "invariant": 4444}
"""The process ids that the code under test sees: another one after a restart."""
PARENT = 4200
POSIX = __import__(os.name)
KILL = os.kill
PIDFD_OPEN, PIDFD_SEND = getattr(os, "pidfd_open", None), getattr(signal, "pidfd_send_signal", None)


def before(role: str, life: int) -> Collection[int]:
    """The process ids of the lives before this one."""
    lives = {"setup": 0, "run": 1, "trial": 1, "worker": 1, "recover": 2}.get(role, 2)
    return {*[PIDS["setup"], PIDS["run"]][:lives], *(PIDS["recover"] + each for each in range(life))}


class Processes:
    """Who has which process id, as the code under test sees it."""

    def __init__(self, trace: Trace, own: int, earlier: Collection[int], began: float, *, stranger: bool) -> None:
        self.trace, self.own, self.earlier, self.began, self.stranger = trace, own, earlier, began, stranger
        self.real = trace.pid = os.getpid()
        self.descriptors: set[int] = set()
        self.files: dict[tuple[int, str], int] = {}
        """Descriptors of what procfs tells."""
        self.told = False
        """Whether somebody has asked for its own id."""

    def is_there(self, pid: int) -> bool:
        """Whether another process has this id. ProcessLookupError if none has, as the system raises it."""
        if pid in self.earlier:
            self.trace.note(Asked(pid=pid))
        if pid == PARENT or (pid in self.earlier and self.stranger):
            return True
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))

    def getpid(self) -> int:
        """Its own."""
        self.told = True
        return self.own

    def getppid(self) -> int:
        """Always the same: who has started it is the lab's affair."""
        return PARENT

    def fork(self) -> None:
        """Not here."""
        self.trace.refuse("start another process", "the crash lab explores one")

    def kill(self, pid: int, number: int, /) -> None:
        """A signal reaches this process alone."""
        if pid in {self.own, 0, -self.own}:
            KILL(self.real, number)
        elif self.is_there(abs(pid)) and number:
            raise _not_permitted()

    def killpg(self, group: int, number: int, /) -> None:
        """This process is alone in its group."""
        self.kill(group, number)

    def getpgid(self, pid: int, /) -> int:
        """Each process leads a group and a session."""
        return self.own if pid in {self.own, 0} or not self.is_there(pid) else pid

    def setpgid(self, pid: int, group: int, /) -> None:
        """Nobody leaves its group."""
        if {pid, group} - {self.own, 0}:
            raise _not_permitted()

    def pidfd_open(self, pid: int, flags: int = 0) -> int:
        """Of this process alone."""
        if pid != self.own and self.is_there(pid):
            raise _not_permitted()
        fd = PIDFD_OPEN(self.real, flags)
        self.descriptors.add(fd)
        return fd

    def pidfd_send_signal(self, pidfd: int, number: int, *rest: Any) -> None:
        """To this process alone."""
        if pidfd not in self.descriptors:
            raise _not_permitted()
        PIDFD_SEND(pidfd, number, *rest)


def _not_permitted() -> PermissionError:
    return PermissionError(errno.EPERM, os.strerror(errno.EPERM))


ACTIVE: list[Processes] = []
"""Those of this process, once it is a child."""


def install() -> None:
    """Stand-ins for what knows processes by their ids."""
    for name in ("kill", "killpg", "getpid", "getppid", "getpgid", "setpgid", "fork", "pidfd_open"):
        stand_in(name, getattr(Processes, name), ACTIVE, os, POSIX)
    stand_in("getpgrp", Processes.getpid, ACTIVE, os, POSIX)
    stand_in("getsid", Processes.getpgid, ACTIVE, os, POSIX)
    stand_in("pidfd_send_signal", Processes.pidfd_send_signal, ACTIVE, signal)
