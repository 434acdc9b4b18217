"""Gives a dead worker's job back to the queue.

A worker that holds no lease is missed. It has some seconds to come back, as when the server was gone for a moment; then
whoever gets its lease resumes what DBOS has under its name, and gives the lease back. No worker is dead to two at once.
"""

import random
import time

import psycopg

from labkit.grading.distributed import engine, lease
from labkit.grading.distributed.database import Database
from labkit.grading.distributed.lease import WORKERS

BACK = 5.0
"""Seconds for which a worker that is missed may come back."""
PENDING = "SELECT DISTINCT executor_id FROM labkit_grading_1_dbos.workflow_status WHERE status = 'PENDING'"
LEFT = "SELECT workflow_uuid FROM labkit_grading_1_dbos.workflow_status WHERE status = 'PENDING' AND executor_id = %s"


class Recovery:
    """By one worker, of those of its version."""

    def __init__(self, database: Database, version: str) -> None:
        self._database, self._version = database, version
        self._missed: dict[str, float] = {}
        """Since when."""

    def look(self, connection: psycopg.Connection) -> None:
        """Look after all, and give back what one of them has left that is dead."""
        living, now = lease.living(connection, WORKERS), time.monotonic()
        busy = {name for (name,) in connection.execute(PENDING) if name and name.startswith(f"{self._version}-")}
        self._missed = {name: self._missed.get(name, now) for name in busy if lease.number(name) not in living}
        if dead := [name for name, since in self._missed.items() if now > since + BACK]:
            self._give_back(connection, random.choice(dead))

    def _give_back(self, connection: psycopg.Connection, executor: str) -> None:
        if not lease.locked(connection, WORKERS, executor):
            return
        try:
            left = [workflow for (workflow,) in connection.execute(LEFT, [executor])]
            if left:
                with engine.lent_client(self._database) as client:
                    client.resume_workflows(left, queue_name=engine.QUEUE)
        finally:
            lease.unlock(connection, WORKERS, executor)
