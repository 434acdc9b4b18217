"""`labkit grade-status`: which gradings are under way, how far each is, and who is at work on what."""

from collections.abc import Iterator

import psycopg

from labkit.grading.afar import place, slots
from labkit.repository import UsageError

GRADINGS = """
SELECT g.id, g.told, to_char(g.asked_at, 'YYYY-MM-DD HH24:MI'), count(j.id), count(j.result),
    count(*) FILTER (WHERE j.attempt > 0 AND j.result IS NULL), count(*) FILTER (WHERE j.attempt > 1)
FROM labkit_grading.grading g LEFT JOIN labkit_grading.job j ON j.grading = g.id
GROUP BY g.id, g.told, g.asked_at ORDER BY g.asked_at
"""
WORKERS = """
SELECT id, lock, machine, told, job, extract(epoch FROM now() - job_since)::int FROM labkit_grading.worker ORDER BY id
"""


def main(dsn: str, drop: str | None) -> Iterator[str]:
    """What there is to say, line by line. UsageError if the database cannot be reached, or has no such grading."""
    where = place.find(dsn)
    with where.connect() as connection:
        try:
            if drop:
                yield _dropped(where, connection, drop)
            yield from _gradings(connection)
            yield from _workers(connection)
        except psycopg.errors.InvalidSchemaName:
            yield "No class was ever graded here"
        except psycopg.errors.UndefinedTable:
            yield "No class was ever graded here"
        except psycopg.errors.InsufficientPrivilege:
            raise UsageError(
                f"the role {where.how['user']} may not see what is graded here: name the grader's"
            ) from None


def _dropped(where: place.Place, connection: psycopg.Connection, grading: str) -> str:
    from labkit.grading.afar import engine, exchange  # noqa: PLC0415 - who only looks need not wait for DBOS

    if not exchange.drop(engine.client(where), connection, grading):
        raise UsageError(f"there is no grading {grading}: `labkit grade-status` lists them")
    return f"Grading {grading} is dropped: whoever asked for it and starts again begins anew"


def _gradings(connection: psycopg.Connection) -> Iterator[str]:
    found, waited = connection.execute(GRADINGS).fetchall(), slots.living(connection, slots.ASKERS)
    for grading, told, asked, total, done, begun, twice in found:
        again = f", {twice} for the second time" if twice else ""
        alone = "" if slots.lock(grading) in waited else "; nobody waits for it now"
        yield f"Grading {grading}, asked for on {asked} by {told}{alone}:"
        yield f"  {done} of {total} submissions are judged, {begun} begun{again}, {total - done - begun} wait"
    if not found:
        yield "No grading is under way"


def _workers(connection: psycopg.Connection) -> Iterator[str]:
    living, number = slots.living(connection), 0
    for name, lock, machine, told, job, seconds in connection.execute(WORKERS).fetchall():
        if lock in living:
            number += 1
            now = f"has judged for {seconds} s what grading {job.partition('/')[0]} asks" if job else "waits"
            yield f"Worker {name.rpartition('-')[2]} on {machine} {now} ({told})"
    if not number:
        yield "No worker is at work: `labkit grade-worker --on …` starts one"
