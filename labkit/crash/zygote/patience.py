"""How long a child may take: by processor time, so that a busy machine makes no verdict."""

import os
import select
import time
from enum import StrEnum
from multiprocessing.connection import Connection
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
AT_WORK = 0.02
"""The part of its time for which a process has a processor, or is in the queue for one; who has less waits."""
MOST = 12
"""Limits that a child may take in real time, however busy the machine is."""


class Over(StrEnum):
    """Why a limit was over."""

    WORKED = "worked"
    """It has used so much processor time: on any machine it would have."""
    WAITED = "waited"
    """It did nothing, or was kept from it by something that the machine's load slows down."""
    KEPT = "kept"
    """It was going on, and others had the processors: that is no verdict."""


class Patience:
    """A limit in seconds: of processor time for who works, of real time for who waits. Without /proc, of real time."""

    def __init__(self, pid: int, seconds: float) -> None:
        self._pid, self._seconds, self._wanted = pid, seconds, 0.0
        self._begun = time.monotonic()
        self._until = self._begun + seconds
        self.over = Over.WAITED

    def poll(self, channel: Connection) -> bool:
        """Whether the child tells something before the limit is reached."""
        while not select.select([channel], [], [], max(0.0, self._until - time.monotonic()))[0]:
            used = _used(self._pid)
            before, self._wanted = self._wanted, used + _queued(self._pid)
            now = time.monotonic()
            if used >= self._seconds:
                self.over = Over.WORKED
            elif self._wanted - before < AT_WORK * self._seconds:
                self.over = Over.WAITED
            elif now - self._begun > MOST * self._seconds:
                self.over = Over.KEPT
            else:
                self._until = now + self._seconds
                continue
            return False
        return True


def _used(pid: int) -> float:
    """Seconds of processor time that a process and those it has waited for have used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICK


def _queued(pid: int) -> float:
    """Seconds for which its main thread could have run, and the machine was busy with others (run_delay)."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
