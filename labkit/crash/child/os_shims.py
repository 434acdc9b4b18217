"""Stands in for `open` and for the functions of `os` that change a file system, so that `Files` knows of each call.

The stand-ins are put there once, in the zygote, before it loads anything else, and do nothing until a child is active:
so a library that keeps a function of its own (`from os import replace`) keeps the stand-in. What was loaded before that
is searched for the real functions. Each shim gets the Files, the name it stands for and the real function, then that
function's own arguments.
"""

import _io
import builtins
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection
from functools import partial, wraps
from pathlib import Path
from types import FunctionType
from typing import Any

from labkit.crash.child import guard, sqlite
from labkit.crash.child.fileio import REAL_OPEN, FileIO, RealFileIO, traced_open
from labkit.crash.child.files import ACTIVE, Files
from labkit.crash.child.patch import Real, replace
from labkit.crash.child.trace import Trace

SHIMS: dict[str, Real] = {}
OS = __import__(os.name)
"""posix or nt: what `from os import replace` is pickled as."""
ABLE = ("supports_dir_fd", "supports_fd", "supports_follow_symlinks")
"""What `os` says of its functions, and others ask before they use them."""


def install() -> None:
    """Put the stand-ins in place, unless they are there. There is no way back, and they cost next to nothing."""
    if io.open is not REAL_OPEN:
        return
    stand_ins: dict[Any, Any] = {REAL_OPEN: _standing_in(REAL_OPEN, traced_open), RealFileIO: FileIO}
    shutil._USE_CP_SENDFILE = shutil._USE_CP_COPY_FILE_RANGE = False  # noqa: SLF001 - copies in C pass the shim by
    for name, function in SHIMS.items():
        if real := getattr(os, name, None):
            stand_ins[real] = _standing_in(real, partial(_ask, function, name, real))
            for able in ABLE:
                getattr(os, able).update({stand_ins[real]} if real in getattr(os, able) else ())
    for name in ("open", "FileIO"):
        replace(name, stand_ins[getattr(_io, name)], io, _io)  # _io: where a pickled `open` is looked up
    replace("open", io.open, builtins)
    sqlite.install()
    guard.install()
    for module in list(sys.modules.values()):
        if not getattr(module, "__name__", "").startswith("labkit.crash"):  # the lab's own need the real ones
            _search(module, stand_ins)


def activate(trace: Trace, tmp: Path, ignore: Collection[str]) -> None:
    """From here on, this process's calls are traced. There is no way back: the process is about to die."""
    install()
    os.environ["TMPDIR"] = tempfile.tempdir = str(tmp)
    ACTIVE.append(Files(trace, tmp, ignore))


def _standing_in(real: Real, function: Real) -> Real:
    @wraps(real)
    def stand_in(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs) if ACTIVE else real(*args, **kwargs)

    return stand_in


def _ask(function: Real, name: str, real: Real, *args: Any, **kwargs: Any) -> Any:
    return function(ACTIVE[0], name, real, *args, **kwargs)


def _search(module: Any, stand_ins: dict[Any, Any]) -> None:
    """Replace the real functions in a module's names, and in the defaults of its functions."""
    for name, value in list(vars(module).items()):
        if isinstance(value, FunctionType) and value.__defaults__:
            value.__defaults__ = tuple(_stand_in_for(each, stand_ins) for each in value.__defaults__)
        elif (stand_in := _stand_in_for(value, stand_ins)) is not value:
            setattr(module, name, stand_in)


def _stand_in_for(value: Any, stand_ins: dict[Any, Any]) -> Any:
    if type(value) is type(REAL_OPEN) or value is RealFileIO:  # or it may be of any kind, and not hashable
        return stand_ins.get(value, value)
    return value


def shim(*names: str) -> Callable[[Real], Real]:
    """Register a shim for functions of `os`."""

    def register(function: Real) -> Real:
        SHIMS.update(dict.fromkeys(names, function))
        return function

    return register


@shim("open")
def _open(files: Files, _: str, real: Real, path: Any, flags: int, mode: int = 0o777, *, dir_fd: Any = None) -> int:
    return files.open(path, flags, partial(real, path, flags, mode, dir_fd=dir_fd), dir_fd)


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


@shim("posix_fallocate")
def _fallocate(files: Files, _: str, real: Real, fd: int, offset: int, length: int) -> None:
    size = max(os.fstat(fd).st_size, offset + length)
    files.on_descriptor("truncate", fd, partial(real, fd, offset, length), size=size)


@shim("fsync", "fdatasync")
def _fsync(files: Files, _: str, real: Real, fd: Any) -> None:
    fd = fd if isinstance(fd, int) else fd.fileno()
    files.on_descriptor("fsync", fd, partial(real, fd))


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


@shim("chmod", "lchmod", "fchmod", "chown", "lchown", "fchown", "utime", "setxattr", "removexattr")
def _metadata(files: Files, name: str, real: Real, where: Any, *args: Any, **options: Any) -> None:
    follow = options.get("follow_symlinks", not name.startswith("l"))
    op = name.removeprefix("l").removeprefix("f")
    files.on_metadata(op, where, partial(real, where, *args, **options), options.get("dir_fd"), follow=follow)


@shim("mkfifo", "mknod")
def _special(files: Files, name: str, real: Real, path: Any, *args: Any, **options: Any) -> None:
    if files.inside(path) is None:
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
