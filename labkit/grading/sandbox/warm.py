"""The fork servers of a grading: for each exercise a judge and a crash lab, and one that runs notebooks. Linux."""

import importlib
import os
import shutil
import signal
import socket
import sys
import threading
from contextlib import ExitStack
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from weakref import WeakSet

from labkit.crash.client import CLIENT, ENVIRONMENT, scratch
from labkit.crash.preload import shipped
from labkit.grading.judge.criteria import find
from labkit.grading.judge.request import Request
from labkit.grading.sandbox import guarantees
from labkit.grading.sandbox.errand import Errand
from labkit.grading.sandbox.room import Room, load_lab
from labkit.isolation import limits
from labkit.isolation.forkserver import ForkServerClient
from labkit.isolation.work import ForkServerError, Work
from labkit.repository import UsageError

NOTEBOOKS = (
    *("labkit.grading.run_through.runner", "labkit.grading.session"),
    *("ipykernel.kernelapp", "ipykernel.debugger", "IPython.core.debugger", "IPython.core.oinspect"),
    *("IPython.extensions.storemagic", "tornado.platform.asyncio", "psutil"),
)
"""What runs notebooks, what they import first, and what a kernel loads before the first cell."""


class Servers:
    """Each starts when it is first needed, and ends with the grading."""

    def __init__(self, criteria: Path | None = None) -> None:
        self._criteria = criteria
        self._turn = threading.Lock()
        self._judges: dict[str, tuple[ForkServerClient, ForkServerClient]] = {}
        self._notebooks: ForkServerClient | None = None
        self._begun: WeakSet[Work] | None = WeakSet()

    def judge(self, request: Request, room: Room) -> tuple[int, bytes]:
        """What `python -m labkit.grading` would do, with the student's code enclosed: exit status and answer."""
        ours, theirs = Pipe()
        folder = scratch(room.user)
        try:
            judge, lab = self._judge(request.name)
            with ours:
                with theirs:
                    channels = theirs.fileno(), lab.fileno()
                    work = self._going_on(
                        judge.work(None, _answer, request, room, folder, channels=channels, folder=folder)
                    )
                try:
                    said = ours.recv_bytes()
                except EOFError:
                    said = b""
                return work.wait(), said
        except ForkServerError:  # it has ended: the next one has a new server
            return -signal.SIGKILL, b""
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def run(self, errand: Errand, room: Room) -> Work:
        """Run notebooks, enclosed. ForkServerError if they could not be begun."""
        with self._turn:
            if self._notebooks is None or not self._notebooks.alive:
                self._notebooks, _ = ForkServerClient.start(guarantees.environment(), _load_notebooks)
        box = Path(errand.box)
        return self._going_on(self._notebooks.work(room.plan(box), _run, errand, folder=box))

    def stop(self) -> None:
        """From any thread: end all work, now and from now on. StoppedError for whoever waits for it."""
        with self._turn:
            for work in self._begun or ():
                work.stop()
            self._begun = None

    def close(self) -> None:
        """End them."""
        with ExitStack() as ends:
            for server in (*sum(self._judges.values(), ()), *([self._notebooks] if self._notebooks else [])):
                ends.callback(server.close)

    def _going_on(self, work: Work) -> Work:
        with self._turn:
            if self._begun is None:
                work.stop()
            else:
                self._begun.add(work)
        return work

    def _judge(self, stem: str) -> tuple[ForkServerClient, ForkServerClient]:
        with self._turn:
            if stem not in self._judges or not all(server.alive for server in self._judges[stem]):
                try:
                    judge, needed = ForkServerClient.start(os.environ, _load_judge, stem, self._criteria)
                except ForkServerError as error:
                    raise UsageError(f"the judge of {stem} does not load: {error}") from None
                known = {**guarantees.environment(), **ENVIRONMENT}
                self._judges[stem] = judge, ForkServerClient.start(known, load_lab, needed)[0]
            return self._judges[stem]


def _load_judge(stem: str, criteria: Path | None) -> list[str]:
    """Returns what the children of its crash lab will need."""
    find(stem, criteria)[0].judges()
    return shipped()


def _load_notebooks() -> None:
    """Load what else would be loaded for every notebook: only this server has it."""
    sys.modules["rfc3987_syntax"] = None  # a second of jsonschema's import, for formats that no notebook has
    from nbformat.validator import get_validator  # noqa: PLC0415

    del sys.modules["rfc3987_syntax"]
    get_validator(4, 5)
    for module in NOTEBOOKS:
        importlib.import_module(module)


def _run(errand: Errand) -> None:
    from labkit.grading.run_through.runner import run  # noqa: PLC0415 - see above

    run(errand)


def _answer(out: Connection, lab: Connection, request: Request, room: Room, folder: Path) -> None:
    CLIENT.folder = folder
    CLIENT.enclosure = room.enclosure(ForkServerClient(socket.socket(fileno=os.dup(lab.fileno()))))
    os.environ.update(room.loan.environment)
    _use_one_processor(room.slot)
    limits.watch(lambda: CLIENT.pid, CLIENT.folder, CLIENT.end_for)
    try:
        out.send_bytes(request.answer())
    finally:
        CLIENT.close()


def _use_one_processor(slot: int) -> None:
    """Others grade beside us."""
    ours = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {ours[slot % len(ours)]})
