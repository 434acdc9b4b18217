"""An attempt at a job, as a worker makes it: begun once, whoever's turn it is, and its result written once.

What DBOS gives back to the queue comes here again. Then the attempt was begun by somebody who is dead, or taken for it:
the next attempt goes into the queue, behind everybody's first; after the last one the job ends without a verdict.
"""

import json
from collections.abc import Callable
from pathlib import Path

import psycopg
from dbos import DBOS

from labkit.grading.afar import tables
from labkit.grading.afar.engine import order
from labkit.grading.afar.folder import unpack
from labkit.grading.afar.judging import Judging
from labkit.grading.afar.parcels import Asked, Found
from labkit.grading.afar.place import Place
from labkit.isolation.work import StoppedError

ATTEMPTS = 2
"""How often a job is begun at most."""


class Attempts:
    """Those of one worker."""

    def __init__(self, place: Place, worker: str, version: str, judging: Judging, lost: Callable[[], None]) -> None:
        self._place, self._worker, self._version, self._judging, self._lost = place, worker, version, judging, lost
        self._connection = place.connect()

    def make(self, grading: str, job: str, attempt: int) -> None:
        """The workflow. What it does is a step: whoever runs it again finds in our tables what was done."""
        if DBOS.run_step({"name": "judge"}, self._step, grading, job, attempt):
            following = order(grading, job, attempt + 1, self._version)
            DBOS.enqueue_workflow_with_options(following, grading, job, attempt + 1)

    def _step(self, grading: str, job: str, attempt: int) -> bool:
        """Whether another attempt is to be made."""
        try:
            return self._make(grading, job, attempt)
        except psycopg.errors.ForeignKeyViolation:  # whoever asked has dropped the grading meanwhile
            return False
        except (psycopg.Error, StoppedError):  # the lock is lost as well; nothing of this attempt may be recorded
            self._lost()
            raise

    def _make(self, grading: str, job: str, attempt: int) -> bool:
        connection = self._connection
        request = tables.begin(connection, grading, job, attempt, self._worker)
        if request is None:
            return tables.open_job(connection, grading, job) and self._go_on(grading, job, attempt)
        self._at_work(f"{grading}/{job}")
        try:
            found = self._found(grading, request)
        except (psycopg.Error, StoppedError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it costs this job alone
            found = Found.nothing(error)
        self._end(grading, job, found.model_copy(update={"attempts": attempt}))
        self._at_work(None)
        return False

    def _found(self, grading: str, request: str) -> Found:
        asked = Asked.model_validate_json(tables.content(self._connection, grading, request))
        criteria = tables.criteria(self._connection, grading)
        return self._judging.judge(asked, criteria, lambda folder: self._fetch(grading, criteria, folder))

    def _go_on(self, grading: str, job: str, attempt: int) -> bool:
        """An attempt that somebody began is not begun again. Whether there is another one."""
        if attempt >= ATTEMPTS:
            self._end(grading, job, Found(attempts=attempt, died=True))
        return attempt < ATTEMPTS

    def _end(self, grading: str, job: str, found: Found) -> None:
        if not tables.open_job(self._connection, grading, job):
            return
        try:
            result = tables.keep(self._connection, grading, found.model_dump_json().encode())
        except tables.TooLargeError as error:
            nothing = Found.nothing(error).model_copy(update={"attempts": found.attempts})
            result = tables.keep(self._connection, grading, nothing.model_dump_json().encode())
        tables.end(self._connection, grading, job, result)

    def _at_work(self, job: str | None) -> None:
        update = "UPDATE labkit_grading.worker SET job = %s, job_since = now() WHERE id = %s"
        self._connection.execute(update, [job, self._worker])

    def _fetch(self, grading: str, criteria: str, folder: Path) -> Path:
        names = json.loads(tables.content(self._connection, grading, criteria))
        return unpack({name: tables.content(self._connection, grading, each) for name, each in names.items()}, folder)
