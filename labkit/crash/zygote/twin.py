"""A zygote with another hash seed: after a restart, texts hash otherwise, and sets of them have another order.

Only a fresh interpreter has another seed. So it is started for programs that hash texts, and then kept; for each
zygote that explores beside the first one, it forks a copy of itself.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any

from labkit.crash.child import ends, stand_ins
from labkit.crash.preload import preload
from labkit.crash.zygote.endings import Ending, NotExploredError
from labkit.isolation import process
from labkit.isolation.confine import Confinement, hide, supports

GONE = EOFError, BrokenPipeError, ConnectionResetError
ENDED = "the crash lab's process for other hash seeds ended; ask again"


@dataclass(frozen=True)
class Order:
    """A job for it: its zygote's class and fields, what is loaded there, and the arguments of `perform`."""

    kind: Callable[..., Any]
    fields: dict[str, Any]
    modules: Sequence[str]
    arguments: tuple[Any, ...]


class Twin:
    """The other zygote, as the first one knows it. It is killed when that one dies (PR_SET_PDEATHSIG)."""

    def __init__(self, channel: Connection, pid: int = 0) -> None:
        self.channel, self.pid = channel, pid

    @classmethod
    def start(cls, seed: int) -> "Twin":
        """A fresh interpreter, by posix_spawn, with this PYTHONHASHSEED."""
        ours, theirs = Pipe()
        pid = process.start_fresh(_serve, [theirs], (), {**os.environ, "PYTHONHASHSEED": str(seed)})
        theirs.close()
        return cls(ours, pid)

    def has_ended(self) -> bool:
        """Whether somebody has killed it. A copy is no child of ours: its end is seen when it is asked."""
        return bool(self.pid) and os.waitpid(self.pid, os.WNOHANG)[0] == self.pid

    def copy(self, confinement: Confinement | None, modules: Sequence[str]) -> Connection:
        """The socket of a fork of it, for another zygote, with these modules loaded. NotExploredError as below."""
        ours, theirs = Pipe()
        try:
            self.channel.send((confinement, modules))
            send_handle(self.channel, theirs.fileno(), None)
            self.channel.recv()
        except GONE:
            raise NotExploredError(ENDED) from None
        finally:
            theirs.close()
        return ours

    def perform(self, order: Order) -> Ending:
        """How the job ended. NotExploredError as Zygote.perform has it, or if the other zygote is gone."""
        try:
            self.channel.send(order)
            told = self.channel.recv()  # a pickle: from a process of ours, which has checked what the child told
        except GONE:
            raise NotExploredError(ENDED) from None
        if isinstance(told, Ending):
            return told
        raise NotExploredError(told)


def _serve(channel: Connection) -> None:
    """Do what is ordered, until the other end is gone."""
    stand_ins.install()
    ends.forget()
    zygote = None
    while True:
        try:
            order = channel.recv()
        except (EOFError, ConnectionResetError):
            return
        copied = not isinstance(order, Order)
        confinement, modules = order if copied else (order.fields["confinement"], order.modules)
        if zygote is None and confinement:
            hide()
            supports()
        preload(modules)
        if copied:
            _copy(channel)
            continue
        zygote = zygote or order.kind(**order.fields)
        zygote.limits = order.fields["limits"]
        try:
            channel.send(zygote.perform(*order.arguments))
        except NotExploredError as problem:
            channel.send(str(problem))


def _copy(channel: Connection) -> None:
    process.forget_ended()  # earlier copies, who leave when their zygote has explored its part
    with Connection(recv_handle(channel)) as theirs:
        process.start(_serve, [theirs], ())
    channel.send(True)  # noqa: FBT003
