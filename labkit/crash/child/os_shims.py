"""The functions of `os` that change a file system, each told to `Files`, which knows what it does to the sandbox.

Each shim gets the Files, the name it stands for and the real function, then that function's own arguments.
`stand_ins` puts them in place.
"""

import os
import time
from collections.abc import Callable
from fcntl import F_DUPFD, F_DUPFD_CLOEXEC
from functools import partial
from typing import Any

from labkit.crash.child.files import Files
from labkit.crash.child.patch import Real
from labkit.crash.child.pids import ACTIVE as PROCESSES
from labkit.crash.child.procfs import led

SHIMS: dict[str, Real] = {}
COPIES = {F_DUPFD, F_DUPFD_CLOEXEC}


def shim(*names: str) -> Callable[[Real], Real]:
    """Register a shim for functions of `os`."""

    def register(function: Real) -> Real:
        SHIMS.update(dict.fromkeys(names, function))
        return function

    return register


@shim("open")
def _open(files: Files, _: str, real: Real, path: Any, flags: int, mode: int = 0o777, *, dir_fd: Any = None) -> int:
    name = led(PROCESSES[0], path) if PROCESSES else path
    return files.open(path, flags, partial(real, name, flags, mode, dir_fd=dir_fd), dir_fd)


@shim("close")
def _close(files: Files, _: str, real: Real, fd: int) -> None:
    files.close(fd)
    real(fd)


@shim("dup")
def _dup(files: Files, _: str, real: Real, fd: int) -> int:
    return files.copied(fd, real(fd))


@shim("dup2")
def _dup2(files: Files, _: str, real: Real, fd: int, fd2: int, *rest: Any, **options: Any) -> int:
    return files.copied(fd, real(fd, fd2, *rest, **options))


def fcntl(real: Real, files: Files, fd: Any, command: int, *args: Any) -> Any:
    """For `fcntl.fcntl`, which copies descriptors as well."""
    result = real(fd, command, *args)
    return files.copied(fd if isinstance(fd, int) else fd.fileno(), result) if command in COPIES else result


@shim("write")
def _write(files: Files, _: str, real: Real, fd: int, data: Any) -> int:
    return files.write(fd, bytes(data), partial(real, fd, data))


@shim("pwrite")
def _pwrite(files: Files, _: str, real: Real, fd: int, data: Any, offset: int) -> int:
    return files.write(fd, bytes(data), partial(real, fd, data, offset), offset)


@shim("writev")
def _writev(files: Files, _: str, real: Real, fd: int, buffers: Any) -> int:
    return files.write(fd, b"".join(map(bytes, buffers)), partial(real, fd, buffers))


@shim("pwritev")
def _pwritev(files: Files, _: str, real: Real, fd: int, buffers: Any, offset: int, flags: int = 0) -> int:
    return files.write(fd, b"".join(map(bytes, buffers)), partial(real, fd, buffers, offset, flags), offset)


@shim("sendfile")
def _sendfile(
    files: Files, _: str, real: Real, out_fd: int, in_fd: int, offset: int | None, count: int, *rest: Any
) -> int:
    if out_fd not in files.opened:
        return real(out_fd, in_fd, offset, count, *rest)
    return os.write(out_fd, os.read(in_fd, count) if offset is None else os.pread(in_fd, count, offset))


@shim("copy_file_range")
def _copy_file_range(
    files: Files,
    _: str,
    real: Real,
    src: int,
    dst: int,
    count: int,
    offset_src: int | None = None,
    offset_dst: int | None = None,
) -> int:
    if dst not in files.opened:
        return real(src, dst, count, offset_src, offset_dst)
    data = os.read(src, count) if offset_src is None else os.pread(src, count, offset_src)
    return os.write(dst, data) if offset_dst is None else os.pwrite(dst, data, offset_dst)


@shim("splice")
def _splice(files: Files, name: str, real: Real, src: int, dst: int, count: int, *offsets: Any, **options: Any) -> int:
    if dst not in files.opened:
        return real(src, dst, count, *offsets, **options)
    options.pop("flags", None)
    return _copy_file_range(files, name, real, src, dst, count, *offsets[:2], **options)


@shim("posix_fallocate")
def _fallocate(files: Files, _: str, real: Real, fd: int, offset: int, length: int) -> None:
    size = max(os.fstat(fd).st_size, offset + length)
    files.on_descriptor("truncate", fd, partial(real, fd, offset, length), size=size)


@shim("fsync", "fdatasync")
def _fsync(files: Files, _: str, real: Real, fd: Any) -> None:
    fd = fd if isinstance(fd, int) else fd.fileno()
    files.on_descriptor("fsync", fd, partial(real, fd))


@shim("sync")
def _sync(files: Files, name: str, _: Real) -> None:
    """An effect for the model of the disk. The machine's own disks are left alone."""
    files.effect(name, "", lambda: None, [])


@shim("truncate", "ftruncate")
def _truncate(files: Files, _: str, real: Real, where: Any, length: int) -> None:
    perform = partial(real, where, length)
    if isinstance(where, int):
        files.on_descriptor("truncate", where, perform, size=length)
    else:
        files.on_names("truncate", [(where, None)], perform, size=length)


@shim("unlink", "remove", "rmdir")
def _remove(files: Files, name: str, real: Real, path: Any, *, dir_fd: Any = None) -> None:
    op = "rmdir" if name == "rmdir" else "unlink"
    files.on_names(op, [(path, dir_fd)], partial(real, path, dir_fd=dir_fd))


@shim("mkdir")
def _mkdir(files: Files, name: str, real: Real, path: Any, mode: int = 0o777, *, dir_fd: Any = None) -> None:
    files.on_names(name, [(path, dir_fd)], partial(real, path, mode, dir_fd=dir_fd))


@shim("utime")
def _utime(files: Files, name: str, real: Real, where: Any, times: Any = None, **options: Any) -> None:
    def now(*args: Any, **rest: Any) -> None:  # as the kernel would, by its own clock: in the same step
        real(*args, ns=(time.time_ns(),) * 2, **rest)

    takes_now = times is None and "ns" not in options
    _metadata(files, name, now if takes_now else real, where, times, **options)


@shim("chmod", "lchmod", "fchmod", "chown", "lchown", "fchown", "setxattr", "removexattr")
def _metadata(files: Files, name: str, real: Real, where: Any, *args: Any, **options: Any) -> None:
    follow = options.get("follow_symlinks", not name.startswith("l"))
    op = name.removeprefix("l").removeprefix("f")
    files.on_metadata(op, where, partial(real, where, *args, **options), options.get("dir_fd"), follow=follow)


@shim("mkfifo", "mknod")
def _special(files: Files, name: str, real: Real, path: Any, *args: Any, **options: Any) -> None:
    if files.inside(path) is None:
        files.outside(path)
        return real(path, *args, **options)
    files.trace.refuse(f"call os.{name}", "the crash lab explores files and folders")
    return None


@shim("rename", "replace", "link")
def _rename(files: Files, name: str, real: Real, src: Any, dst: Any, **dir_fds: Any) -> None:
    names = [(src, dir_fds.get("src_dir_fd")), (dst, dir_fds.get("dst_dir_fd"))]
    files.on_names(name, names, partial(real, src, dst, **dir_fds))


@shim("symlink")
def _symlink(files: Files, name: str, real: Real, src: Any, dst: Any, *args: Any, dir_fd: Any = None) -> None:
    perform = partial(real, src, dst, *args, dir_fd=dir_fd)
    files.on_names(name, [(dst, dir_fd)], perform, data=os.fsdecode(src))
