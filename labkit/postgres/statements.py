"""The SQL of the state store. Each statement is a transaction of its own.

A state that is asked for stands in the statement itself: only so can the planner use the partial index for it.
"""

from functools import lru_cache

from psycopg.sql import Literal

INSERT = """
    INSERT INTO labkit_records (kind, id, state, version, updated_at, body)
    VALUES (%(this_kind)s, %(this_id)s, %(new_state)s, %(new_version)s, %(now)s, %(new_body)s::json)
    ON CONFLICT DO NOTHING"""
SAVE = (  # a claim ends with the work
    "UPDATE labkit_records SET state=%(new_state)s::VARCHAR, version=%(new_version)s::BIGINT, "
    "updated_at=%(now)s::TIMESTAMP WITH TIME ZONE, body=CAST(%(new_body)s::VARCHAR AS JSON), "
    "lease_until=CASE WHEN (%(new_state)s = 'running') THEN lease_until END "
    'WHERE kind = %(this_kind)s::VARCHAR AND id = %(this_id)s::VARCHAR COLLATE "C" '
    "AND version + 1 = %(new_version)s::BIGINT"
)
GET = """
    SELECT id, state, version, updated_at, body FROM labkit_records
    WHERE kind = %(this_kind)s AND id = %(this_id)s"""
LIST = """
    SELECT id, state, version, updated_at, body FROM labkit_records
    WHERE kind = %(this_kind)s AND id > %(after)s AND state = {} ORDER BY id LIMIT %(most)s"""
LIST_IDS = """
    SELECT id FROM labkit_records
    WHERE kind = %(this_kind)s AND id > %(after)s ORDER BY id LIMIT %(most)s"""
DELETE = "DELETE FROM labkit_records WHERE kind = %(this_kind)s AND id = %(this_id)s"


@lru_cache(maxsize=32)
def save_over(states: tuple[str, ...] | None) -> str:
    """The statement that saves a record over one in any of these states, or in any at all."""
    if states is None:
        return SAVE
    among = " OR ".join(f"state = {_literal(state)}" for state in states) or "false"
    return f"{SAVE} AND {among}" if len(states) < 2 else f"{SAVE} AND ({among})"


@lru_cache(maxsize=32)
def list_in(state: str) -> str:
    """The statement that lists the records in this state."""
    return LIST.format(_literal(state))


def _literal(state: str) -> str:
    """The state as SQL text, its percent signs doubled: psycopg takes a single one for a parameter."""
    return Literal(str(state)).as_string(None).replace("%", "%%")
