"""`labkit grade-status`: which gradings are under way, how far each is, and who is at work on what."""

from collections.abc import Iterator

import psycopg

from labkit.grading.distributed import database, lease
from labkit.grading.distributed.lease import COORDINATORS, WORKERS
from labkit.grading.distributed.tables import NONE_YET
from labkit.repository import UsageError

GRADINGS = """
SELECT g.id, g.told, to_char(g.asked_at, 'YYYY-MM-DD HH24:MI'), count(j.id), count(j.result),
    count(*) FILTER (WHERE j.attempt > 0 AND j.result IS NULL), count(*) FILTER (WHERE j.attempt > 1)
FROM labkit_grading_1.grading g LEFT JOIN labkit_grading_1.job j ON j.grading = g.id
GROUP BY g.id, g.told, g.asked_at ORDER BY g.asked_at
"""
AT_WORK = """
SELECT worker, grading, extract(epoch FROM now() - begun_at)::int FROM labkit_grading_1.job WHERE worker IS NOT NULL
"""


def main(dsn: str, drop: str | None) -> Iterator[str]:
    """What there is to say, line by line. UsageError if the database cannot be reached, or has no such grading."""
    where = database.find(dsn)
    with where.connect() as connection:
        try:
            if drop:
                yield _dropped(where, connection, drop)
            yield from _gradings(connection)
            yield from _workers(connection)
        except NONE_YET:
            if drop:
                raise UsageError(f"there is no grading {drop}: no class was ever graded here") from None
            yield "No class was ever graded here"
        except psycopg.errors.InsufficientPrivilege:
            raise UsageError(
                f"the role {where.how['user']} may not see or drop what is graded here: name the grader's"
            ) from None
        except psycopg.Error as error:
            database.refuse(error)


def _dropped(where: database.Database, connection: psycopg.Connection, grading: str) -> str:
    from labkit.grading.distributed import engine, tables  # noqa: PLC0415 - who only looks need not wait for DBOS

    if grading not in {each for each, *_ in tables.gradings(connection)}:
        raise UsageError(f"there is no grading {grading}: `labkit grade-status` lists them")
    if not lease.locked(connection, COORDINATORS, grading):
        raise UsageError(f"somebody waits for grading {grading}: end that `labkit grade` first")
    with engine.lent_client(where) as client:
        engine.drop(client, connection, grading)
    return f"Grading {grading} is dropped: whoever asked for it and starts again begins anew"


def _gradings(connection: psycopg.Connection) -> Iterator[str]:
    found, waited = connection.execute(GRADINGS).fetchall(), lease.living(connection, COORDINATORS)
    for grading, told, asked, total, done, begun, twice in found:
        again = f", {twice} for the second time" if twice else ""
        alone = "" if lease.number(grading) in waited else "; nobody waits for it now"
        yield f"Grading {grading}, asked for on {asked} by {told}{alone}:"
        yield f"  {done} of {total} submissions are judged, {begun} begun{again}, {total - done - begun} wait"
    if not found:
        yield "No grading is under way"


def _workers(connection: psycopg.Connection) -> Iterator[str]:
    at_work = {worker: more for worker, *more in connection.execute(AT_WORK)}
    for name, _, machine in sorted(each.partition(" ") for each in set(lease.living(connection, WORKERS).values())):
        grading, seconds = at_work.get(name, (None, 0))
        now = f"has judged for {seconds} s what grading {grading} asks" if grading else "waits"
        yield f"Worker {name} on {machine} {now}"
    if not lease.living(connection, WORKERS):
        yield "No worker is at work: `labkit grade-worker --on …` starts one"
