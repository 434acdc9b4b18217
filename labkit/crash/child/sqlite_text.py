"""What a statement of SQLite changes, and the statements of a script."""

import re
import sqlite3
from collections.abc import Iterator

from labkit.crash.child.statements import from_verb

CHANGES = re.compile(
    r"\s*(?:WITH\b.*?\b)?(INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER|VACUUM|REINDEX|ANALYZE)\b",
    re.IGNORECASE | re.DOTALL,
)
COMMITS = re.compile(r"\s*(?:COMMIT|END|RELEASE)\b", re.IGNORECASE)
PRAGMA = re.compile(r"\s*PRAGMA\s+(?:\w+\.)?(\w+)\s*(?:[=(]|;?\s*$)", re.IGNORECASE)
CHANGING = {
    *("journal_mode", "user_version", "application_id", "wal_checkpoint", "incremental_vacuum", "encoding"),
    *("optimize", "schema_version"),
}
"""The pragmas that write to the file."""
TABLE = re.compile(
    r"\b(?:FROM|INTO|UPDATE(?:\s+OR\s+\w+)?|(?:TABLE|INDEX|VIEW|TRIGGER)(?:\s+IF\s+(?:NOT\s+)?EXISTS)?)"
    r"\s+[\"'`\[]?([\w.]+)",
    re.IGNORECASE,
)
Label = tuple[str, str]


def label(statement: str) -> Label | None:
    """What a statement changes, as an effect; None if it changes nothing."""
    statement = from_verb(statement)
    if found := CHANGES.match(statement):
        table = TABLE.search(statement, found.start(1))
        return found[1].upper(), table[1] if table else ""
    if COMMITS.match(statement):
        return "COMMIT", ""
    pragma = PRAGMA.match(statement)
    return ("PRAGMA", pragma[1].lower()) if pragma and pragma[1].lower() in CHANGING else None


def statements(script: str) -> Iterator[str]:
    """The statements of a script, as SQLite itself tells them apart."""
    begun = ""
    for part in re.split(r"(;)", script):
        begun += part
        if part == ";" and sqlite3.complete_statement(begun):
            yield begun
            begun = ""
    if begun.strip():
        yield begun
