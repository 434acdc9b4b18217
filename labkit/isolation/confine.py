"""What a child may reach when a stranger's code runs in it: some folders, its own processes, no network but the lab's.

Landlock, rlimits and seccomp (`calls`), taken on by the child itself before it loads anything; code that runs in it
cannot undo them. Where the kernel has no Landlock, the others alone hold; who starts the lab has asked before
(`supports`).
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from labkit.isolation.calls import refuse, refuses
from labkit.isolation.process import LIBC

if sys.platform == "linux":
    import resource

    from py_landlock import AccessFs, Landlock, LandlockError, get_abi_version
    from py_landlock.abi import get_supported_fs

PR_SET_DUMPABLE = 4
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


@dataclass(frozen=True)
class Confinement:
    """The rights and limits of a confined child."""

    read: tuple[str, ...]
    """Files and folders that it may read and run."""
    write: tuple[str, ...] = ()
    """Folders that it may write, beside its sandbox."""
    memory: int = 2 * 2**30
    """Bytes of address space of one process."""
    processes: int = 64
    """RLIMIT_NPROC: processes and threads of its user at once, the lab's own among them."""
    file: int = 32 * 2**20
    """Bytes of one file."""
    files: int = 1024
    """Files that one process has open."""
    network: bool = True
    """Whether it may use TCP: in a network namespace of its own there is nobody else."""


def supports() -> dict[str, bool]:
    """What the Landlock of this kernel can forbid: "files", "tcp", "signals"."""
    try:
        abi = get_abi_version() if sys.platform == "linux" else 0
    except LandlockError:
        abi = 0
    return {"files": abi >= 1, "tcp": abi >= 4, "signals": abi >= 6}


def confine(to: Confinement, sandbox: Path | None) -> None:
    """By rlimits, seccomp and Landlock, give up everything else, in this process and all that it will start.

    `sandbox`: a folder that may be written, if any.
    """
    for what, most in (
        (resource.RLIMIT_AS, to.memory), (resource.RLIMIT_FSIZE, to.file),
        (resource.RLIMIT_NPROC, to.processes), (resource.RLIMIT_NOFILE, to.files), (resource.RLIMIT_CORE, 0),
    ):  # fmt: skip
        resource.setrlimit(what, (most, most))
    if refuses():
        refuse()
    if not supports()["files"]:
        return
    rules = Landlock(strict=False)
    if to.network:
        rules.allow_all_network()
    everything = get_supported_fs(rules.abi_version)
    read = AccessFs.EXECUTE | AccessFs.READ_FILE
    rules.add_path_rule(*filter(os.path.isfile, to.read), access=read)
    rules.add_path_rule(*filter(os.path.isdir, to.read), access=read | AccessFs.READ_DIR)
    rules.add_path_rule(*filter(os.path.exists, DEVICES), access=AccessFs.READ_FILE | AccessFs.WRITE_FILE)
    rules.add_path_rule(*to.write, *([sandbox] if sandbox else []), access=everything)
    rules.apply()


def hide() -> None:
    """By prctl, let no process of the same user read the memory of this one, or of those it forks."""
    if LIBC:
        LIBC.prctl(PR_SET_DUMPABLE, 0)
