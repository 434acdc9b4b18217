"""The zygote's process: answers the requests of the process that started it, until that one is gone."""

import fcntl
import gc
import os
import pickle
import shutil
import signal
import socket
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from labkit.crash.channel import tell
from labkit.crash.child import ends, stand_ins
from labkit.crash.preload import preload
from labkit.crash.zygote.endings import NotExploredError
from labkit.crash.zygote.requests import answer
from labkit.crash.zygote.zygote import Zygote
from labkit.isolation import process
from labkit.isolation.confine import hide, supports


def main() -> None:
    """Serve. Arguments: the descriptor of the parent's socket, and a folder to work in."""
    serve(Connection(int(sys.argv[1])), Path(sys.argv[2]))


def serve(channel: Connection, folder: Path) -> None:
    """Serve the process at the other end of `channel`."""
    sys.dont_write_bytecode = True  # from here on: a child must not write there, and an import is no effect of its own
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    stand_ins.install()
    ends.forget()
    end_with_parent(channel, folder)
    confinement = pickle.loads(channel.recv_bytes())  # noqa: S301 - from our own parent
    if confinement:
        hide()
        supports()  # asked for once, or each child would ask anew
    gc.collect()
    gc.freeze()  # or each child would copy the pages of what it looks through; preload does the same
    zygote = None
    while True:
        try:
            modules, limits, request = pickle.loads(channel.recv_bytes())  # noqa: S301 - as above
        except EOFError:
            return leave(folder)
        preload(modules)
        # Its world has, by fork, what is loaded by now; the kernel's name for the folder follows no link.
        zygote = zygote or Zygote(folder.resolve(), confinement=confinement)
        zygote.limits = limits
        try:
            told = {"answer": answer(zygote, request)}
        except NotExploredError as problem:
            told = {"problem": str(problem), "lines": problem.lines}
        with suppress(BrokenPipeError):  # the next request will not come: see above
            tell(channel, told, vars)


def end_with_parent(channel: Connection, folder: Path) -> None:
    """End as soon as the parent is gone, also in the middle of a sweep: by SIGIO, which its closed socket sends.

    PR_SET_PDEATHSIG would end us with the parent's thread that started us.
    """

    def changed(*_: object) -> None:
        with socket.socket(fileno=os.dup(channel.fileno())) as parent, suppress(BlockingIOError):
            if not parent.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                process.end_children(but=())  # who would write into the folder
                leave(folder)
                os._exit(0)

    signal.signal(signal.SIGIO, changed)
    fcntl.fcntl(channel, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(channel, fcntl.F_SETFL, fcntl.fcntl(channel, fcntl.F_GETFL) | os.O_ASYNC)


def leave(folder: Path) -> None:
    """The parent is gone, perhaps killed: what it cannot tidy up any more is ours to remove."""
    shutil.rmtree(folder, ignore_errors=True)
