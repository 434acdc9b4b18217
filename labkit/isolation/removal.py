"""Removing what a stranger's code has put into a folder, whatever the depth, the modes and the names of it."""

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path


def remove(folder: Path) -> None:
    """Remove it with all that is in it, as far as we may. No process may use it any more."""
    with suppress(OSError):
        empty(folder)
        folder.rmdir()


def empty(folder: Path) -> None:
    """Remove all that is in it.

    Deep folders are taken apart from above: what is in one moves up beside it, so that no path is long.
    """
    names = (name for number in count() if not os.path.lexists(name := folder / f"{number}"))
    while entries := [*os.scandir(folder)]:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _move_out(entry.path, names)
                os.rmdir(entry.path)
            else:
                os.unlink(entry.path)


def _move_out(folder: str, names: Iterator[Path]) -> None:
    os.chmod(folder, 0o700)
    for entry in [*os.scandir(folder)]:
        if entry.is_dir(follow_symlinks=False):
            os.chmod(entry.path, 0o700)  # or its owner may not move it
        os.rename(entry.path, next(names))
