"""File times follow the virtual clock: what an effect has touched gets the world's time.

The kernel writes real times. After each effect they are set to the virtual now, in every role, so that an age which
the program computes from `st_mtime` is right in every life. `st_ctime` cannot be set: it stays real.
"""

import os
import time
from contextlib import suppress

UTIME = os.utime
"""Before anybody has put a shim in its place."""


def stamp(where: str | int, now: int | None = None) -> None:
    """Set the times of a path, or of what is open, to the virtual now, or to these nanoseconds."""
    now = time.time_ns() if now is None else now
    with suppress(OSError):  # it may be gone
        if isinstance(where, int):
            UTIME(where, ns=(now, now))
        else:
            UTIME(where, ns=(now, now), follow_symlinks=False)
