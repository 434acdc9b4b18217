"""Our rows in the database that asker and workers share, in a schema of their own.

grading   one for each `labkit grade --on`, by an id that its book keeps: who may judge for it, with which criteria
job       a submission of it. `attempt` is the last one that was begun, `result` what it came to, once
worker    who is at work, and at what; it says so itself, and whether it lives its advisory lock says
content   whatever is large, by its hash, for as long as the grading: what is asked and found, criteria files

    job: waiting (attempt 0) → begun (1, 2) → result           a result is written once; who comes later finds it
"""

import hashlib
import zlib
from collections.abc import Collection

import psycopg
from psycopg import sql

ENGINE = "labkit_grading_dbos"
"""The schema of DBOS. Ours is labkit_grading."""
MOST = 64 * 2**20
"""Bytes that one content may have, compressed or not."""
SET_UP = 0x6C61_6267
"""The advisory lock of whoever makes the tables."""
TABLES = f"""
CREATE SCHEMA IF NOT EXISTS labkit_grading;
CREATE TABLE IF NOT EXISTS labkit_grading.grading (
    id text PRIMARY KEY, version text NOT NULL, told text NOT NULL, criteria text,
    asked_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS labkit_grading.content (
    grading text REFERENCES labkit_grading.grading ON DELETE CASCADE, hash text,
    body bytea NOT NULL CHECK (octet_length(body) <= {MOST}), PRIMARY KEY (grading, hash));
ALTER TABLE labkit_grading.content ALTER body SET STORAGE EXTERNAL;
CREATE TABLE IF NOT EXISTS labkit_grading.job (
    grading text REFERENCES labkit_grading.grading ON DELETE CASCADE, id text, request text NOT NULL,
    attempt int NOT NULL DEFAULT 0, worker text, begun_at timestamptz,
    result text, ended_at timestamptz, PRIMARY KEY (grading, id));
CREATE TABLE IF NOT EXISTS labkit_grading.worker (
    id text PRIMARY KEY, lock int NOT NULL, machine text NOT NULL, told text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(), job text, job_since timestamptz);
"""
PICKLED = "py_pickle"
MARKED = """
SELECT table_name FROM information_schema.columns
    WHERE table_schema = 'labkit_grading_dbos' AND column_name = 'serialization'
"""
CONSTRAINED = """
SELECT 1 FROM pg_constraint WHERE conname = 'nothing_pickled' AND conrelid = %s::regclass
"""


class TooLargeError(ValueError):
    """A content has more bytes than may travel."""


class PickledError(ValueError):
    """There is something pickled in the tables of DBOS, which only whoever writes them by hand puts there."""


def make(connection: psycopg.Connection) -> None:
    """Make our tables, if they are not there."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [SET_UP])
        connection.execute(TABLES)


def refuse_pickles(connection: psycopg.Connection) -> None:
    """Have the database refuse what DBOS would unpickle. PickledError if it has any."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [SET_UP])
        for (name,) in connection.execute(MARKED).fetchall():
            if connection.execute(CONSTRAINED, [f"{ENGINE}.{name}"]).fetchone():
                continue
            add = "ALTER TABLE {} ADD CONSTRAINT nothing_pickled CHECK (serialization IS DISTINCT FROM {})"
            try:
                connection.execute(sql.SQL(add).format(sql.Identifier(ENGINE, name), sql.Literal(PICKLED)))
            except psycopg.errors.CheckViolation:
                raise PickledError(name) from None


def keep(connection: psycopg.Connection, grading: str, data: bytes) -> str:
    """Keep a content, and return its hash. TooLargeError if it has more than MOST bytes."""
    name, body = hashlib.sha256(data).hexdigest(), zlib.compress(data)
    if max(len(data), len(body)) > MOST:
        raise TooLargeError(f"it has more than {MOST // 2**20} MiB")
    insert = "INSERT INTO labkit_grading.content (grading, hash, body) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
    connection.execute(insert, [grading, name, body])
    return name


def content(connection: psycopg.Connection, grading: str, name: str) -> bytes:
    """The content of that hash. LookupError if it is not there, or is another one."""
    select = "SELECT body FROM labkit_grading.content WHERE grading = %s AND hash = %s"
    row = connection.execute(select, [grading, name]).fetchone()
    whole = zlib.decompressobj()
    data = whole.decompress(row[0], MOST) if row else b""
    if row is None or not whole.eof or hashlib.sha256(data).hexdigest() != name:
        raise LookupError(f"the content {name[:8]} is not there, or damaged")
    return data


def open_grading(connection: psycopg.Connection, grading: str, version: str, told: str) -> bool:
    """Have a row for it. False if there is one that another version has asked for."""
    insert = "INSERT INTO labkit_grading.grading (id, version, told) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
    connection.execute(insert, [grading, version, told])
    return connection.execute("SELECT version FROM labkit_grading.grading WHERE id = %s", [grading]).fetchone() == (
        version,
    )


def judge_by(connection: psycopg.Connection, grading: str, criteria: str) -> None:
    """Have it judged by an instructor's own criteria: the hash of the list of their files."""
    connection.execute("UPDATE labkit_grading.grading SET criteria = %s WHERE id = %s", [criteria, grading])


def criteria(connection: psycopg.Connection, grading: str) -> str | None:
    """The hash of the list of files that it is judged by; None: the course's own. LookupError: it is not there."""
    row = connection.execute("SELECT criteria FROM labkit_grading.grading WHERE id = %s", [grading]).fetchone()
    if row is None:
        raise LookupError(grading)
    return row[0]


def new_job(connection: psycopg.Connection, grading: str, job: str, request: str) -> bool:
    """Put a submission in. False if it is there already."""
    insert = "INSERT INTO labkit_grading.job (grading, id, request) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
    return connection.execute(insert, [grading, job, request]).rowcount == 1


def results(connection: psycopg.Connection, grading: str, jobs: Collection[str]) -> list[tuple[str, str]]:
    """Of these jobs, those that have a result, with its hash; those that ended first come first."""
    select = """SELECT id, result FROM labkit_grading.job
        WHERE grading = %s AND id = ANY(%s) AND result IS NOT NULL ORDER BY ended_at LIMIT 100"""
    return connection.execute(select, [grading, list(jobs)]).fetchall()


def begin(connection: psycopg.Connection, grading: str, job: str, attempt: int, worker: str) -> str | None:
    """Begin an attempt at it, and return what is asked; None if it has been begun before, or there is a result."""
    update = """UPDATE labkit_grading.job SET attempt = %s, worker = %s, begun_at = now()
        WHERE grading = %s AND id = %s AND attempt < %s AND result IS NULL RETURNING request"""
    row = connection.execute(update, [attempt, worker, grading, job, attempt]).fetchone()
    return row[0] if row else None


def end(connection: psycopg.Connection, grading: str, job: str, result: str) -> None:
    """Write what it came to, unless somebody has: the first result counts."""
    update = """UPDATE labkit_grading.job SET result = %s, ended_at = now()
        WHERE grading = %s AND id = %s AND result IS NULL"""
    connection.execute(update, [result, grading, job])


def open_job(connection: psycopg.Connection, grading: str, job: str) -> bool:
    """Whether it is there, and has no result."""
    select = "SELECT 1 FROM labkit_grading.job WHERE grading = %s AND id = %s AND result IS NULL"
    return connection.execute(select, [grading, job]).fetchone() is not None


def drop_grading(connection: psycopg.Connection, grading: str) -> bool:
    """Drop it with all that is its. False if there is none."""
    return connection.execute("DELETE FROM labkit_grading.grading WHERE id = %s", [grading]).rowcount == 1
