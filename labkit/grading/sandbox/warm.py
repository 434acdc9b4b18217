"""The fork servers of a grading: a judge and a crash lab for each exercise, one that reads, one that runs notebooks."""

import os
import resource
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any
from weakref import WeakSet

from labkit.crash.client import CLIENT, ENVIRONMENT, scratch
from labkit.crash.preload import shipped
from labkit.grading.judge.criteria import find
from labkit.grading.judge.request import Request
from labkit.grading.sandbox import guarantees
from labkit.grading.sandbox.room import Room, load_lab
from labkit.isolation import limits
from labkit.isolation.forkserver import ForkServerClient
from labkit.isolation.namespaces import Plan
from labkit.isolation.removal import remove
from labkit.isolation.work import Entry, ForkServerError, Work
from labkit.repository import UsageError

MEMORY, SECONDS = 2 * 2**30, 300
"""Bytes of address space, and processor time, that a judge may take: Python's parser is at work in it, on any text."""


class Servers:
    """Each starts when it is first needed, and ends with the grading."""

    def __init__(self, criteria: Path | None = None) -> None:
        self._criteria = criteria
        self._turn = threading.Lock()
        self._judges: dict[str, tuple[ForkServerClient, ForkServerClient]] = {}
        self._others: dict[Callable[..., None], ForkServerClient] = {}
        """By what they have loaded."""
        self._begun: WeakSet[Work] | None = WeakSet()

    def judge(self, request: Request, room: Room) -> tuple[int, bytes]:
        """As `python -m labkit.grading.judge.request`, with the student's code enclosed: exit status and answer."""
        ours, theirs = Pipe()
        folder = scratch(room.user)
        try:
            judge, lab = self._judge(request.name)
            with ours:
                with theirs:
                    channels = theirs.fileno(), lab.fileno()
                    work = judge.work(
                        None, _answer, request, room, folder,
                        channels=channels, folder=folder, processors=_one_processor(room.slot),
                    )  # fmt: skip
                    self._going_on(work)
                try:
                    said = ours.recv_bytes()
                except EOFError:
                    said = b""
                return work.wait(), said
        except ForkServerError:  # it has ended: the next one has a new server
            return -signal.SIGKILL, b""
        finally:
            remove(folder)

    def run(self, load: Callable[[], None], entry: Entry, errand: Any, room: Room, box: Path) -> Work:
        """`entry(errand)`, enclosed with `box`, in a fork of a server that has called `load`. Else ForkServerError."""
        server, one = self._other(load), _one_processor(room.slot)
        return self._going_on(server.work(room.plan(box), entry, errand, folder=box, processors=one))

    def ask(
        self, load: Callable[..., None], entry: Entry, arguments: tuple[Any, ...], plan: Plan, seconds: float, most: int
    ) -> tuple[int, bytes | None]:
        """`entry(channel, *arguments)` in a fork of a server that has called `load(criteria)`, killed after `seconds`.

        Its exit status, and the one message that it has sent: None if that has more than `most` bytes.
        """
        ours, theirs = Pipe(duplex=False)
        with ours:
            with theirs:
                server = self._other(load, self._criteria)
                work = self._going_on(server.work(plan, entry, *arguments, channels=(theirs.fileno(),)))
            late = threading.Timer(seconds, work.kill)
            late.start()
            try:
                said = ours.recv_bytes(most)
            except EOFError:
                said = b""
            except OSError:  # it is longer
                said = None
                work.kill()
            try:
                return work.wait(), said
            finally:
                late.cancel()

    def stop(self) -> None:
        """From any thread: end all work, now and from now on. StoppedError for whoever waits for it."""
        with self._turn:
            for work in self._begun or ():
                work.stop()
            self._begun = None

    def close(self) -> None:
        """Close the socket to each fork server, and wait: it exits when its last keeper has."""
        with ExitStack() as ends:
            for server in (*sum(self._judges.values(), ()), *self._others.values()):
                ends.callback(server.close)

    def _going_on(self, work: Work) -> Work:
        with self._turn:
            if self._begun is None:
                work.stop()
            else:
                self._begun.add(work)
        return work

    def _other(self, load: Callable[..., None], *arguments: Any) -> ForkServerClient:
        with self._turn:
            if load not in self._others or not self._others[load].alive:
                self._others[load], _ = ForkServerClient.start(guarantees.environment(), load, *arguments)
            return self._others[load]

    def _judge(self, stem: str) -> tuple[ForkServerClient, ForkServerClient]:
        with self._turn:
            if stem not in self._judges or not all(server.alive for server in self._judges[stem]):
                try:
                    judge, needed = ForkServerClient.start(os.environ, _load_judge, stem, self._criteria)
                except ForkServerError as error:
                    if stem in self._judges:  # it has loaded before: this is no mistake of the instructor's
                        raise
                    raise UsageError(f"the judge of {stem} does not load: {error}") from None
                known = {**guarantees.environment(), **ENVIRONMENT}
                self._judges[stem] = judge, ForkServerClient.start(known, load_lab, needed)[0]
            return self._judges[stem]


def _load_judge(stem: str, criteria: Path | None) -> list[str]:
    """In a judge's fork server: run its criteria file. Returns the modules that its crash lab's server preloads."""
    find(stem, criteria)[0].judges()
    return shipped()


def _answer(out: Connection, lab: Connection, request: Request, room: Room, folder: Path) -> None:
    CLIENT.folder = folder
    CLIENT.enclosure = room.enclosure(ForkServerClient(socket.socket(fileno=os.dup(lab.fileno()))))
    os.environ.update(room.loan.environment)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    limits.watch(lambda: [CLIENT.pid, room.loan.server], [folder, *room.loan.holds], CLIENT.end_for)
    try:
        out.send_bytes(request.answer())
    finally:
        CLIENT.close()


def _one_processor(slot: int) -> frozenset[int]:
    """That of a slot, for all that runs there: others grade beside it."""
    ours = sorted(os.sched_getaffinity(0))
    return frozenset({ours[slot % len(ours)]})
