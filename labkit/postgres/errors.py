"""What a server's error means to whoever called, in one line that says what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError

from labkit.store import StoreError

ADVICE = {
    "53100": "the server's disk is full and nothing was changed: free some space, then do it again",
    "42P01": "the tables are not in this database: make them with create_schema or create_tables",
    "42501": "this user may not do that: use the user that owns the database",
    "password": "cannot connect: check the user and the password in the URL",
    "does not exist": "cannot connect: make the database anew, or check its name in the URL",
}
"""What to do, by SQLSTATE, or by what was said where there is none."""
CONNECT = "cannot connect: start the server, or check the address in the URL"


@contextmanager
def in_plain_words(errors: type[DBAPIError] = DBAPIError) -> Iterator[None]:
    """Make of an error of the server or the driver a StoreError of one line that says what to do."""
    try:
        yield
    except errors as error:
        raise StoreError(_plain(error)) from error


def _plain(error: DBAPIError) -> str:
    said = str(error.orig).strip().splitlines()[0]
    if error.connection_invalidated:
        return f"the connection was lost: nobody knows whether a save was done, so read the record again ({said})"
    known = sqlstate(error) or said
    advice = next((ADVICE[sign] for sign in ADVICE if sign in known), None)
    if advice is None:
        advice = CONNECT if isinstance(error, OperationalError) and not sqlstate(error) else "PostgreSQL refused"
    return f"{advice} ({said})"


def sqlstate(error: DBAPIError) -> str | None:
    """The server's code for the error. While connecting there is none: libpq does not pass it on."""
    return getattr(error.orig, "sqlstate", None)
