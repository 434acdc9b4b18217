"""Where a submission's code runs when a class is graded, and the crash lab that lives there."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from labkit.crash.child import stand_ins
from labkit.crash.client import Enclosure
from labkit.crash.preload import preload
from labkit.crash.zygote.__main__ import serve
from labkit.grading.sandbox import guarantees
from labkit.isolation.confine import Confinement
from labkit.isolation.forkserver import ForkServerClient
from labkit.isolation.namespaces import SYSTEM, Plan
from labkit.isolation.work import Work


@dataclass(frozen=True)
class Loan:
    """What a submission is lent while it is graded."""

    environment: dict[str, str] = field(default_factory=dict)
    """What it is told of that, beside `guarantees.environment()`."""
    reach: tuple[str, ...] = ()
    """Files and folders where it finds that."""
    server: int | None = None
    """The process whose memory counts as the submission's."""
    holds: tuple[Path, ...] = ()
    """Folders of that process that count as the submission's."""


@dataclass(frozen=True)
class Room:
    """Where a submission's code runs: enclosed, as a user of its own if we are root."""

    slot: int
    """Tells those apart that run at one time."""
    loan: Loan = field(default_factory=Loan)
    apart: bool = field(default_factory=guarantees.apart)
    """Whether in namespaces of its own."""

    @property
    def user(self) -> int:
        """Who it runs as."""
        return guarantees.FIRST_USER + self.slot if os.geteuid() == 0 else os.geteuid()

    def plan(self, folder: Path, readable: Callable[[], tuple[str, ...]] = guarantees.readable) -> Plan:
        """Namespaces, user and bind mounts: Python, labkit and the loan to read, `folder` to write."""
        return Plan(self.user, (*readable(), *self.loan.reach), (str(folder),), apart=self.apart)

    def confinement(self, *write: str) -> Confinement:
        """The Landlock rules and rlimits that a process there takes on. TCP only in a network namespace of its own."""
        return Confinement((*guarantees.readable(), *SYSTEM, *self.loan.reach), write, network=self.apart)

    def to_read(self, *paths: str) -> tuple[Plan, Confinement]:
        """For a process that reads these paths, whoever owns them, and nothing else, and writes nothing."""
        read = (*guarantees.readable(), *paths)
        plan = Plan(self.user, read, apart=self.apart, reads_all=True)
        return plan, Confinement((*read, *SYSTEM), file=0, network=False)

    def enclosure(self, server: ForkServerClient) -> Enclosure:
        """For a judge's `Client`: `server` forks the zygote inside the plan, and its children are confined."""
        return Enclosure(partial(self._start, server), self.confinement())

    def _start(self, server: ForkServerClient, channel: int, log: int, folder: Path) -> Work:
        plan = self.plan(folder, guarantees.readable_to_answers)  # Landlock could not hide parts: imports list folders
        plan = replace(plan, write=(), fresh=plan.write)
        return server.work(plan, _lab, folder, self.loan.environment, channels=(channel, log), folder=folder)


def load_lab(modules: Iterable[str]) -> None:
    """Of a server that forks crash labs: load what their children will need, and with this function this module."""
    stand_ins.install()
    preload(modules)


def _lab(channel: Connection, log: Connection, folder: Path, known: Mapping[str, str]) -> None:
    for fd in (1, 2):
        os.dup2(log.fileno(), fd)
    log.close()
    os.environ.update(known)
    os.chdir(folder)
    serve(channel, folder)
