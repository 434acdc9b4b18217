"""The tables of updates and commands, and how they come to be."""

import sqlalchemy as sa

from labkit.events.tables import make_tables

LOCK = int.from_bytes(b"progress")
"""The advisory lock of whoever makes the tables."""
TABLES = """
    CREATE TABLE IF NOT EXISTS labkit_streams (run text PRIMARY KEY, last bigint NOT NULL);
    CREATE TABLE IF NOT EXISTS labkit_updates (
        run text, number bigint, key text, body json NOT NULL, PRIMARY KEY (run, number), UNIQUE (run, key));
    CREATE TABLE IF NOT EXISTS labkit_commands (
        run text, id text, what text NOT NULL, number bigint GENERATED ALWAYS AS IDENTITY,
        saved_at timestamptz NOT NULL, applied_at timestamptz, PRIMARY KEY (run, id))"""


def create_tables(engine: sa.Engine) -> None:
    """Make the tables of updates and commands, unless they are there; any number of processes may do so at once."""
    make_tables(engine, LOCK, TABLES)
