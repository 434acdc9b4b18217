"""What only looks at files: no effect in a sweep, and a step in a race, as what was read is what goes stale.

The stand-ins sleep everywhere but in a worker of a race.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from labkit.crash.child.files import ELSEWHERE
from labkit.crash.child.patch import Real, asker

SHIMS: dict[str, Real] = {}
ACTIVE: list[Any] = []
"""The SharedFiles of this process, if it is a worker of a race."""


def shim(*names: str) -> Callable[[Real], Real]:
    """Register a shim for functions of `os`."""

    def register(function: Real) -> Real:
        SHIMS.update(dict.fromkeys(names, function))
        return function

    return register


@shim("stat", "lstat", "access", "readlink")
def _look(files: Any, name: str, real: Real, path: Any, *args: Any, **options: Any) -> Any:
    perform = partial(real, path, *args, **options)
    if files.trace.busy or _importing():
        return perform()
    if isinstance(path, int):
        inside = files.opened[path].path if path in files.opened else None
    else:
        follow = name not in {"lstat", "readlink"} and options.get("follow_symlinks", True)
        inside = files.inside(path, options.get("dir_fd"), follow=follow)
    if inside is None:
        return perform()
    where = path if isinstance(path, int) else inside
    touches = [("name", inside, False), *files.content(where, written=False)]
    return files.step("look at", inside, partial(_told, files, perform), *touches)


@shim("fstat")
def _fstat(files: Any, name: str, real: Real, fd: int) -> Any:
    return _look(files, name, real, fd)


@shim("listdir", "scandir")
def _list(files: Any, _: str, real: Real, path: Any = None) -> Any:
    perform = partial(real) if path is None else partial(real, path)
    if files.trace.busy or _importing():
        return perform()
    if isinstance(path, int):
        inside = files.opened[path].path if path in files.opened else None
    else:
        inside = files.inside(os.curdir if path is None else path, follow=True)
    return perform() if inside is None else files.step("list", inside, perform, ("name", inside, False))


@shim("read", "pread", "readv", "preadv")
def _read(files: Any, _: str, real: Real, fd: int, *args: Any) -> Any:
    perform = partial(real, fd, *args)
    if files.trace.busy or fd not in files.opened:
        return perform()
    return files.step("read", files.opened[fd].path, partial(_told, files, perform), *files.content(fd, written=False))


@shim("lseek")
def _seek(files: Any, _: str, real: Real, fd: int, to: int, whence: int, *rest: Any) -> int:
    return _from_the_end(files, fd, whence, partial(real, fd, to, whence, *rest))


def seeking(real: Real, files: Any) -> Real:
    """The method of FileIO that moves, which may tell where the end is."""

    def seek(self: Any, to: int, whence: int = os.SEEK_SET, /) -> int:
        return _from_the_end(files, -1 if self.closed else self.fileno(), whence, partial(real, self, to, whence))

    return seek


def _from_the_end(files: Any, fd: int, whence: int, perform: Callable[[], int]) -> int:
    if files.trace.busy or fd not in files.opened or whence in {os.SEEK_SET, os.SEEK_CUR}:
        return perform()
    return files.step("look at", files.opened[fd].path, perform, *files.content(fd, written=False))


@shim("lockf", "getxattr", "listxattr")
def _refuse(files: Any, name: str, real: Real, *args: Any, **options: Any) -> Any:
    if not files.trace.busy:
        files.trace.refuse(f"call os.{name} in a race", f"the race lab does not follow it; {ELSEWHERE}")
    return real(*args, **options)


def of_a_file(_: str, real: Real, files: Any) -> Real:
    """A method of FileIO that reads, as a step."""

    def read(self: Any, *args: Any) -> Any:
        perform = partial(real, self, *args)
        if files.trace.busy or self.closed or self.fileno() not in files.opened:
            return perform()
        fd, told = self.fileno(), partial(_content, files, perform, *args)
        return files.step("read", files.opened[fd].path, told, *files.content(fd, written=False))

    return read


def _content(files: Any, perform: Callable[[], Any], *into: Any) -> Any:
    value = perform()
    filled = bytes(memoryview(into[0]).cast("B")[:value]) if into and isinstance(value, int) else value
    files.trace.saw(filled if filled is not None else b"")
    return value


def _told(files: Any, perform: Callable[[], Any]) -> Any:
    try:
        value = perform()
    except FileNotFoundError:
        files.trace.saw("(not there)")
        raise
    if isinstance(value, bytes | str | bool):
        files.trace.saw(value)
    elif isinstance(value, os.stat_result):
        files.trace.saw(f"{value.st_size} bytes" if not os.path.stat.S_ISDIR(value.st_mode) else "(a folder)")
    return value


def _importing() -> bool:
    """Whether Python looks for a module."""
    return asker().startswith(("importlib", "_frozen_importlib"))
