"""Judges one job after another in the sandbox, as on one machine: fork servers and lent databases stay for the next."""

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from labkit import database
from labkit.grading.distributed.messages import Failed, Outcome, Request
from labkit.grading.gradebook.grader import Here
from labkit.grading.gradebook.steps import do_steps
from labkit.grading.judge.criteria import exercises
from labkit.grading.sandbox import guarantees
from labkit.grading.sandbox.lending import Lender, first_free
from labkit.grading.sandbox.warm import Servers
from labkit.memory import MemoryStateStore
from labkit.repository import UsageError
from labkit.task import Task

TASK = "job"


class Judging:
    """What a worker has at hand. One job at a time."""

    def __init__(self) -> None:
        home = database.home()
        self._number, self._lock = first_free(home, "grade-worker")
        """Tells this worker from the others on this machine: its user, its processor."""
        self._kept = home / f"grade-worker-{self._number}"
        """Where an instructor's criteria lie; whoever had the number before may have been killed."""
        self._lender = Lender()
        self._criteria: str | None = None
        self._folder: Path | None = None
        self._servers: Servers | None = None
        self._own = ExitStack()
        """What goes when other criteria come."""
        self._remove()

    def use(self, criteria: str | None, unpack: Callable[[Path], object]) -> None:
        """Judge by these from now on, which `unpack` puts into a folder; None: by the course's own."""
        if self._servers is not None and self._criteria == criteria:
            return
        self._own.close()
        self._servers, self._folder = None, None if criteria is None else self._kept
        self._remove()
        if self._folder:
            self._folder.mkdir(mode=0o700)
            unpack(self._folder)
        self._criteria, self._servers = criteria, Servers(self._folder)
        self._own.callback(self._servers.close)

    def judge(self, request: Request) -> Outcome:
        """The steps of a job."""
        store = MemoryStateStore()
        store.insert(Task(id=TASK, user_input="", journal=request.journal))
        failed: dict[str, Exception] = {}
        given_up: Exception | None = None
        for _ in range(2):  # as on one machine: what the lab could not do is tried once more
            try:
                failed, given_up = self._judge(request, store), None
            except UsageError as error:
                return Outcome(refused=str(error))
            except Exception as error:  # noqa: BLE001 - whatever it is, it costs this job alone
                given_up = error
            if not failed and not given_up:
                break
        if given_up:
            return Outcome.nothing(given_up)
        done = {name: text for name, text in store.get(Task, TASK).journal.items() if name not in request.journal}
        told = {name: Failed.of(error) for name, error in failed.items()}
        return Outcome(journal=done, failed=told, enforced=list(guarantees.guarantees()))

    def close(self) -> None:
        """End the fork servers, and what was lent."""
        self._own.close()
        self._lender.close()
        self._remove()
        self._lock.release()

    def _judge(self, request: Request, store: MemoryStateStore) -> dict[str, Exception]:
        student = request.student(TASK, exercises(self._folder))
        here = Here(self._folder, self._servers, self._lender)
        with here.steps(self._number, student, request.keys, lambda: store.get(Task, TASK).journal) as steps:
            return do_steps(TASK, store, steps)

    def _remove(self) -> None:
        shutil.rmtree(self._kept, ignore_errors=True)
