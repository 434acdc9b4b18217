"""DBOS as a grading uses it: one queue, a workflow for each attempt at a job, JSON in its tables, and no pickle.

Its tables lie in a schema of ours, so that whatever else stands on DBOS in that database has nothing to do with it.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn

import psycopg
import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, EnqueueOptions
from dbos._serialization import DefaultSerializer

from labkit.grading.distributed import tables
from labkit.grading.distributed.database import Database, NoDatabaseError, refuse
from labkit.repository import UsageError

ENDED = ["ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
"""How a workflow ends that none of ours does: then somebody else had a hand in it."""

NAME = QUEUE = "labkit-grading"
ATTEMPT = "attempt"
"""What the workflow is called."""
BUSY, IDLE = 0.2, 2.0
"""Seconds between two looks of a worker into the queue, while somebody waits for a grading, and while nobody does.

A look takes 5 ms of processor time. DBOS keeps the interval in the database, and each worker reads it there.
"""
RECOVERIES = 1_000_000
"""How often DBOS may give a workflow back to the queue: we count attempts ourselves, by what was begun."""
FIRST, LATER = 1, 2
"""Priorities: the first attempts of all go before everybody's second. None goes before 1."""
CONNECTIONS = 2
"""Of DBOS at a worker, at one time. Its lease is one more, and whoever gives a dead one's job back needs another."""

logging.getLogger("dbos").setLevel(logging.CRITICAL)  # its warnings would stand among our lines


def _refuse_pickle(_self: DefaultSerializer, _data: str) -> NoReturn:
    raise tables.PickledError("a row is marked as pickled, and is not read")


DefaultSerializer.deserialize = _refuse_pickle  # DBOS would use it for any row that says so, whatever it was told


def prepare(database: Database, connection: psycopg.Connection) -> None:
    """Make all tables, if they are not there. UsageError if that is not allowed, or if there is something pickled."""
    try:
        tables.make(connection)
        DBOS.migrate(database.url, schema=tables.ENGINE)
        tables.refuse_pickles(connection)
    except (psycopg.errors.InsufficientPrivilege, sa.exc.ProgrammingError) as error:
        info = connection.info
        raise UsageError(
            f"the role {info.user} may not make or use tables in the database {info.dbname} ({_cause(error)}): give it "
            f"that right, by GRANT CREATE ON DATABASE {info.dbname} TO {info.user}, or name another database"
        ) from None
    except tables.PickledError as error:
        raise UsageError(
            f"{error} has rows that are marked as pickled, which no grading writes: "
            "find out who did, or name another database"
        ) from None
    except sa.exc.OperationalError as error:
        if isinstance(error.orig, psycopg.Error):
            refuse(error.orig)
        raise NoDatabaseError("the database does not answer", later=True) from None


def _cause(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split("\n")[0].split())


def client(database: Database) -> DBOSClient:
    """To put workflows in, and to drop them."""
    return DBOSClient(
        system_database_url=database.url, dbos_system_schema=tables.ENGINE, serializer=DBOSPortableJSONSerializer(),
        application_name=NAME, system_database_pool_size=1, retry_connection_errors=False,
    )  # fmt: skip


@contextmanager
def lent_client(database: Database) -> Iterator[DBOSClient]:
    """One for a moment. What goes wrong meanwhile is an error of the driver's own."""
    try:
        with ExitStack() as ends:
            found = client(database)
            ends.callback(found.destroy)
            yield found
    except sa.exc.DBAPIError as error:
        raise (error.orig if isinstance(error.orig, psycopg.Error) else error) from None


def set_pace(client: DBOSClient, seconds: float) -> None:
    """Have the queue, and workers look into it that often. Each takes one job at a time."""
    client.register_queue(QUEUE, worker_concurrency=1, polling_interval_sec=seconds)


def launch(database: Database, executor: str, version: str, attempt: Callable[[str, str, int], Any]) -> None:
    """Be an executor: take what is in the queue, one at a time. What a dead one of that name has left is given back."""
    for name in [name for name in os.environ if name.startswith("DBOS_")]:
        del os.environ[name]  # they would mean another one's DBOS
    config: DBOSConfig = {
        "name": NAME, "executor_id": executor, "application_version": version,
        "system_database_url": database.url, "dbos_system_schema": tables.ENGINE, "run_migrations": False,
        "sys_db_pool_size": CONNECTIONS, "serializer": DBOSPortableJSONSerializer(),
        "use_listen_notify": False, "log_level": "CRITICAL",
    }  # fmt: skip
    DBOS(config=config)

    @DBOS.workflow(name=ATTEMPT, max_recovery_attempts=RECOVERIES)
    def workflow(grading: str, job: str, number: int) -> None:
        attempt(grading, job, number)

    DBOS.listen_queues([QUEUE])
    try:
        DBOS.launch()
    except BaseException:
        DBOS.destroy()  # or the next one to launch would be taken for launched
        raise


def options(grading: str, job: str, attempt: int, version: str) -> EnqueueOptions:
    """An attempt's, for the queue: nobody but that version takes it. It is enqueued once, whoever does it again."""
    return {
        "workflow_name": ATTEMPT, "queue_name": QUEUE, "workflow_id": f"{grading}/{job}/{attempt}",
        "app_version": version, "priority": FIRST if attempt == 1 else LATER, "application_name": NAME,
    }  # fmt: skip


def cancelled(client: DBOSClient, grading: str) -> set[str]:
    """The jobs of a grading with an attempt that somebody has cancelled, or that ended as none of ours does."""
    ended = client.list_workflows(workflow_id_prefix=f"{grading}/", status=ENDED, load_input=False)
    return {each.workflow_id.split("/")[1] for each in ended}


def drop(client: DBOSClient, connection: psycopg.Connection, grading: str) -> bool:
    """Drop a grading with all that is its, in our tables and in those of DBOS. False if there is none."""
    while listed := client.list_workflows(workflow_id_prefix=f"{grading}/", limit=500, load_input=False):
        client.delete_workflows([each.workflow_id for each in listed])
    return tables.drop_grading(connection, grading)
