"""State in files that survive a crash: one file per record, replaced whole or not at all.

    <root>/<kind>/<id>.json     {"schema": 1, "sha256": of schema and record, "record": …}
    <root>/.lock                held by whoever is writing, in whichever process

These three fields are the same in every schema, so that an older labkit can tell a newer record from a damaged one.
"""

import hashlib
import json
import os
import secrets
from pathlib import Path
from urllib.parse import unquote

from filelock import FileLock
from pydantic import ValidationError

from labkit.clock import Clock, SystemClock
from labkit.store import AlreadyExistsError, CorruptState, R, Record, UnsupportedSchemaError, check_replaces

SCHEMA = 1
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")
"""What stands for itself in a file name. Upper case does not: some file systems take "A" and "a" for one name."""
LONGEST = 200
"""Characters of a file name. Most file systems allow 255, and a temporary name is longer."""


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace the file at `path` by `data`: after a crash it holds the old bytes or the new ones, never a mixture.

    When this has returned, the new bytes survive a power cut as well. OSError if anything fails; the file is then the
    old one, or the new one whose name may not last. The order write, fsync, rename, fsync of the directory is from
    Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
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


def make_directory(path: Path) -> None:
    """Make a directory, and those above it that are missing, so that their names survive a power cut."""
    if not path.is_dir():
        make_directory(path.parent)
        path.mkdir(exist_ok=True)
        sync_directory(path.parent)


class FileStateStore:
    """A StateStore in a directory. Saving costs the same with ten records and with 100,000; listing reads them all.

    A crash in mid-save can leave a `.tmp` file behind; nothing ever reads it.
    """

    def __init__(self, root: str | os.PathLike[str], clock: Clock | None = None) -> None:
        """Open the store in `root`, which is made if need be. `clock` stamps `updated_at`."""
        self._root = Path(root)
        self._clock = clock or SystemClock()
        make_directory(self._root)

    def insert(self, record: R) -> R:
        """See StateStore.insert."""
        path = self._path(type(record), record.id)
        with self._writing():
            if path.exists():
                raise AlreadyExistsError(f"{record.kind} {record.id} exists already")
            make_directory(path.parent)
            return self._write(record, version=1)

    def save(self, record: R) -> R:
        """See StateStore.save."""
        with self._writing():
            stored = self.get(type(record), record.id)
            check_replaces(record, stored)
            return self._write(record, version=stored.version + 1)

    def get(self, kind: type[R], record_id: str) -> R | None:
        """See StateStore.get."""
        path = self._path(kind, record_id)
        try:
            record = _parse(kind, path.name, path.read_bytes())
        except FileNotFoundError:
            return None
        if record.id != record_id:
            raise CorruptState(f"{path.name} cannot be read: it holds the {kind.kind} {record.id}")
        return record

    def list_by_state(self, kind: type[R], state: str, *, after: str = "", limit: int = 100) -> list[R]:
        """See StateStore.list_by_state. Linear: reads every record of the kind whose id is greater than `after`."""
        found = []
        for record_id in self._ids(kind, after):
            if len(found) == limit:
                break
            record = self.get(kind, record_id)
            if record is not None and record.state == state:
                found.append(record)
        return found

    def list_ids(self, kind: type[Record], *, after: str = "", limit: int = 100) -> list[str]:
        """See StateStore.list_ids. Reads no record, but the names of all."""
        return self._ids(kind, after)[:limit]

    def delete(self, kind: type[Record], record_id: str) -> None:
        """See StateStore.delete."""
        path = self._path(kind, record_id)
        with self._writing():
            if path.exists():
                path.unlink()
                sync_directory(path.parent)

    def _writing(self) -> FileLock:
        return FileLock(self._root / ".lock")

    def _ids(self, kind: type[Record], after: str) -> list[str]:
        ids = (unquote(path.stem) for path in (self._root / kind.kind).glob("[!.]*.json"))
        return sorted(record_id for record_id in ids if record_id > after)

    def _path(self, kind: type[Record], record_id: str) -> Path:
        # Not every id may be a file name. Without a plain "." none is hidden, and ".." leads nowhere.
        name = "".join(c if c in PLAIN else "".join(f"%{byte:02x}" for byte in c.encode()) for c in record_id)
        if len(name) > LONGEST:
            raise ValueError(f"the id {record_id[:40]}… is too long: as a file name it has {len(name)} characters")
        return self._root / kind.kind / f"{name}.json"

    def _write(self, record: R, version: int) -> R:
        stamped = record.model_copy(update={"version": version, "updated_at": self._clock.now()})
        body = stamped.model_dump(mode="json", warnings=False)
        stored = type(record).model_validate(body)  # what could not be read back is refused before it is written
        document = {"schema": SCHEMA, "sha256": _checksum(SCHEMA, body), "record": body}
        path = self._path(type(record), record.id)
        write_atomically(path, json.dumps(document, indent=1, allow_nan=False).encode())
        return stored


def _parse(kind: type[R], name: str, data: bytes) -> R:
    try:
        document = json.loads(data)
        schema, body = document["schema"], document["record"]
        whole = document["sha256"] == _checksum(schema, body)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CorruptState(f"{name} cannot be read: it is not a whole record") from error
    if not whole:
        raise CorruptState(f"{name} cannot be read: its checksum does not match its content")
    if schema != SCHEMA:
        raise UnsupportedSchemaError(f"{name} has schema {schema}; this labkit knows schema {SCHEMA}")
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        raise CorruptState(f"{name} cannot be read: it does not hold a {kind.kind}") from error


def _checksum(schema: object, body: object) -> str:
    return hashlib.sha256(json.dumps([schema, body]).encode()).hexdigest()
