"""What can go wrong with a database server, in one line that says what to do."""

from labkit.store import StoreError


class DatabaseError(StoreError):
    """There is no database to work with, or it is not what it should be. Its text is one line with the next step."""
