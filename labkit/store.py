"""What a state store promises, whatever it is made of. Files keep the promise in chapter 1, PostgreSQL in chapter 5.

A store keeps records of several kinds. Each record has a version; `save` is a compare-and-swap on it.
"""

from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import ClassVar, Protocol, Self, TypeVar

T = TypeVar("T")
PAGE = 100
"""How many `paged` asks for at a time."""


class StoreError(Exception):
    """A state store could not do what it was asked."""


class AlreadyExistsError(StoreError):
    """`insert` met a record with the same kind and id."""


class NotFoundError(StoreError):
    """There is no record of this kind and id to save over."""


class VersionConflictError(StoreError):
    """Another writer saved this record since it was read."""


class CorruptState(StoreError):  # noqa: N818 - the name that the exercises use
    """What is stored cannot be read. It is never the same as "nothing is stored"."""


class UnsupportedSchemaError(StoreError):
    """The record was written by another version of labkit, in a form this one does not know."""


class Record(Protocol):
    """What a store needs of a record. Pydantic models such as Task have the rest."""

    kind: ClassVar[str]
    id: str
    state: str
    version: int
    updated_at: datetime

    @property
    def may_follow(self) -> Collection[str] | None:
        """The stored states that this record may replace; None if any: what a store can ask in a WHERE clause."""

    def check_follows(self, stored: Self) -> None:
        """Raise unless this record may replace `stored`."""


R = TypeVar("R", bound=Record)


def check_replaces(record: R, stored: R | None) -> None:
    """Raise what `StateStore.save` promises unless `record` may replace what is stored under its id."""
    name = f"{record.kind} {record.id}"
    if stored is None:
        raise NotFoundError(f"{name} was never inserted")
    if stored.version != record.version:
        raise VersionConflictError(f"{name}: version {record.version} was read, {stored.version} is stored")
    record.check_follows(stored)


class StateStore(Protocol):
    """Versioned records of several kinds, named by (kind, id)."""

    def insert(self, record: R) -> R:
        """Store a new record and return it as stored (version 1). AlreadyExistsError if the id is taken.

        Of several inserts of one id, in any processes, exactly one succeeds: the atomic claim of a key.
        """

    def save(self, record: R) -> R:
        """Replace the record and return it as stored, its version one higher.

        NotFoundError if it was never inserted, VersionConflictError if another writer was first, and whatever
        `record.check_follows` raises. When `save` has returned, the record survives a crash.
        """

    def get(self, kind: type[R], record_id: str) -> R | None:
        """The record, or None if there is none. CorruptState if there is one that cannot be read."""

    def list_by_state(self, kind: type[R], state: str, *, after: str = "", limit: int = 100) -> list[R]:
        """Up to `limit` records in `state` whose id is greater than `after`, in the order of their ids."""

    def list_ids(self, kind: type[Record], *, after: str = "", limit: int = 100) -> list[str]:
        """Up to `limit` ids of this kind greater than `after`, in order: of records that cannot be read, too."""

    def delete(self, kind: type[Record], record_id: str) -> None:
        """Forget the record; no error if there is none."""


def paged(listing: Callable[..., list[T]], *about: object, after: str = "") -> Iterator[T]:
    """All that a store's `list_by_state` or `list_ids` lists after `after`, page by page, in the order of the ids.

    A page begins after the last id of the one before: each is met once, although its state may stay as it is.
    """
    while page := listing(*about, after=after, limit=PAGE):
        yield from page
        if len(page) < PAGE:
            return
        after = getattr(page[-1], "id", page[-1])
