"""The asker's side of the database: hands out jobs, fetches what was found. A server that ends is waited for."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa

from labkit.grading.afar import engine, folder, slots, tables, version
from labkit.grading.afar.memo import Memo
from labkit.grading.afar.parcels import Asked, Found
from labkit.grading.afar.place import NoPlaceError, Place

T = TypeVar("T")
PATIENCE = 600.0
"""Seconds for which a server that was there is waited for."""
MISSED = 25.0
"""Seconds after which the server has missed an asker that is gone without a word."""
PAUSE = 1.0
BATCH = 50
"""Jobs that are put in at once."""
GONE = (psycopg.OperationalError, sa.exc.OperationalError, NoPlaceError)


class Exchange:
    """One grading's."""

    def __init__(self, place: Place, say: Callable[[str], None]) -> None:
        self._place, self._say = place, say
        self._connection = place.connect()
        engine.prepare(place, self._connection)
        self._client = engine.client(place)
        self._engine = sa.create_engine(place.url, poolclass=sa.NullPool)
        self._version = version.here()
        self._grading = ""
        self._batch: list[tuple[str, bytes]] = []

    def open(self, memo: Memo, criteria: Path | None) -> None:
        """Begin the grading that the book remembers, or go on with it.

        It is a new one if that was of another version, or if somebody waits for it with a copy of this book.
        """
        files = folder.packed(criteria) if criteria else None
        self._grading = memo.grading
        if not self._kept(self._is_ours):
            memo.renew()
            self._grading = memo.grading
            self._kept(self._is_ours)
        if files is not None:
            self._kept(lambda: self._send(files))
        self._kept(lambda: engine.set_pace(self._client, engine.BUSY))

    def _is_ours(self) -> bool:
        """Whether we wait for it, and it is of our version. One of another version is dropped."""
        end = time.monotonic() + MISSED
        while not slots.wait_for(self._connection, self._grading):
            if time.monotonic() > end:
                return False
            time.sleep(PAUSE)
        asked = tables.open_grading(self._connection, self._grading, self._version.digest, self._version.told)
        if not asked:
            drop(self._client, self._connection, self._grading)
        return asked

    def hand_out(self, who: str, asked: Asked) -> str:
        """Put a job in, unless it is there: what it is called. It goes at the latest by `flush`. TooLargeError."""
        request = asked.model_dump_json().encode()
        if len(request) > tables.MOST:
            raise tables.TooLargeError
        steps = json.dumps([who, sorted((each.judged, each.run) for each in asked.exercises.values())])
        job = hashlib.sha256(steps.encode()).hexdigest()[:24]
        self._batch.append((job, request))

        if len(self._batch) >= BATCH:
            self.flush()
        return job

    def flush(self) -> None:
        """Put in what is not yet: jobs and their first attempts together, or none of them."""
        self._kept(self._flush)
        self._batch.clear()

    def found(self, jobs: Mapping[str, Any]) -> Iterator[tuple[str, Found]]:
        """Of these jobs, some of those that have ended."""
        ended = self._kept(lambda: tables.results(self._connection, self._grading, jobs))
        for job, result in ended:
            data = self._kept(lambda result=result: tables.content(self._connection, self._grading, result))
            yield job, Found.model_validate_json(data)

    def ended_by_others(self, jobs: Mapping[str, Any]) -> list[str]:
        """Of these jobs, those whose workflows somebody has cancelled, or that ended as none of ours does."""
        prefix = f"{self._grading}/"
        ended = self._kept(lambda: self._client.list_workflows(workflow_id_prefix=prefix, status=engine.ENDED))
        return list({each.workflow_id.split("/")[1] for each in ended} & set(jobs))

    def workers(self) -> int:
        """How many of this version live."""
        read = "SELECT lock FROM labkit_grading.worker WHERE id LIKE %s"
        listed = self._kept(lambda: self._connection.execute(read, [f"{self._version.digest}-%"]).fetchall())
        return len({number for (number,) in listed} & self._kept(lambda: slots.living(self._connection)))

    def forget(self) -> None:
        """Leave nothing of the grading in the database. If it was the last one, workers need not hurry."""
        self._kept(lambda: drop(self._client, self._connection, self._grading))
        if self._kept(lambda: len(slots.living(self._connection, slots.ASKERS))) < 2:
            self._kept(lambda: engine.set_pace(self._client, engine.IDLE))

    def close(self) -> None:
        """Close what is open. What was handed out stays."""
        self._connection.close()
        self._client.destroy()

    def _flush(self) -> None:
        with self._engine.begin() as transaction:
            connection = transaction.connection.driver_connection
            for job, request in self._batch:
                asked = tables.keep(connection, self._grading, request)
                if tables.new_job(connection, self._grading, job, asked):
                    order = engine.order(self._grading, job, 1, self._version.digest)
                    self._client.enqueue_in_transaction(transaction, order, self._grading, job, 1)

    def _send(self, files: Mapping[str, bytes]) -> None:
        names = {name: tables.keep(self._connection, self._grading, data) for name, data in files.items()}
        listed = tables.keep(self._connection, self._grading, folder.listed(names))
        tables.judge_by(self._connection, self._grading, listed)

    def _kept(self, do: Callable[[], T]) -> T:
        """What `do` returns, which may be done more than once: a server that does not answer is waited for."""
        end = None
        while True:
            try:
                if self._connection.closed:
                    self._connection = self._place.connect()
                    if self._grading:
                        slots.wait_for(self._connection, self._grading)
                return do()
            except GONE as error:
                if isinstance(error, NoPlaceError) and not error.later:
                    raise
                if end is None:
                    end = time.monotonic() + PATIENCE
                    self._say("The database does not answer: waiting for it")
                if time.monotonic() > end:
                    raise NoPlaceError(
                        f"the database has not answered for {PATIENCE / 60:.0f} minutes: the same command goes on when "
                        "it does", later=True,
                    ) from None  # fmt: skip
                self._connection.close()
                time.sleep(PAUSE)


def drop(client: engine.DBOSClient, connection: psycopg.Connection, grading: str) -> bool:
    """Drop a grading with all that is its, in our tables and in those of DBOS. False if there is none."""
    while listed := client.list_workflows(workflow_id_prefix=f"{grading}/", limit=500, load_input=False):
        client.delete_workflows([each.workflow_id for each in listed])
    return tables.drop_grading(connection, grading)
