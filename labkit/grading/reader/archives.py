"""The files in a student's archive, unpacked in memory: nothing is written, no link followed, no bomb let off."""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import IO

MOST_FILES, MOST_BYTES, DEEPEST = 5000, 100 * 2**20, 2
"""Files of one archive; bytes that are unpacked of it, together with those inside; archives within archives."""
MOST_LISTED = 4 * 2**20
"""Bytes of a zip's list of files: Python reads all of it at once."""
END_OF_ZIP = b"PK\5\6"
BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, KeyError,
          NotImplementedError, RuntimeError, IndexError)  # fmt: skip
"""What Python's readers raise for archives that are damaged, encrypted, or packed as they do not know."""
COMPRESSED: dict[bytes, Callable[[IO[bytes]], IO[bytes]]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}
"""First bytes → what reads such a file."""


class ArchiveError(Exception):
    """An archive that cannot be used, and why."""


@dataclass(frozen=True)
class Member:
    """A file in an archive. If it could not be read, `problem` says why."""

    name: str
    data: bytes = b""
    when: float = 0.0
    problem: str = ""


def is_archive(data: bytes) -> bool:
    """Whether these are the first bytes of an archive that can be unpacked."""
    return data.startswith((b"PK\3\4", END_OF_ZIP, *COMPRESSED)) or data[257:262] == b"ustar"


class Budget:
    """How many bytes may still be unpacked."""

    left = MOST_BYTES

    def read(self, file: IO[bytes]) -> bytes:
        """All of the file. ArchiveError if it is more than is left."""
        data = file.read(self.left + 1)
        self.left -= len(data)
        if self.left < 0:
            raise ArchiveError(f"unpacked, it has more than {MOST_BYTES // 2**20} MB")
        return data


def names(data: bytes) -> Iterator[str]:
    """The names of the files in it, of the first of them if there are too many; none of what cannot be used."""
    with suppress(*BROKEN, ArchiveError):
        yield from (name for name, *_ in islice(_listed(data, Budget()), MOST_FILES))


def members(
    data: bytes,
    wanted: Callable[[str], bool],
    budget: Budget | None = None,
    depth: int = 1,
    mine: Callable[[str], bool] = lambda _: True,
) -> Iterator[Member]:
    """The files in it whose names are `wanted`, and those in the archives in it. ArchiveError if it cannot be used.

    Of its own files only those that are also `mine`.
    """
    budget = budget or Budget()
    try:
        for number, (name, when, link, opened) in enumerate(_listed(data, budget)):
            if number >= MOST_FILES:
                raise ArchiveError(f"it holds more than {MOST_FILES} files")
            if not mine(name):
                continue
            if link or name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/"):
                yield Member(name, problem="is a link or leads out of its archive: it was not read")
            elif wanted(name):
                with opened() as file:
                    member = Member(name, budget.read(file), when)
                yield from _unpacked(member, wanted, budget, depth)
    except BROKEN as error:
        encrypted = "encrypted" in str(error) or "password" in str(error)
        raise ArchiveError(
            "it needs a password" if encrypted else f"it is damaged: {error or type(error).__name__}"
        ) from None


def _unpacked(member: Member, wanted: Callable[[str], bool], budget: Budget, depth: int) -> Iterator[Member]:
    if not is_archive(member.data):
        yield member
        return
    if depth == DEEPEST:
        yield Member(member.name, problem="is an archive in an archive in an archive: it was not read")
        return
    try:
        for inner in members(member.data, wanted, budget, depth + 1):
            yield Member(f"{member.name}/{inner.name}", inner.data, inner.when, inner.problem)
    except ArchiveError as error:
        if budget.left < 0:
            raise
        yield Member(member.name, problem=f"cannot be used: {error}")


Listed = tuple[str, float, bool, Callable[[], IO[bytes]]]
"""A file's name, time, whether it is a link, and what opens it."""


def _listed(data: bytes, budget: Budget) -> Iterator[Listed]:
    return _in_zip(data) if data.startswith((b"PK\3\4", END_OF_ZIP)) else _in_tar(data, budget)


def _in_zip(data: bytes) -> Iterator[Listed]:
    end = data.rfind(END_OF_ZIP)
    if end < 0 or int.from_bytes(data[end + 12 : end + 16], "little") > MOST_LISTED:
        raise ArchiveError("it is cut off, or lists too many files")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                when = datetime(*info.date_time, tzinfo=UTC).timestamp()
                yield info.filename, when, stat.S_ISLNK(info.external_attr >> 16), partial(archive.open, info)


def _in_tar(data: bytes, budget: Budget) -> Iterator[Listed]:
    for first, opened in COMPRESSED.items():
        if data.startswith(first):
            with opened(io.BytesIO(data)) as file:
                data = budget.read(file)
    if data[257:262] != b"ustar":
        yield "", 0.0, False, lambda: io.BytesIO(data)
        return
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for info in archive:
            if not info.isdir():
                yield info.name, float(info.mtime), not info.isfile(), partial(archive.extractfile, info)
