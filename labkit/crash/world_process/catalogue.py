"""Which tables of a database can be touched apart from each other, and of which a row can: for the orders of a race.

Tables that foreign keys tie together are one object, as a row of one locks a row of the other. A table whose defaults,
checks or indexes call functions of somebody's own is not in it: they may touch anything.
"""

from collections.abc import Iterable
from typing import Any

import psycopg

TABLES = """
    SELECT c.oid::regclass::text,
        (SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
            WHERE i.indrelid = c.oid AND i.indisprimary AND i.indnkeyatts = 1
            AND a.atttypid::regtype::text IN ('smallint', 'integer', 'bigint', 'text', 'character varying', 'uuid')),
        (SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid AND (i.indisunique OR i.indisexclusion)),
        NOT EXISTS (SELECT 1 FROM pg_attrdef d WHERE d.adrelid = c.oid AND pg_get_expr(adbin, adrelid) ~ 'nextval')
            AND NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attidentity <> ''),
        ARRAY(SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid
            AND a.attnum = ANY(i.indkey) WHERE i.indrelid = c.oid AND i.indisprimary)
    FROM pg_class c
    WHERE c.relkind = 'r' AND c.oid >= 16384 AND c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
        AND NOT c.relhasrules AND NOT c.relispartition AND NOT c.relrowsecurity
        AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.refclassid = 'pg_proc'::regclass AND d.objid IN (
            SELECT oid FROM pg_attrdef WHERE adrelid = c.oid UNION ALL
            SELECT oid FROM pg_constraint WHERE conrelid = c.oid UNION ALL
            SELECT indexrelid FROM pg_index WHERE indrelid = c.oid))
        AND NOT EXISTS (SELECT 1 FROM pg_inherits h WHERE c.oid IN (h.inhrelid, h.inhparent))
    ORDER BY 1
"""
TIES = "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'"


def catalogue(connection: psycopg.Connection) -> dict[str, dict[str, Any]]:
    """By table: the object that stands for it, its key if a row can stand for itself, and whether a new one can."""
    connection.execute("SET search_path = public")
    try:
        tables, ties = connection.execute(TABLES).fetchall(), connection.execute(TIES).fetchall()
    finally:
        connection.execute("SET search_path = ''")
    tied = {name for tie in ties for name in tie}
    return {
        name: {
            "object": ["sql", "+".join(_together(name, ties))],
            "key": key if unique == 1 and name not in tied else None,
            "insert": insert,
            "keys": keys,
        }
        for name, key, unique, insert, keys in tables
    }


def _together(name: str, ties: Iterable[tuple[str, str]]) -> list[str]:
    found = {name}
    while more := {each for tie in ties if found & {*tie} for each in tie} - found:
        found |= more
    return sorted(found)
