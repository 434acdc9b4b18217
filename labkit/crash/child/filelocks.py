"""The library filelock in a race: its FileLock is taken as the lock that it is; what it does to its file is no step.

It polls: a waiting worker would open the file, be refused and sleep, again and again, in ever more orders. SoftFileLock
is no lock of the system; each of its steps is a step.
"""

import sys
from collections.abc import Iterator
from types import FrameType

DEPTH = 12
"""Frames between a call of the system and `acquire`."""


def acts() -> bool:
    """Whether a FileLock acts now."""
    return any(_is_lock(frame) for frame in _frames())


def waits() -> bool:
    """Whether it does so until it has the lock, however long that takes."""
    for frame in _frames():
        known = frame.f_locals
        if isinstance(known.get("timeout"), int | float) and "blocking" in known:
            return bool(known["blocking"]) and known["timeout"] < 0 and acts()
    return False


def _frames() -> Iterator[FrameType]:
    frame = sys._getframe(2) if "filelock" in sys.modules else None  # noqa: SLF001 - public in all but name
    for _ in range(DEPTH):
        if frame is None:
            return
        if frame.f_globals.get("__name__", "").startswith("filelock"):
            yield frame
        frame = frame.f_back


def _is_lock(frame: FrameType) -> bool:
    return "UnixFileLock" in [kind.__name__ for kind in type(frame.f_locals.get("self")).__mro__]
