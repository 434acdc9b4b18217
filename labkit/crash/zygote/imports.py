"""What the program imports is loaded in the zygote, if that is harmless: so each further child has it by fork."""

import shutil
from collections.abc import Iterable, Sequence
from itertools import groupby
from multiprocessing.connection import Pipe
from typing import Any

from labkit.crash.channel import hear
from labkit.crash.child import rehearsal
from labkit.crash.preload import REHEARSED, named, preload
from labkit.crash.zygote.patience import Patience
from labkit.crash.zygote.zygote import Zygote
from labkit.isolation import process

SECONDS = 60.0
"""The limit of a rehearsal."""


def meet(zygote: Zygote, names: Sequence[Any]) -> bool:
    """Load what a child says that it has imported, as far as that is harmless; whether any of it is new."""
    if process.SPAWN:
        return False
    known, unknown = named(names)
    new = preload(known)
    if unknown and not _rehearsed(zygote, unknown):
        for _, modules in groupby(sorted(unknown), lambda name: name.partition(".")[0]):
            _rehearsed(zygote, [*modules])
    return preload(name for name in unknown if REHEARSED[name]) or new


def _rehearsed(zygote: Zygote, modules: Iterable[str]) -> bool:
    harmless = _rehearse(zygote, [*modules])
    REHEARSED.update(dict.fromkeys(modules, harmless))
    return harmless


def _rehearse(zygote: Zygote, modules: list[str]) -> bool:
    folder = zygote.folder / "rehearsal"
    folder.mkdir()
    channel, theirs = Pipe()
    arguments = (modules, folder, zygote.confinement)
    pid = process.start(rehearsal.main, [theirs], arguments, folder / "output")
    theirs.close()
    try:
        return Patience(pid, SECONDS).poll(channel) and hear(channel) is True
    except (EOFError, ValueError):
        return False
    finally:
        process.end(pid)
        channel.close()
        process.end_children(but=zygote.beside)
        shutil.rmtree(folder)
