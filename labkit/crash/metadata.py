"""What a file is besides its content, as both sides have it: the child that changes it, and the model of the disk."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

TMP = "/tmp"  # noqa: S108 - a name; the folder itself lies beside the sandbox
"""What the folder for temporary files is called, in labels and trees."""
LSTAT, FSTAT, LISTXATTR = os.lstat, os.fstat, getattr(os, "listxattr", lambda _: ())


class Meta(NamedTuple):
    """Mode, time, owner and extended attributes. The time is virtual: the lab sets it at each effect."""

    mode: int
    modified: int
    """Nanoseconds."""
    user: int
    group: int
    attributes: tuple[tuple[str, str], ...] = ()
    """Names, and values in hexadecimal digits."""

    def plain(self) -> list[Any]:
        """As JSON has it."""
        return [*self[:4], [[*each] for each in self.attributes]]

    @classmethod
    def made(cls, told: list[Any]) -> "Meta":
        """From plain data."""
        return cls(*told[:4], tuple(map(tuple, told[4])))


def metadata(where: str | Path | int) -> Meta | None:
    """Of a path, not followed if it is a link, or of an open descriptor. None if nothing is there."""
    try:
        status = FSTAT(where) if isinstance(where, int) else LSTAT(where)
        attributes = () if stat.S_ISLNK(status.st_mode) else tuple(_attributes(where))
    except OSError:
        return None
    # By a function of the library's: the code that a NamedTuple generates for itself would look like code under test.
    return Meta._make((stat.S_IMODE(status.st_mode), status.st_mtime_ns, status.st_uid, status.st_gid, attributes))


def _attributes(where: str | Path | int) -> Iterator[tuple[str, str]]:
    for name in LISTXATTR(where):
        if name.startswith("user."):  # all others are the system's
            yield name, os.getxattr(where, name).hex()
