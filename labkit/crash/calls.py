"""Puts the shim of `labkit.crash.files` in front of `open` and of the functions of `os` that change a file system."""

import builtins
import io
import os
import shutil
from collections.abc import Callable
from functools import partial
from typing import Any

from labkit.crash.files import Files, traced_open
from labkit.crash.trace import Trace


def install(trace: Trace) -> None:
    """Trace every file system call of this process from here on. There is no way back: the process is about to die."""
    files = Files(trace)
    replace("open", partial(traced_open, files), builtins, io)
    shutil._USE_CP_SENDFILE = False  # copies in C would pass the shim by
    shutil._USE_CP_COPY_FILE_RANGE = False

    def shim(*names: str) -> Callable[[Callable[..., Any]], None]:
        def decorate(make: Callable[..., Any]) -> None:
            for name in names:
                if hasattr(os, name):
                    replace(name, partial(make, name, getattr(os, name)), os, os_module)

        return decorate

    os_module = __import__(os.name)  # posix or nt: what `from os import replace` is pickled as

    @shim("open")
    def _(_: str, real: Any, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        return files.open(path, flags, partial(real, path, flags, mode, dir_fd=dir_fd), dir_fd)

    @shim("close")
    def _(_: str, real: Any, fd: int) -> None:
        files.close(fd)
        real(fd)

    @shim("write")
    def _(_: str, real: Any, fd: int, data: Any) -> int:
        return files.write(fd, bytes(data), partial(real, fd, data))

    @shim("pwrite")
    def _(_: str, real: Any, fd: int, data: Any, offset: int) -> int:
        return files.write(fd, bytes(data), partial(real, fd, data, offset), offset)

    @shim("writev")
    def _(_: str, real: Any, fd: int, buffers: Any) -> int:
        return files.write(fd, b"".join(map(bytes, buffers)), partial(real, fd, buffers))

    @shim("fsync", "fdatasync")
    def _(_: str, real: Any, fd: Any) -> None:
        fd = fd if isinstance(fd, int) else fd.fileno()
        files.on_descriptor("fsync", fd, partial(real, fd))

    @shim("ftruncate", "truncate")
    def _(_: str, real: Any, where: Any, length: int) -> None:
        perform = partial(real, where, length)
        if isinstance(where, int):
            return files.on_descriptor("truncate", where, perform, size=length)
        return files.on_names("truncate", [(where, None)], perform, size=length)

    @shim("unlink", "remove", "rmdir")
    def _(name: str, real: Any, path: Any, *, dir_fd: int | None = None) -> None:
        op = "rmdir" if name == "rmdir" else "unlink"
        files.on_names(op, [(path, dir_fd)], partial(real, path, dir_fd=dir_fd))

    @shim("mkdir")
    def _(name: str, real: Any, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        files.on_names(name, [(path, dir_fd)], partial(real, path, mode, dir_fd=dir_fd))

    @shim("rename", "replace", "link")
    def _(name: str, real: Any, src: Any, dst: Any, *, src_dir_fd: Any = None, dst_dir_fd: Any = None, **kw: Any) -> None:
        perform = partial(real, src, dst, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, **kw)
        files.on_names(name, [(src, src_dir_fd), (dst, dst_dir_fd)], perform)

    @shim("symlink")
    def _(name: str, real: Any, src: Any, dst: Any, *args: Any, dir_fd: int | None = None) -> None:
        perform = partial(real, src, dst, *args, dir_fd=dir_fd)
        files.on_names(name, [(dst, dir_fd)], perform, data=os.fsdecode(src))


def replace(name: str, new: Callable[..., Any], *modules: Any) -> None:
    """Put `new` in the place of a function of the standard library."""
    for module in modules:
        setattr(module, name, new)
