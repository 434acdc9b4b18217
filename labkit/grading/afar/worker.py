"""`labkit grade-worker`: takes jobs from the queue and judges them, one at a time, until it is told to stop.

    waiting → judging → waiting …     SIGTERM or SIGINT: it ends its job, and exits; a second one: it exits at once
    its lock is lost                  it drops all that it does, and begins anew as a fresh process

It may be killed at any moment. Others notice that nobody holds its slot, and give its job back to the queue.
"""

import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Mapping
from types import FrameType
from typing import NoReturn

import psycopg
import sqlalchemy as sa
from dbos import DBOS

from labkit.grading.afar import adopting, engine, place, slots, version
from labkit.grading.afar.attempts import Attempts
from labkit.grading.afar.judging import Judging
from labkit.grading.afar.place import AGAIN, NoPlaceError, Place
from labkit.grading.sandbox import guarantees
from labkit.repository import UsageError

LOOK = 2.0
"""Seconds between two looks after its own lock, and after the dead."""
LONGEST = 6 * 3600
"""Seconds after which a job that has not ended is taken for one that hangs its worker: it counts as died."""


class Worker:
    """One process, one slot, one job at a time."""

    def __init__(self, where: Place, secrets: Mapping[str, str]) -> None:
        self._place, self._secrets, self._told = where, secrets, threading.Event()
        self._judging = Judging()

    def work(self) -> None:
        """Until it is told to stop. UsageError if it may not, or can not."""
        try:
            self._work()
        except (psycopg.OperationalError, sa.exc.OperationalError):
            self._lost()
        finally:
            self._judging.close()

    def _work(self) -> None:
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        with self._place.connect() as connection:
            engine.prepare(self._place, connection)
            _refuse_other(connection)
            slot = slots.take(connection, version.here().digest)
            self._enlist(slot)
            attempts = Attempts(self._place, slot.id, version.here().digest, self._judging, self._lost)
            engine.launch(self._place, slot.id, version.here().digest, attempts.make, work=True)
            say(
                f"Worker {slot.id.rpartition('-')[2]} on {platform.node()} waits for submissions: {version.here().told}"
            )
            while not self._told.wait(LOOK):
                self._look_around(slot)
            DBOS.destroy(workflow_completion_timeout_sec=LONGEST)
            slot.release()

    def _look_around(self, slot: slots.Slot) -> None:
        _refuse_other(slot.connection)
        adopting.adopt_dead(self._place, slot.connection, version.here().digest)
        read = "SELECT 1 FROM labkit_grading.worker WHERE id = %s AND job_since < now() - %s * interval '1 second'"
        if slot.connection.execute(f"{read} AND job IS NOT NULL", [slot.id, LONGEST]).fetchone():
            self._lost()

    def _enlist(self, slot: slots.Slot) -> None:
        insert = """INSERT INTO labkit_grading.worker (id, lock, machine, told) VALUES (%s, %s, %s, %s)
            ON CONFLICT (id) DO UPDATE SET machine = excluded.machine, since = now(), job = NULL, job_since = NULL"""
        row = [slot.id, slots.lock(slot.id), platform.node(), version.here().told]
        slot.connection.execute(insert, row)

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        if self._told.is_set():
            os._exit(1)  # the fork servers see that nobody keeps them, and end what they do
        say("This worker ends after its job; once more, and it ends at once")
        self._told.set()

    def _lost(self) -> None:
        """Nobody else takes us for alive: nothing that we do counts any more."""
        if self._told.is_set():
            os._exit(1)
        say("The database is gone, or takes this worker for dead: it begins anew")
        _begin_anew(self._secrets)


def main(dsn: str) -> None:
    """Find the database, and work. UsageError in one line if that cannot be."""
    if missing := guarantees.missing():
        raise UsageError(
            f"this machine does not keep students' code apart: {', '.join(missing)}. Work on Linux 6.7 or newer"
        )
    again, secrets = os.environ.pop(AGAIN, ""), {}
    try:
        where = place.find(dsn)
        secrets = place.forget_secrets()
        if not again:
            for guarantee in guarantees.guarantees():
                say(str(guarantee))
        Worker(where, secrets).work()
    except NoPlaceError as error:
        if not (again and error.later):
            raise
        time.sleep(LOOK)  # who has been at work already waits for it
        _begin_anew(secrets)


def _begin_anew(secrets: Mapping[str, str]) -> NoReturn:
    os.environ.update({**secrets, AGAIN: "1"})
    place.begin_anew()


def _refuse_other(connection: psycopg.Connection) -> None:
    """UsageError if all that is waited for is for other versions to judge."""
    waited = slots.living(connection, slots.ASKERS)
    rows = connection.execute("SELECT id, version, told FROM labkit_grading.grading").fetchall()
    asked = [row for row in rows if slots.lock(row[0]) in waited]
    if asked and all(digest != version.here().digest for _, digest, _ in asked):
        raise UsageError(
            f"this is {version.here().told}, and grading {asked[0][0]} was asked for by {asked[0][2]}: "
            "both must be the same, so install that one here"
        )


def say(text: str) -> None:
    """A line for whoever looks after this worker."""
    print(text, file=sys.stderr, flush=True)
