"""`labkit grade-worker`: takes jobs from the queue and judges them, one at a time, until it is told to stop.

    waiting → judging → waiting …      SIGTERM or SIGINT: it ends its job, and exits; a second one: it exits at once
    the server is gone                 it goes on, and waits for it where it needs it
    somebody else has its place        it exits; so does one that hangs

It may be killed at any moment. Others miss it, and give its job back to the queue.
"""

import os
import platform
import signal
import sys
import time
from contextlib import suppress
from itertools import count
from types import FrameType

import psycopg
from dbos import DBOS

from labkit.grading.distributed import database, engine, lease, tables, version
from labkit.grading.distributed.attempt import Attempts
from labkit.grading.distributed.database import Database, NoDatabaseError
from labkit.grading.distributed.judging import Judging
from labkit.grading.distributed.lease import COORDINATORS, WORKERS, Lease, LeaseLostError
from labkit.grading.distributed.recovery import Recovery
from labkit.grading.sandbox import guarantees
from labkit.repository import UsageError

LOOK = 2.0
"""Seconds between two looks after its lease, and after the dead."""
LONGEST = 6 * 3600
"""Seconds after which a job that has not ended is taken for one that hangs its worker: it counts as died."""


class Worker:
    """One process, one lease, one job at a time."""

    def __init__(self, where: Database) -> None:
        self._database, self._version = where, version.here()
        self._lease = Lease(where, WORKERS, say, float("inf"))

    def work(self) -> None:
        """Until it is told to stop. UsageError if it may not, or can not."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        self._lease.run(_refuse_exposed)
        self._refuse_other()
        self._lease.run(lambda on: engine.prepare(self._database, on))
        self._take_a_name()
        judging = Judging()
        attempts = Attempts(self._lease, self._version.digest, judging, say)
        name, version = self._lease.name, self._version.digest
        self._lease.run(lambda _: engine.launch(self._database, name, version, attempts.make))
        say(f"Worker {self._lease.name} on {platform.node()} waits for submissions: {self._version.told}")
        try:
            self._live(attempts)
        except (LeaseLostError, NoDatabaseError) as error:
            say(f"This worker ends: {error}")
            os._exit(1)  # what it is at is for others now; the fork servers see that nobody keeps them
        finally:
            judging.close()
            self._lease.close()

    def _live(self, attempts: Attempts) -> None:
        recovery = Recovery(self._database, self._version.digest)
        try:
            while not self._lease.wait(LOOK):
                since = attempts.since  # read once: another thread sets it
                if since is None:
                    self._refuse_other()
                elif time.monotonic() > since + LONGEST:
                    raise LeaseLostError("its submission hangs")
                self._lease.run(recovery.look)
        finally:
            if not isinstance(sys.exception(), LeaseLostError | NoDatabaseError):
                DBOS.destroy(workflow_completion_timeout_sec=LONGEST)

    def _take_a_name(self) -> None:
        for number in count():
            name = f"{self._version.digest}-{number}"
            if self._lease.take(name, f"{name} {platform.node()}"):
                return

    def _refuse_other(self) -> None:
        """UsageError if others are waited for, and nothing that is asked is for our version."""
        if asked := self._lease.run(_asked):
            grading, told = next(iter(asked.items()))
            raise UsageError(
                f"this is {self._version.told}, and grading {grading} was asked for by {told}: "
                "both must be the same, so install that one here"
            )

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        """Whatever the main thread is at: it takes no lock, and does not print."""
        if self._lease.stopping:
            os._exit(1)
        self._lease.stopping = True
        with suppress(OSError):
            os.write(2, b"This worker ends after its job; once more, and it ends at once\n")


def main(dsn: str) -> None:
    """Find the database, and work. UsageError in one line if that cannot be."""
    if missing := guarantees.missing():
        raise UsageError(
            f"this machine does not keep students' code apart: {', '.join(missing)}. Work on Linux 6.7 or newer"
        )
    where = database.find(dsn)
    database.forget_secrets()
    for guarantee in guarantees.guarantees():
        say(str(guarantee))
    Worker(where).work()


def _asked(connection: psycopg.Connection) -> dict[str, str]:
    """The gradings that others wait for, and by which versions they were asked for; none if one of any is ours."""
    try:
        found = tables.gradings(connection)
    except (*tables.NONE_YET, psycopg.errors.InsufficientPrivilege):  # to make them tells who may not use them
        return {}
    if any(digest == version.here().digest for _, digest, _ in found):
        return {}
    waited = lease.living(connection, COORDINATORS)
    return {grading: told for grading, _, told in found if lease.number(grading) in waited}


def _refuse_exposed(connection: psycopg.Connection) -> None:
    """UsageError if students' code could get into the database from this machine, as it is in no network of its own."""
    over_tcp = connection.info.host and connection.info.host[0] not in "/@"
    if not guarantees.apart() and not (over_tcp and connection.pgconn.used_password):
        raise UsageError(
            "this machine has no namespaces to keep students' code in: here the server must be reached over TCP, by "
            "--on postgresql://user@host/database, and ask for a password"
        )


def say(text: str) -> None:
    """A line for whoever looks after this worker."""
    print(text, file=sys.stderr, flush=True)
