"""State in the memory of one process: for tests of what stands on a store. A crash loses all of it.

It promises what every state store promises to the threads of this process, and keeps records as the JSON that they are
elsewhere, so that what could not be stored cannot be stored here either.
"""

import threading

from labkit.clock import Clock, SystemClock
from labkit.store import AlreadyExistsError, R, Record, check_replaces


class MemoryStateStore:
    """A StateStore in a dict. Two stores that are given the same `records` are one store, opened twice."""

    def __init__(self, records: dict[tuple[str, str], str] | None = None, clock: Clock | None = None) -> None:
        """Open the store; `records` maps (kind, id) to JSON. `clock` stamps `updated_at`."""
        self._records = {} if records is None else records
        self._clock = clock or SystemClock()
        self._writing = threading.RLock()

    def insert(self, record: R) -> R:
        """See StateStore.insert."""
        with self._writing:
            if (record.kind, record.id) in self._records:
                raise AlreadyExistsError(f"{record.kind} {record.id} exists already")
            return self._write(record, version=1)

    def save(self, record: R) -> R:
        """See StateStore.save."""
        with self._writing:
            stored = self.get(type(record), record.id)
            check_replaces(record, stored)
            return self._write(record, version=stored.version + 1)

    def get(self, kind: type[R], record_id: str) -> R | None:
        """See StateStore.get."""
        text = self._records.get((kind.kind, record_id))
        return None if text is None else kind.model_validate_json(text)

    def list_by_state(self, kind: type[R], state: str, *, after: str = "", limit: int = 100) -> list[R]:
        """See StateStore.list_by_state. Linear."""
        records = (self.get(kind, record_id) for record_id in self._ids(kind, after))
        return [record for record in records if record is not None and record.state == state][:limit]

    def list_ids(self, kind: type[Record], *, after: str = "", limit: int = 100) -> list[str]:
        """See StateStore.list_ids."""
        return self._ids(kind, after)[:limit]

    def delete(self, kind: type[Record], record_id: str) -> None:
        """See StateStore.delete."""
        with self._writing:
            self._records.pop((kind.kind, record_id), None)

    def _ids(self, kind: type[Record], after: str) -> list[str]:
        return sorted(record_id for of, record_id in list(self._records) if of == kind.kind and record_id > after)

    def _write(self, record: R, version: int) -> R:
        stamped = record.model_copy(update={"version": version, "updated_at": self._clock.now()})
        text = stamped.model_dump_json(warnings=False)
        stored = type(record).model_validate_json(text)  # what could not be read back is refused
        self._records[record.kind, record.id] = text
        return stored
