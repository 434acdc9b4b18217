"""The SQL of claims. Each statement is a transaction of its own, and asks the database for the time, once.

Only a Clock that was given takes the place of the database's: workers on many machines have many clocks.
"""

from typing import Any

from psycopg.rows import namedtuple_row
from sqlalchemy import Engine

from labkit.clock import Clock
from labkit.postgres import in_autocommit, in_plain_words

ENQUEUE = """
    WITH clock AS (SELECT coalesce(%(now)s, clock_timestamp()) AS now)
    INSERT INTO labkit_records (kind, id, state, version, updated_at, body, priority)
    SELECT %(kind)s, id, state, 1, now, body::json, %(priority)s
    FROM clock, unnest(%(ids)s::text[], %(states)s::text[], %(bodies)s::text[]) AS new (id, state, body)
    ON CONFLICT DO NOTHING RETURNING id"""
CLAIM = """
    WITH clock AS (SELECT coalesce(%(now)s, clock_timestamp()) AS now), next AS MATERIALIZED (
        SELECT kind, id FROM labkit_records WHERE kind = %(kind)s AND state = 'pending'
        ORDER BY priority DESC, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
    UPDATE labkit_records AS r
    SET state = 'running', version = version + 1, updated_at = now,
        token = token + 1, lease_until = now + make_interval(secs => %(lease)s)
    FROM clock, next WHERE r.kind = next.kind AND r.id = next.id
    RETURNING r.id, state, version, updated_at, body, priority, token, lease_until"""
HEARTBEAT = """
    WITH clock AS (SELECT coalesce(%(now)s, clock_timestamp()) AS now)
    UPDATE labkit_records SET lease_until = now + make_interval(secs => %(lease)s)
    FROM clock WHERE kind = %(kind)s AND id = %(id)s AND token = %(token)s AND state = 'running'
    RETURNING lease_until"""
FINISH = """
    WITH clock AS (SELECT coalesce(%(now)s, clock_timestamp()) AS now)
    UPDATE labkit_records AS r
    SET state = done.state, body = done.body::json, version = r.version + 1, updated_at = now, lease_until = NULL
    FROM clock, unnest(
        %(ids)s::text[], %(tokens)s::bigint[], %(versions)s::bigint[], %(states)s::text[], %(bodies)s::text[]
    ) AS done (id, token, version, state, body)
    WHERE r.kind = %(kind)s AND r.id = done.id AND r.state = 'running'
        AND r.token = done.token AND r.version = done.version
    RETURNING r.id, r.token"""
REAP = """
    WITH clock AS (SELECT coalesce(%(now)s, clock_timestamp()) AS now), expired AS MATERIALIZED (
        SELECT kind, id FROM labkit_records
        WHERE kind = %(kind)s AND state = 'running' AND lease_until < (SELECT now FROM clock)
        ORDER BY lease_until LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
    UPDATE labkit_records AS r SET state = 'pending', version = version + 1, updated_at = now, lease_until = NULL
    FROM clock, expired WHERE r.kind = expired.kind AND r.id = expired.id
    RETURNING r.id"""


def execute(engine: Engine, statement: str, clock: Clock | None, **values: Any) -> list[Any]:
    """The rows of one statement, a transaction of its own."""
    values["now"] = clock.now() if clock else None
    with in_plain_words(), in_autocommit(engine) as connection:
        return connection.cursor(row_factory=namedtuple_row).execute(statement, values).fetchall()
