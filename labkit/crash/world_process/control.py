"""The zygote's side of a world's process: its control socket, which no child ever holds."""

from multiprocessing.connection import Connection, Pipe
from multiprocessing.reduction import send_handle
from pathlib import Path

from labkit.crash.channel import hear, made, tell
from labkit.crash.jobs import Memory
from labkit.crash.world_process.serve import serve
from labkit.isolation import process
from labkit.isolation.confine import Confinement


class WorldUnreadableError(Exception):
    """What is left in the world's database cannot be read or put back. Its text says why."""


class WorldProcess:
    """A world in a process of its own."""

    def __init__(self, folder: Path, confinement: Confinement | None = None) -> None:
        self._control, theirs = Pipe()
        self.pid = process.start(serve, [theirs], (folder / "services", confinement))
        theirs.close()

    def begin(self, memory: Memory, *, may_arrange: bool) -> Connection:
        """Become a world with this memory; returns the socket over which to reach it, and perhaps to arrange it."""
        ours, theirs = Pipe()
        tell(self._control, ["begin", memory, may_arrange], vars)
        send_handle(self._control, theirs.fileno(), None)
        theirs.close()
        hear(self._control)
        return ours

    def memory(self) -> Memory:
        """What it remembers now. WorldUnreadableError if that cannot be told."""
        tell(self._control, ["memory"])
        answer = hear(self._control)
        if "problem" in answer:
            raise WorldUnreadableError(answer["problem"])
        return made(Memory, answer["value"])
