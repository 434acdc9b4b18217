"""The coordinator's side of the database: submits jobs and fetches their outcomes."""

import hashlib
import json
from collections.abc import Callable, Collection
from pathlib import Path

import psycopg
import sqlalchemy as sa

from labkit.grading.distributed import criteria_files, engine, lease, tables, version
from labkit.grading.distributed.checkpoint import Checkpoint
from labkit.grading.distributed.database import Database
from labkit.grading.distributed.lease import COORDINATORS, MISSED, PAUSE, Lease
from labkit.grading.distributed.messages import Outcome, Request
from labkit.grading.gradebook.grader import Keys
from labkit.grading.gradebook.steps import Journal
from labkit.grading.gradebook.student import Student
from labkit.repository import UsageError

PATIENCE = 600.0
"""Seconds for which a server that was there is waited for."""
BATCH, BATCH_BYTES = 50, 8 * 2**20
"""How much is put in at once, in jobs and in bytes."""

DROPPED = "somebody has dropped this grading: the same command grades what is left of it"


class Jobs:
    """Those of one grading."""

    def __init__(self, database: Database, say: Callable[[str], object]) -> None:
        self._lease, self._say = Lease(database, COORDINATORS, say, PATIENCE), say
        self._run = self._lease.run
        self._run(lambda on: engine.prepare(database, on))
        self._client = self._run(lambda _: engine.client(database))
        self._transactions = sa.create_engine(database.url, poolclass=sa.NullPool)
        self._version = version.here()
        self._grading, self._criteria = "", None
        self._batch: list[tuple[str, bytes]] = []

    def open(self, checkpoint: Checkpoint, criteria: Path | None, *, fresh: bool) -> None:
        """Begin the grading that the book remembers, or go on with it. `fresh`: begin another one.

        It is another one, too, if that was of another version, or if somebody waits for it with a copy of this book.
        What nobody will wait for any more is dropped.
        """
        files = criteria_files.packed(criteria) if criteria else None
        ours = self._wait_for(checkpoint.grading)
        if ours and (fresh or not self._open(checkpoint.grading)):
            self._run(lambda on: engine.drop(self._client, on, checkpoint.grading))
            ours = False
        if not ours:
            checkpoint.renew(fresh=fresh)
            self._wait_for(checkpoint.grading)
            self._open(checkpoint.grading)
        self._grading = checkpoint.grading
        if files is not None:
            names = {name: self._keep(data) for name, data in files.items()}
            self._criteria = self._keep(criteria_files.listed(names))
        self._run(lambda _: engine.set_pace(self._client, engine.BUSY))

    def submit(self, student: Student, keys: Keys, journal: Journal) -> str:
        """Put a student's job in, unless it is there: what it is called. It goes by `flush`.

        TooLargeError.
        """
        request = Request.of(student, self._criteria, keys, journal).model_dump_json().encode()
        if len(request) > tables.MOST:
            raise tables.TooLargeError
        steps = json.dumps([student.id, sorted((each.judged, each.run) for each in keys.values())])
        job = hashlib.sha256(steps.encode()).hexdigest()[:24]
        self._batch.append((job, request))
        return job

    @property
    def full(self) -> bool:
        """Whether it is time to `flush`."""
        return len(self._batch) >= BATCH or sum(len(each) for _, each in self._batch) > BATCH_BYTES

    def flush(self) -> None:
        """Put in what is not yet: jobs and their first attempts together, or none of them. UsageError if dropped."""
        try:
            self._run(lambda _: self._flush())
        except psycopg.errors.ForeignKeyViolation:
            raise UsageError(DROPPED) from None
        self._batch.clear()

    def results(self) -> list[tuple[str, str, int]]:
        """Some jobs that have ended and are not taken, each with its result and by which attempt."""
        return self._run(lambda on: tables.results(on, self._grading))

    def outcome(self, result: str) -> Outcome:
        """What a result says. If it is damaged, that nothing was found."""
        try:
            return Outcome.model_validate_json(self._run(lambda on: tables.content(on, self._grading, result)))
        except (LookupError, ValueError) as error:
            return Outcome.nothing(error)

    def take(self, jobs: Collection[str]) -> None:
        """Do not find the results of these any more."""
        self._run(lambda on: tables.take(on, self._grading, list(jobs)))

    def cancelled(self) -> set[str]:
        """The jobs whose workflows somebody has cancelled, or that ended as none of ours does."""
        return self._run(lambda _: engine.cancelled(self._client, self._grading))

    def dropped(self) -> bool:
        """Whether somebody has dropped the grading."""
        return self._grading not in {grading for grading, *_ in self._run(tables.gradings)}

    def workers(self) -> int:
        """How many of this version live."""
        return self._run(lambda on: lease.workers(on, self._version.digest))

    def drop(self) -> None:
        """Leave nothing of the grading in the database. If it was the last one, workers need not hurry."""
        self._run(lambda on: engine.drop(self._client, on, self._grading))
        if self._run(lambda on: len(lease.living(on, COORDINATORS))) < 2:
            self._run(lambda _: engine.set_pace(self._client, engine.IDLE))

    def close(self) -> None:
        """Close what is open. What was submitted stays."""
        self._lease.close()
        self._client.destroy()

    def _wait_for(self, grading: str) -> bool:
        """Be who waits for it. False if somebody else is, and not only our own connection of a while ago."""
        for number in range(int(MISSED / PAUSE)):
            if self._lease.take(grading, "labkit grade"):
                return True
            if number == 0:
                self._say(f"Somebody waits for this grading, or did a moment ago: looking for {MISSED:.0f} seconds")
            self._lease.wait(PAUSE)
        return False

    def _open(self, grading: str) -> bool:
        return self._run(lambda on: tables.open_grading(on, grading, self._version.digest, self._version.told))

    def _keep(self, data: bytes) -> str:
        return self._run(lambda on: tables.keep(on, self._grading, data))

    def _flush(self) -> None:
        with self._transactions.begin() as transaction:
            connection = transaction.connection.driver_connection
            for job, request in self._batch:
                kept = tables.keep(connection, self._grading, request)
                if tables.new_job(connection, self._grading, job, kept):
                    options = engine.options(self._grading, job, 1, self._version.digest)
                    self._client.enqueue_in_transaction(transaction, options, self._grading, job, 1)
