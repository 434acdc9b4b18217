"""Puts our functions in the place of Python's: for `open`, for those of `os` that change a file system, for SQLite.

That is done once, in the zygote, before it loads anything else, and they do nothing until a child is active: so a
library that keeps a function of its own (`from os import replace`) keeps the stand-in. What was loaded before that is
searched for the real functions.
"""

import _io
import builtins
import fcntl
import io
import os
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any

from labkit.crash.child import guard, os_shims, pids, procfs, reads, shared_locks, sockets, sqlite, threads, virtual
from labkit.crash.child.fileio import REAL_OPEN, FileIO, RealFileIO, traced_open
from labkit.crash.child.files import ACTIVE, Files
from labkit.crash.child.patch import STAND_INS, Real, replace, stand_in, stand_in_os, standing_in


def install() -> None:
    """Put the stand-ins in place, unless they are there. There is no way back, and they cost next to nothing."""
    if io.open is not REAL_OPEN:
        return
    STAND_INS.update({REAL_OPEN: standing_in(REAL_OPEN, _opened, ACTIVE), RealFileIO: FileIO})
    shutil._USE_CP_SENDFILE = shutil._USE_CP_COPY_FILE_RANGE = False  # noqa: SLF001 - copies in C pass the shim by
    for shims, active in ((os_shims.SHIMS, ACTIVE), (reads.SHIMS, reads.ACTIVE)):
        for name, function in shims.items():
            stand_in_os(name, partial(partial, _ask, function, name), active)
    for name in ("open", "FileIO"):
        replace(name, STAND_INS[getattr(_io, name)], io, _io)  # _io: where a pickled `open` is looked up
    replace("open", io.open, builtins)
    for of in (sqlite, guard, virtual, pids, procfs, threads, sockets, shared_locks):
        of.install()
    stand_in("fcntl", partial(os_shims.fcntl, fcntl.fcntl), ACTIVE, fcntl)
    for module in list(sys.modules.values()):
        if not getattr(module, "__name__", "").startswith("labkit.crash"):  # the lab's own need the real ones
            _search(module, module.__name__)


def activate(files: Files, tmp: Path) -> None:
    """From here on, this process's calls are traced. There is no way back: the process is about to die."""
    os.environ["TMPDIR"] = tempfile.tempdir = str(tmp)
    if numpy_format := sys.modules.get("numpy.lib._format_impl"):
        numpy_format.isfileobj = lambda _: False  # it would write to our FileIO by C code
    ACTIVE.append(files)


def _opened(_: Files, *args: Any, **kwargs: Any) -> Any:
    return traced_open(*args, **kwargs)


def _ask(function: Real, name: str, real: Real, files: Files, *args: Any, **kwargs: Any) -> Any:
    return function(files, name, real, *args, **kwargs)


def _search(place: Any, module: str, prefix: str = "") -> None:
    """Replace the real functions in the names of a module or of a class, and in the defaults of their functions."""
    for name, value in list(vars(place).items()):
        if isinstance(function := getattr(value, "__func__", value), FunctionType):
            if defaults := function.__defaults__:
                function.__defaults__ = tuple(map(_stand_in_for, defaults))
            for key, default in (function.__kwdefaults__ or {}).items():
                function.__kwdefaults__[key] = _stand_in_for(default)
        elif isinstance(value, type):
            if (value.__module__, value.__qualname__) == (module, prefix + name):
                _search(value, module, f"{prefix}{name}.")
        elif (stand_in := _stand_in_for(value)) is not value:
            setattr(place, name, stand_in)


def _stand_in_for(value: Any) -> Any:
    if type(value) is type(REAL_OPEN) or value is RealFileIO:  # or it may be of any kind, and not hashable
        while value in STAND_INS:  # one may stand before another
            value = STAND_INS[value]
    return value
