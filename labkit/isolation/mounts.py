"""A root of its own for a process: a tmpfs into which the files that it needs are bind-mounted. Linux only."""

import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

from labkit.isolation.confine import DEVICES
from labkit.isolation.process import LIBC

MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
MNT_DETACH = 2
SYS_MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY = 442, -100, 0x8000, 1
FRESH = ("/dev/shm", "/tmp")  # noqa: S108 - each a new tmpfs, which ends with the namespace
MOST = "size=512m,nr_inodes=128k"
"""Of a fresh folder: deleted files that somebody has open, too."""
STAGE = Path("/tmp")  # noqa: S108 - a folder that every machine has; what is mounted there is seen by nobody else


def move_in(read: Iterable[str], write: Iterable[str], fresh: Mapping[str, int]) -> None:
    """Make a root in memory that holds these files and folders, DEVICES and FRESH, and let go of the old root.

    Only what is in `write` can be changed, and `fresh` folders, in memory, each of which belongs to this user. What
    does not exist is left out. The namespace must be this process's own.
    """
    fixed = _with_goals(read)
    wanted = fixed | _with_goals([*DEVICES, *write])
    handles = {path: os.open(path, os.O_PATH) for path in wanted if not path.is_symlink()}  # STAGE may hide some
    links = {path: os.readlink(path) for path in wanted if path.is_symlink()}
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    os.umask(0o022)
    _mount("tmpfs", str(STAGE), "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=16m")
    for path in (*FRESH, "/proc"):
        _staged(path).mkdir(parents=True)
    for path in FRESH:
        _mount("tmpfs", str(_staged(path)), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=256m")
    for path, user in fresh.items():
        _staged(path).mkdir(parents=True)
        _mount("tmpfs", str(_staged(path)), "tmpfs", MS_NOSUID | MS_NODEV, f"mode=700,uid={user},gid={user},{MOST}")
    for path, goal in links.items():
        _staged(path).parent.mkdir(parents=True, exist_ok=True)
        _staged(path).symlink_to(goal)
    for path in sorted(handles):
        if not handles.keys() & {*path.parents}:
            _bind(handles[path], _staged(path), changeable=path not in fixed)
    for handle in handles.values():
        os.close(handle)
    _mount("proc", str(_staged("/proc")), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    os.chdir(STAGE)
    call("pivot_root", b".", b".")
    call("umount2", b".", MNT_DETACH)
    os.chdir("/")
    _freeze("/", 0)


def _with_goals(paths: Iterable[str]) -> set[Path]:
    """Those that exist, and for each the path that it resolves to."""
    return {each for path in map(Path, paths) if path.exists() for each in (path, path.resolve())}


def _staged(path: str | Path) -> Path:
    return STAGE / str(path).lstrip("/")


def _bind(handle: int, target: Path, *, changeable: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source = f"/proc/self/fd/{handle}"
    if os.path.isdir(source):
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    _mount(source, str(target), None, MS_BIND | MS_REC)
    if not changeable:
        _freeze(str(target), AT_RECURSIVE)


def _freeze(path: str, flags: int) -> None:
    """Make a mount read-only, by mount_setattr."""
    attributes = struct.pack("=4Q", MOUNT_ATTR_RDONLY, 0, 0, 0)
    call("syscall", SYS_MOUNT_SETATTR, AT_FDCWD, path.encode(), flags, attributes, len(attributes))


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str = "") -> None:
    call("mount", *(text and os.fsencode(text) for text in (source, target, kind)), flags, data.encode())


def call(name: str, *arguments: bytes | int | None) -> None:
    """Call a function of the C library. OSError if it returns anything but 0."""
    ctypes.set_errno(0)
    if getattr(LIBC, name)(*(ctypes.c_long(each) if isinstance(each, int) else each for each in arguments)):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {errno.errorcode.get(number, number)}")
