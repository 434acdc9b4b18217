"""Our rows in the database that coordinator and workers share, in a schema of their own, and all SQL on them.

grading   one for each `labkit grade --on`, by an id that its book keeps: whose workers may judge for it
job       a submission of it. `attempt` is the last one that was begun, `result` what it came to
content   whatever is large, by its hash, for as long as the grading: requests, outcomes, criteria files

    job: waiting (attempt 0) → begun (1, 2) → result → taken by its coordinator

Who works at what is in `job` alone; who lives, their locks tell.
"""

import hashlib
from collections.abc import Collection

import psycopg
from psycopg import sql

ENGINE = "labkit_grading_1_dbos"
"""The schema of DBOS. Ours is labkit_grading_1: another number for other tables."""
MOST = 64 * 2**20
"""Bytes that one content may have."""
SET_UP = 0x6C61_6267
"""The advisory lock of whoever makes the tables."""
TABLES = f"""
CREATE SCHEMA IF NOT EXISTS labkit_grading_1;
CREATE TABLE IF NOT EXISTS labkit_grading_1.grading (
    id text PRIMARY KEY, version text NOT NULL, told text NOT NULL, asked_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS labkit_grading_1.content (
    grading text REFERENCES labkit_grading_1.grading ON DELETE CASCADE, hash text,
    body bytea NOT NULL CHECK (octet_length(body) <= {MOST}), PRIMARY KEY (grading, hash));
CREATE TABLE IF NOT EXISTS labkit_grading_1.job (
    grading text REFERENCES labkit_grading_1.grading ON DELETE CASCADE, id text, request text NOT NULL,
    attempt int NOT NULL DEFAULT 0, worker text, token text, begun_at timestamptz,
    result text, ended_at timestamptz, taken bool NOT NULL DEFAULT false, PRIMARY KEY (grading, id));
"""
PICKLED = "py_pickle"
MARKED = "SELECT table_name FROM information_schema.columns WHERE table_schema = %s AND column_name = 'serialization'"
CONSTRAINED = "SELECT 1 FROM pg_constraint WHERE conname = 'nothing_pickled' AND conrelid = %s::regclass"
NONE_YET = (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedTable)
"""Raised where nobody has made the tables."""

Connection = psycopg.Connection


class TooLargeError(ValueError):
    """A content has more bytes than may travel."""


class PickledError(ValueError):
    """There is something pickled in the tables of DBOS, which only whoever writes them by hand puts there."""


def make(connection: Connection) -> None:
    """Make our tables, if they are not there."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [SET_UP])
        connection.execute(TABLES)


def refuse_pickles(connection: Connection) -> None:
    """Have the database refuse what DBOS would unpickle. PickledError if it has any."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [SET_UP])
        for (name,) in connection.execute(MARKED, [ENGINE]).fetchall():
            if connection.execute(CONSTRAINED, [f"{ENGINE}.{name}"]).fetchone():
                continue
            add = "ALTER TABLE {} ADD CONSTRAINT nothing_pickled CHECK (serialization IS DISTINCT FROM {})"
            try:
                connection.execute(sql.SQL(add).format(sql.Identifier(ENGINE, name), sql.Literal(PICKLED)))
            except psycopg.errors.CheckViolation:
                raise PickledError(f"{ENGINE}.{name}") from None


def keep(connection: Connection, grading: str, data: bytes) -> str:
    """Keep a content, and return its hash. TooLargeError if it has more than MOST bytes."""
    if len(data) > MOST:
        raise TooLargeError(f"it has more than {MOST // 2**20} MiB")
    name = hashlib.sha256(data).hexdigest()
    insert = "INSERT INTO labkit_grading_1.content (grading, hash, body) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
    connection.execute(insert, [grading, name, data])
    return name


def content(connection: Connection, grading: str, name: str) -> bytes:
    """The content of that hash. LookupError if it is not there, or is another one."""
    select = "SELECT body FROM labkit_grading_1.content WHERE grading = %s AND hash = %s"
    row = connection.execute(select, [grading, name], binary=True).fetchone()
    if row is None or hashlib.sha256(row[0]).hexdigest() != name:
        raise LookupError(f"the content {name[:8]} is not there, or damaged")
    return row[0]


def open_grading(connection: Connection, grading: str, version: str, told: str) -> bool:
    """Have a row for it, and whatever has a result ready to be taken. False if another version has asked for it."""
    insert = "INSERT INTO labkit_grading_1.grading (id, version, told) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
    connection.execute(insert, [grading, version, told])
    connection.execute("UPDATE labkit_grading_1.job SET taken = false WHERE grading = %s AND taken", [grading])
    select = "SELECT 1 FROM labkit_grading_1.grading WHERE id = %s AND version = %s"
    return connection.execute(select, [grading, version]).fetchone() is not None


def gradings(connection: Connection) -> list[tuple[str, str, str]]:
    """Their ids, versions, and what is told of these."""
    return connection.execute("SELECT id, version, told FROM labkit_grading_1.grading").fetchall()


def drop_grading(connection: Connection, grading: str) -> bool:
    """Drop it with all that is its. False if there is none."""
    return connection.execute("DELETE FROM labkit_grading_1.grading WHERE id = %s", [grading]).rowcount == 1


def new_job(connection: Connection, grading: str, job: str, request: str) -> bool:
    """Put a submission in. False if it is there already."""
    insert = "INSERT INTO labkit_grading_1.job (grading, id, request) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
    return connection.execute(insert, [grading, job, request]).rowcount == 1


def results(connection: Connection, grading: str) -> list[tuple[str, str, int]]:
    """Some jobs with a result that is not taken: its hash, and by which attempt. Those that ended first come first."""
    select = """SELECT id, result, attempt FROM labkit_grading_1.job
        WHERE grading = %s AND result IS NOT NULL AND NOT taken ORDER BY ended_at LIMIT 100"""
    return connection.execute(select, [grading]).fetchall()


def take(connection: Connection, grading: str, jobs: Collection[str]) -> None:
    """Do not find these any more."""
    connection.execute(
        "UPDATE labkit_grading_1.job SET taken = true WHERE grading = %s AND id = ANY(%s)", [grading, jobs]
    )


def begin(connection: Connection, grading: str, job: str, attempt: int, worker: str, token: str) -> str | None:
    """Begin an attempt at it: the hash of the request. None if somebody has begun it, or there is a result.

    `token`: our own, so that whoever asks once more, as the answer was lost, gets it.
    """
    update = """UPDATE labkit_grading_1.job SET attempt = %s, worker = %s, token = %s, begun_at = now()
        WHERE grading = %s AND id = %s AND (attempt < %s OR token = %s) AND result IS NULL RETURNING request"""
    row = connection.execute(update, [attempt, worker, token, grading, job, attempt, token]).fetchone()
    return row[0] if row else None


def end(connection: Connection, grading: str, job: str, attempt: int, result: str) -> None:
    """Write what an attempt came to, unless there is a later one: it counts."""
    update = """UPDATE labkit_grading_1.job SET result = %s, ended_at = now(), worker = NULL
        WHERE grading = %s AND id = %s AND attempt = %s AND result IS NULL"""
    connection.execute(update, [result, grading, job, attempt])


def leave(connection: Connection, grading: str, job: str, attempt: int) -> bool:
    """Nobody works at it until a later attempt. False if there is a result, one has begun, or no such job."""
    update = """UPDATE labkit_grading_1.job SET worker = NULL
        WHERE grading = %s AND id = %s AND attempt <= %s AND result IS NULL"""
    return connection.execute(update, [grading, job, attempt]).rowcount == 1
