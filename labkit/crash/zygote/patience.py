"""How long a child may take: by processor time, so that a busy machine makes no verdict."""

import os
import time
from multiprocessing.connection import Connection
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
AT_WORK = 0.02
"""The part of its time that a process has a processor for, at least, unless it waits for something."""
MOST = 12
"""Limits that a child may take in real time, however busy the machine is."""


class Patience:
    """A limit in seconds: of processor time for who works, of real time for who waits. Without /proc, of real time."""

    def __init__(self, pid: int, seconds: float) -> None:
        self._pid, self._seconds, self._used = pid, seconds, 0.0
        self._begun = time.monotonic()
        self._until = self._begun + seconds

    def poll(self, channel: Connection) -> bool:
        """Whether the child tells something before the limit is reached."""
        while not channel.poll(max(0.0, self._until - time.monotonic())):
            before, self._used = self._used, _used(self._pid)
            now = time.monotonic()
            waits = self._used - before < AT_WORK * self._seconds
            if waits or self._used >= self._seconds or now - self._begun > MOST * self._seconds:
                return False
            self._until = now + self._seconds
        return True


def _used(pid: int) -> float:
    """Seconds of processor time that a process and those it has waited for have used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICK
