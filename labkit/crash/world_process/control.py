"""The zygote's side of a world's process: its control socket, which no child ever holds."""

from multiprocessing.connection import Connection, Pipe
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import Any

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
        return self._let_in("begin", memory, may_arrange)

    def join(self) -> Connection:
        """Another socket that leads to the same world: for a further worker of a race."""
        return self._let_in("join")

    def ask(self, request: str, *arguments: Any) -> Any:
        """What a race asks: "pass" (seconds), and of processes of the database "blockers", "is_behind", "gone"."""
        tell(self._control, [request, *arguments])
        return hear(self._control)["value"]

    def _let_in(self, *request: Any) -> Connection:
        ours, theirs = Pipe()
        tell(self._control, [*request], vars)
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
