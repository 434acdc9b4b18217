"""State in files that survive a crash: one file per record, replaced whole or not at all.

    <root>/<kind>/<id>.json     {"schema": 1, "sha256": …, "record": …}
    <root>/.lock                held by whoever is writing, in whichever process
"""

import hashlib
import json
import os
import secrets
from pathlib import Path
from urllib.parse import quote, unquote

from filelock import FileLock
from pydantic import ValidationError

from labkit.clock import Clock, SystemClock
from labkit.store import (
    AlreadyExistsError,
    CorruptState,
    NotFoundError,
    R,
    Record,
    UnsupportedSchemaError,
    VersionConflictError,
)

SCHEMA = 1


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace the file at `path` by `data`: after a crash it holds the old bytes or the new ones, never a mixture.

    When this has returned, the new bytes survive a power cut as well. OSError if anything fails; the old file is then
    untouched. The order write, fsync, rename, fsync of the directory is from Pillai et al., "All File Systems Are Not
    Created Equal", OSDI 2014.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with open(temporary, "xb") as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable. Windows has no such call, and its rename is journalled."""
    if os.name == "nt":
        return
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class FileStateStore:
    """A StateStore in a directory. Saving costs the same with ten records and with 100,000; listing reads them all.

    A crash in mid-save can leave a `.tmp` file behind; nothing ever reads it.
    """

    def __init__(self, root: str | os.PathLike[str], clock: Clock | None = None) -> None:
        """Open the store in `root`, which is made if need be. `clock` stamps `updated_at`."""
        self._root = Path(root)
        self._clock = clock or SystemClock()
        self._root.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self._root / ".lock")

    def insert(self, record: R) -> R:
        """See StateStore.insert."""
        path = self._path(type(record), record.id)
        with self._lock:
            if path.exists():
                raise AlreadyExistsError(f"{record.kind} {record.id} exists already")
            if not path.parent.exists():
                path.parent.mkdir()
                sync_directory(self._root)
            return self._write(path, record)

    def save(self, record: R) -> R:
        """See StateStore.save."""
        path = self._path(type(record), record.id)
        with self._lock:
            stored = self._read(type(record), path)
            if stored is None:
                raise NotFoundError(f"{record.kind} {record.id} was never inserted")
            if stored.version != record.version:
                raise VersionConflictError(
                    f"{record.kind} {record.id}: version {record.version} was read, {stored.version} is stored"
                )
            record.check_follows(stored)
            return self._write(path, record)

    def get(self, kind: type[R], record_id: str) -> R | None:
        """See StateStore.get."""
        return self._read(kind, self._path(kind, record_id))

    def list_by_state(self, kind: type[R], state: str, *, after: str = "", limit: int = 100) -> list[R]:
        """See StateStore.list_by_state. Linear: reads every record of the kind whose id is greater than `after`."""
        ids = sorted(unquote(path.stem) for path in (self._root / kind.kind).glob("[!.]*.json"))
        found = []
        for record_id in ids:
            if len(found) == limit:
                break
            record = self.get(kind, record_id) if record_id > after else None
            if record is not None and record.state == state:
                found.append(record)
        return found

    def delete(self, kind: type[Record], record_id: str) -> None:
        """See StateStore.delete."""
        path = self._path(kind, record_id)
        with self._lock:
            if path.exists():
                path.unlink()
                sync_directory(path.parent)

    def _path(self, kind: type[Record], record_id: str) -> Path:
        # Not every id may be a file name; "%2E" keeps ids such as ".." and ".lock" out of the hidden files.
        name = quote(record_id, safe="").replace(".", "%2E")
        return self._root / kind.kind / f"{name}.json"

    def _write(self, path: Path, record: R) -> R:
        stored = record.model_copy(update={"version": record.version + 1, "updated_at": self._clock.now()})
        body = stored.model_dump(mode="json")
        document = {"schema": SCHEMA, "sha256": _checksum(body), "record": body}
        write_atomically(path, json.dumps(document, indent=1).encode())
        return stored

    def _read(self, kind: type[R], path: Path) -> R | None:
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            document = json.loads(text)
            schema, checksum, body = document["schema"], document["sha256"], document["record"]
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptState(f"{path.name} cannot be read: it is not a whole record") from error
        if schema != SCHEMA:
            raise UnsupportedSchemaError(f"{path.name} has schema {schema}; this labkit knows schema {SCHEMA}")
        if checksum != _checksum(body):
            raise CorruptState(f"{path.name} cannot be read: its checksum does not match its content")
        try:
            return kind.model_validate(body)
        except ValidationError as error:
            raise CorruptState(f"{path.name} cannot be read: it does not hold a {kind.kind}") from error


def _checksum(body: object) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
