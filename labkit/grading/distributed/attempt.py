"""An attempt at a job, as a worker makes it: begun once, whoever's turn it is, and ended once.

    begun → judged → ended         its worker dies → back in the queue → left to the next attempt, behind all others
                                   there is no next one → ended without a verdict
    what this worker could not judge → left again, as long as others live: so there may be attempts that nobody begins

What DBOS gives back to the queue comes here again. Then the attempt was begun by somebody who is dead, or taken for it.
"""

import json
import os
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from dbos import DBOS

from labkit.grading.distributed import tables
from labkit.grading.distributed.criteria_files import unpack
from labkit.grading.distributed.database import NoDatabaseError
from labkit.grading.distributed.engine import options
from labkit.grading.distributed.judging import Judging
from labkit.grading.distributed.lease import Lease, LeaseLostError, workers
from labkit.grading.distributed.messages import Outcome, Request

ATTEMPTS = 2
"""How often a job is begun at most."""
UNJUDGED = "two workers have begun it, and neither came to an end"
REFUSED = 10.0
"""Seconds for which a worker leaves the queue to others after it could not judge: they may be able to."""


class Attempts:
    """Those of one worker."""

    def __init__(self, lease: Lease, version: str, judging: Judging, say: Callable[[str], object]) -> None:
        self._lease, self._version, self._judging, self._say = lease, version, judging, say
        self._one = threading.Lock()
        self._left: dict[tuple[str, str], int] = {}
        """The jobs that this worker could not judge, and which attempt at each it was the last to leave."""
        self.since: float | None = None
        """When the one was begun that is under way, by the monotonic clock."""

    def make(self, grading: str, job: str, attempt: int) -> None:
        """The workflow. What it does is a step: whoever runs it again finds in our tables what was done."""
        if DBOS.run_step({"name": "judge"}, self._step, grading, job, attempt):
            following = options(grading, job, attempt + 1, self._version)
            DBOS.enqueue_workflow_with_options(following, grading, job, attempt + 1)
            if self._left.get((grading, job)) == attempt:
                self._lease.wait(REFUSED)  # others are first to find it

    def _step(self, grading: str, job: str, attempt: int) -> bool:
        """Whether another attempt is to be made."""
        with self._one:  # who was taken for dead while it judged, and came back, may be given its own job
            try:
                return self._make(grading, job, attempt)
            except psycopg.errors.ForeignKeyViolation:  # the grading was dropped meanwhile
                return False
            except (LeaseLostError, NoDatabaseError) as error:
                self._say(f"This worker ends: {error}")
                os._exit(1)  # nothing of this attempt may be recorded
            finally:
                self.since = None

    def _make(self, grading: str, job: str, attempt: int) -> bool:
        left = self._left.get((grading, job)) == attempt - 1
        others = left and self._lease.run(lambda on: workers(on, self._version)) > 1
        if others and self._leave(grading, job, attempt - 1):  # this one is not begun
            self._left[grading, job] = attempt
            return True
        token, worker = secrets.token_hex(8), self._lease.name
        request = self._lease.run(lambda on: tables.begin(on, grading, job, attempt, worker, token))
        if request is None:
            if attempt < ATTEMPTS:
                return self._leave(grading, job, attempt)
            self._end(grading, job, attempt, Outcome(unjudged=UNJUDGED))
            return False
        self.since = time.monotonic()
        outcome = self._outcome(grading, request)
        if outcome.lacks and attempt < ATTEMPTS:
            self._say(f"This machine could not judge all of a submission: {outcome.lacks}")
            self._left[grading, job] = attempt
            return self._leave(grading, job, attempt)
        self._end(grading, job, attempt, outcome)
        return False

    def _leave(self, grading: str, job: str, attempt: int) -> bool:
        return self._lease.run(lambda on: tables.leave(on, grading, job, attempt))

    def _outcome(self, grading: str, request: str) -> Outcome:
        try:
            asked = Request.model_validate_json(self._content(grading, request))
            self._judging.use(asked.criteria, lambda folder: self._fetch(grading, asked.criteria, folder))
            return self._judging.judge(asked)
        except (psycopg.Error, LeaseLostError, NoDatabaseError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it costs this job alone
            return Outcome.nothing(error)

    def _end(self, grading: str, job: str, attempt: int, outcome: Outcome) -> None:
        data = outcome.model_dump_json().encode()
        if len(data) > tables.MOST:
            data = Outcome.nothing(tables.TooLargeError()).model_dump_json().encode()
        result = self._lease.run(lambda on: tables.keep(on, grading, data))
        self._lease.run(lambda on: tables.end(on, grading, job, attempt, result))

    def _content(self, grading: str, name: str) -> bytes:
        return self._lease.run(lambda on: tables.content(on, grading, name))

    def _fetch(self, grading: str, criteria: str, folder: Path) -> Path:
        names = json.loads(self._content(grading, criteria))
        return unpack({name: self._content(grading, each) for name, each in names.items()}, folder)
