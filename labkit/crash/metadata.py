"""What a file is besides its content, as both sides have it: the child that changes it, and the model of the disk."""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

TMP = "/tmp"  # noqa: S108 - a name; the folder itself lies beside the sandbox
"""What the folder for temporary files is called, in labels and trees."""
LSTAT, FSTAT = os.lstat, os.fstat


class Meta(NamedTuple):
    """Mode, time, owner and extended attributes. The time is virtual: the lab sets it at each effect."""

    mode: int
    modified: int
    """Nanoseconds."""
    user: int
    group: int
    attributes: tuple[tuple[str, str], ...] = ()
    """Names, and values in hexadecimal digits."""

    @classmethod
    def made(cls, told: list[Any]) -> "Meta":
        """From plain data."""
        return cls(*told[:4], tuple(map(tuple, told[4])))


def metadata(where: str | Path | int) -> Meta | None:
    """Of a path, not followed if it is a link, or of an open descriptor. None if nothing is there."""
    try:
        status = FSTAT(where) if isinstance(where, int) else LSTAT(where)
    except OSError:
        return None
    attributes = []
    if hasattr(os, "listxattr") and not stat.S_ISLNK(status.st_mode):
        with suppress(OSError):
            names = sorted(name for name in os.listxattr(where) if name.startswith("user."))  # others are the system's
            attributes = [(name, os.getxattr(where, name).hex()) for name in names]
    owner = status.st_uid, status.st_gid
    # By a function of the library's: the code that a NamedTuple generates for itself would look like code under test.
    return Meta._make((stat.S_IMODE(status.st_mode), status.st_mtime_ns, *owner, tuple(attributes)))
