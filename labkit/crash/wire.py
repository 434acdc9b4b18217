"""A world in a process of its own, and the wire to it: what `labkit.world` is when the code under test may be killed.

It applies and records a call before it replies. The wire carries JSON, never a pickle: the other end may be anybody.
"""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import recv_handle
from typing import Any

from labkit.world import ToolError, World

LONGEST = 2**24
"""Bytes of one request. Whoever says more is not heard again."""
OnTime = Callable[[float], None]
"""Told the virtual seconds since the world began, after every request."""


class RemoteWorld:
    """A world in another process, over a socket that this one inherited."""

    def __init__(self, channel: Connection) -> None:
        self._channel = channel
        self._turn = threading.Lock()
        self.on_time: OnTime = lambda elapsed: None

    def _ask(self, request: str, *arguments: Any) -> Any:
        with self._turn:
            tell(self._channel, [request, *arguments])
            answer = hear(self._channel)
        self.on_time(answer["elapsed"])
        if "error" in answer:
            raise ToolError(answer["error"])
        return answer["value"]

    def call(self, tool: str, arguments: dict[str, Any], key: str | None = None) -> str:
        """Use a tool."""
        return self._ask("call", tool, arguments, key)

    def ack(self, label: str) -> None:
        """Tell the user that something is done."""
        self._ask("ack", label)

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        self._ask("sleep", seconds)

    def elapsed(self) -> float:
        """Virtual seconds since the world began."""
        return self._ask("elapsed")


def serve(control: Connection) -> None:
    """Be the world's process until `control` is closed. Only `control` may see all that the world remembers.

    `control` sends ["begin", memory] and a socket: a world with this memory, for whoever holds the other end.
    """
    world, client = World(), None
    while True:
        ready = wait([control, client] if client else [control])
        if client in ready and not _answer(world, client):
            client.close()
            client = None
        if control in ready:
            try:
                request, *arguments = hear(control)
            except EOFError:
                return
            if request == "begin":
                world.restore(*arguments)
                client = Connection(recv_handle(control))
            tell(control, {"value": world.to_json() if request == "memory" else None})


def _answer(world: World, client: Connection) -> bool:
    """Do what the client asks, then tell it. False if there is nobody any more, or nobody who can be understood."""
    try:
        request, *arguments = hear(client, LONGEST)
        if request in {"call", "ack", "sleep", "elapsed"}:
            answer = {"value": getattr(world, request)(*arguments)}
        else:
            answer = {"error": f"the world does not understand {request!r}"}
    except (EOFError, OSError):
        return False
    except Exception as error:  # noqa: BLE001 - whatever a client says, the world goes on
        answer = {"error": str(error)}
    with suppress(OSError):
        tell(client, {**answer, "elapsed": world.elapsed()})
    return True


def tell(channel: Connection, message: Any) -> None:
    """Send plain data. JSON, never a pickle: the other end may be anybody's code."""
    channel.send_bytes(json.dumps(message).encode())


def hear(channel: Connection, longest: int | None = None) -> Any:
    """Receive what `tell` sent. EOFError if the other end is gone, OSError if in mid-sentence or too long a one."""
    try:
        return json.loads(channel.recv_bytes(longest))
    except ConnectionResetError:
        raise EOFError from None
