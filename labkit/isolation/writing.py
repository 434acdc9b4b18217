"""Where a process may write, or that it may read nothing: Landlock, as C code passes by what stands before Python's.

A ruleset is made once, and taken on by each child: that costs it one system call.
"""

import os
import sys
from collections.abc import Iterable

from labkit.isolation.confine import DEVICES, supports

if sys.platform == "linux":
    from py_landlock import AccessFs, PathBeneathAttr, RulesetAttr, add_rule, create_ruleset, get_abi_version
    from py_landlock import restrict_self as _restrict_self
    from py_landlock.abi import get_supported_fs
    from py_landlock.prctl import set_no_new_privs

LEAST = 2
"""The version of Landlock without which no file can be moved from one folder into another."""
TERMINALS = ("/dev/full", "/dev/tty", "/dev/pts")


def ruleset(places: Iterable[str]) -> int | None:
    """A descriptor for `restrict`: only there, and to devices, may be written. None where the kernel knows no Landlock.

    A place that is not there yet stands for the folder in which it would be made. This process, and so each of its
    forks, gets no more rights by what it starts (no_new_privs), without which nobody may restrict itself.
    """
    if not supports()["files"] or (version := get_abi_version()) < LEAST:
        return None
    reading = AccessFs.EXECUTE | AccessFs.READ_FILE | AccessFs.READ_DIR | AccessFs.IOCTL_DEV
    every = get_supported_fs(version) & ~reading
    of_a_file = every & (AccessFs.WRITE_FILE | AccessFs.TRUNCATE)
    set_no_new_privs()
    made = create_ruleset(RulesetAttr(handled_access_fs=int(every)))
    for place in {_nearest(place) for place in places} | {*filter(os.path.exists, (*DEVICES, *TERMINALS))}:
        fd = os.open(place, os.O_PATH | os.O_CLOEXEC)
        access = every if os.path.isdir(place) else of_a_file
        add_rule(made, PathBeneathAttr(allowed_access=int(access), parent_fd=fd))
        os.close(fd)
    return made


def restrict(fd: int) -> None:
    """In this process and all that it will start, and for good."""
    _restrict_self(fd, None)


def forbid_reading() -> bool:
    """No file can be opened for reading any more, though it is seen to be there. False where nobody can forbid it."""
    if not supports()["files"]:
        return False
    set_no_new_privs()
    restrict(create_ruleset(RulesetAttr(handled_access_fs=int(AccessFs.READ_FILE))))
    return True


def _nearest(place: str) -> str:
    full = os.path.realpath(place)
    while not os.path.exists(full):
        full = os.path.dirname(full)
    return full
