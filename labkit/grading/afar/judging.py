"""Judges one job after another in the sandbox, as on one machine: fork servers and lent databases stay for the next."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from pathlib import Path

from filelock import FileLock, Timeout

from labkit import database
from labkit.grading.afar.parcels import Asked, Failed, Found
from labkit.grading.gradebook.grader import Here
from labkit.grading.gradebook.steps import do_steps
from labkit.grading.judge.criteria import exercises
from labkit.grading.sandbox import guarantees
from labkit.grading.sandbox.lending import Lender
from labkit.grading.sandbox.warm import Servers
from labkit.isolation.work import StoppedError
from labkit.memory import MemoryStateStore
from labkit.repository import UsageError
from labkit.task import Task

TASK = "job"


class Judging:
    """What a worker has at hand. One job at a time."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._lender = Lender()
        self._stack.callback(self._lender.close)
        self.number, self._lock = free_number(database.home())
        """Tells this worker from the others on this machine: its user, its processor."""
        self._criteria: str | None = None
        self._folder: Path | None = None
        self._servers: Servers | None = None
        self._own = ExitStack()
        """What goes when other criteria come."""

    def judge(self, asked: Asked, criteria: str | None, unpack: Callable[[Path], object]) -> Found:
        """The steps of a job. StoppedError if it was stopped.

        `criteria` tells one set of them from another, `unpack` puts it into a folder; None: the course's own.
        """
        try:
            self._use(criteria, unpack)
            known = exercises(self._folder)
            student = asked.student(TASK, known)
            store = MemoryStateStore()
            store.insert(Task(id=TASK, user_input="", journal=asked.journal))
            here = Here(self._folder, self._servers, self._lender)
            failed: dict[str, Exception] = {}
            for _ in range(2):  # as on one machine: what the lab could not do is tried once more
                with here.steps(self.number, student, asked.keys, lambda: store.get(Task, TASK).journal) as steps:
                    failed = do_steps(TASK, store, steps)
                if not failed:
                    break
        except UsageError as error:
            return Found(refused=str(error))
        except StoppedError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it costs this job alone
            return Found.nothing(error)
        done = {name: text for name, text in store.get(Task, TASK).journal.items() if name not in asked.journal}
        told = {name: Failed.of(error) for name, error in failed.items()}
        return Found(journal=done, failed=told, enforced=list(guarantees.guarantees()))

    def stop(self) -> None:
        """From any thread: end what is under way."""
        if self._servers:
            self._servers.stop()

    def close(self) -> None:
        """End the fork servers, and what was lent."""
        self._own.close()
        self._stack.close()
        self._lock.release()

    def _use(self, criteria: str | None, unpack: Callable[[Path], object]) -> None:
        if self._servers is not None and self._criteria == criteria:
            return
        self._own.close()
        self._servers, self._folder = None, None
        if criteria is not None:
            folder = tempfile.TemporaryDirectory(prefix="labkit-criteria-")
            self._own.callback(folder.cleanup)
            self._folder = Path(folder.name)
            unpack(self._folder)
        self._criteria, self._servers = criteria, Servers(self._folder)
        self._own.callback(self._servers.close)


def free_number(home: Path) -> tuple[int, FileLock]:
    """The lowest number that no other worker on this machine has, with the file lock by which it is had."""
    home.mkdir(parents=True, exist_ok=True)
    for number in count():
        held = FileLock(home / f"grade-worker-{number}.lock", blocking=False, thread_local=False)
        try:
            held.acquire()
        except Timeout:
            continue
        return number, held
    raise AssertionError
