"""The tables, and how they come to be.

    labkit_records    kind, id, state, version, updated_at, body; for claims (chapter 5b) priority, lease_until, token
    labkit_schema     one row: the version of these tables

The columns are the truth and the body does not repeat them, so that SQL alone can move a record on.
"""

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from labkit.postgres.connections import in_autocommit
from labkit.postgres.errors import in_plain_words, sqlstate
from labkit.store import UnsupportedSchemaError

SCHEMA_VERSION = 1
LOCK = int.from_bytes(b"schema")
"""The advisory lock of whoever makes the tables."""

metadata = sa.MetaData()
RECORDS = sa.Table(
    "labkit_records",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("id", sa.Text(collation="C"), primary_key=True),  # Python's order of texts
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("body", sa.JSON, nullable=False),  # json, not jsonb: it keeps the order of the journal, and NUL
    sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
    sa.Column("lease_until", sa.DateTime(timezone=True)),
    sa.Column("token", sa.BigInteger, nullable=False, server_default="0"),
)
_c = RECORDS.c
sa.Index("labkit_by_state", _c.kind, _c.state, _c.id, postgresql_where=_c.state != "completed")
sa.Index("labkit_to_claim", _c.kind, _c.priority.desc(), _c.id, postgresql_where=_c.state == "pending")
sa.Index("labkit_leases", _c.kind, _c.lease_until, postgresql_where=_c.state == "running")
SCHEMA = sa.Table("labkit_schema", metadata, sa.Column("version", sa.Integer, primary_key=True, autoincrement=False))


def create_schema(engine: sa.Engine) -> None:
    """Make the tables in one transaction, unless they are there; any number of processes may do so at once.

    UnsupportedSchemaError if those of another version are there: they are left alone.
    """
    with in_plain_words():
        version = _schema_version(engine)
        if version is None:
            with engine.execution_options(isolation_level="READ COMMITTED").begin() as connection:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))  # until the end of the transaction
                metadata.create_all(connection)
                version = connection.scalar(sa.select(SCHEMA))
                if version is None:
                    version = connection.scalar(sa.insert(SCHEMA).values(version=SCHEMA_VERSION).returning(SCHEMA))
    if version != SCHEMA_VERSION:
        raise UnsupportedSchemaError(f"the database has schema {version}; this labkit knows schema {SCHEMA_VERSION}")


def _schema_version(engine: sa.Engine) -> int | None:
    try:
        with in_autocommit(engine) as connection:
            found = connection.execute("SELECT version FROM labkit_schema").fetchone()
            return found and found[0]
    except DBAPIError as error:
        if sqlstate(error) == "42P01":  # undefined_table
            return None
        raise
