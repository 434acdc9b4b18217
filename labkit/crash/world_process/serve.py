"""A world in a process of its own, and the wire to it: what `labkit.world` is when the code under test may be killed.

It applies and records a call before it replies. The wire carries JSON, never a pickle: the other end may be anybody.
"""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import recv_handle
from typing import Any, TypeVar

from labkit.crash.world_process.database import Keeper
from labkit.llm import server
from labkit.world import ToolConflictError, ToolError, ToolTimeoutError, ToolUnavailableError, World

T = TypeVar("T")

LONGEST = 2**24
"""Bytes of one request. Whoever says more is not heard again."""
OnTime = Callable[[float], None]
"""Told the virtual seconds since the world began, after every request."""
REQUESTS = {"call", "ask", "ack", "sleep", "elapsed"}
"""What anybody may ask of the world."""
ERRORS = {error.__name__: error for error in (ToolConflictError, ToolTimeoutError, ToolUnavailableError)}
"""The errors that keep their type on the way; every other one arrives as a ToolError."""


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
            raise ERRORS.get(answer["type"], ToolError)(answer["error"])
        return answer["value"]

    @cached_property
    def port(self) -> int:
        """Where the world's process speaks HTTP."""
        return self._ask("port")

    @cached_property
    def database(self) -> str:
        """The database of the crash lab. ToolError if there is none."""
        return self._ask("database")

    def call(self, tool: str, arguments: dict[str, Any], key: str | None = None, timeout: float | None = None) -> str:
        """Use a tool."""
        return self._ask("call", tool, arguments, key, timeout)

    def ask(self, tool: str, arguments: dict[str, Any]) -> str | None:
        """Ask a tool whether it has acted."""
        return self._ask("ask", tool, arguments)

    def exchange(self, op: str, target: str, perform: Callable[[], T]) -> T:  # noqa: ARG002 - sources name it
        """Do something that reaches the world by another road."""
        return perform()

    def arrange(self, **what: Any) -> None:
        """Set the scene. ToolError unless this process is a `setup`."""
        self._ask("arrange", what)

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

    `control` sends ["begin", memory, may arrange] and a socket: a world with this memory, for whoever holds the other
    end. Anybody may speak HTTP to it.
    """
    world, keeper, client, may_arrange = World(), Keeper(), None, False
    listener = server.listen()
    world.port = listener.getsockname()[1]
    while True:
        ready = wait([control, listener, client] if client else [control, listener])
        if client in ready and not _answer(world, keeper, client, may_arrange=may_arrange):
            client.close()
            client = None
        if listener in ready:
            server.answer(listener.accept()[0], world)
        if control in ready:
            try:
                request, *arguments = hear(control)
            except EOFError:
                return
            if request == "begin":
                memory, may_arrange = arguments
                world.restore(memory)
                keeper.begin(memory)
                client = Connection(recv_handle(control))
            tell(control, _remembered(world, keeper) if request == "memory" else {"value": None})


def _remembered(world: World, keeper: Keeper) -> dict[str, Any]:
    try:
        return {"value": {**world.to_json(), **keeper.memory()}}
    except Exception as error:  # noqa: BLE001 - the sweep ends, and says why
        return {"problem": f"the database cannot be read: {error}"}


def _answer(world: World, keeper: Keeper, client: Connection, *, may_arrange: bool) -> bool:
    """Do what the client asks, then tell it. False if there is nobody any more, or nobody who can be understood."""
    try:
        try:
            request, *arguments = hear(client, LONGEST)
        except (EOFError, OSError):
            return False
        answer = {"value": _do(world, keeper, request, arguments, may_arrange=may_arrange)}
    except Exception as error:  # noqa: BLE001 - whatever a client says, the world goes on
        answer = {"error": str(error), "type": type(error).__name__}
    with suppress(OSError):
        tell(client, {**answer, "elapsed": world.elapsed()})
    return True


def _do(world: World, keeper: Keeper, request: str, arguments: list[Any], *, may_arrange: bool) -> Any:
    if request == "port":
        return world.port
    if request == "database":
        return keeper.url()
    if request == "arrange" and may_arrange:
        return world.arrange(**arguments[0])
    if request == "arrange":
        raise ToolError("only `setup` may arrange the world")
    if request not in REQUESTS:
        raise ToolError(f"the world does not understand {request!r}")
    return getattr(world, request)(*arguments)


def tell(channel: Connection, message: Any) -> None:
    """Send plain data. JSON, never a pickle: the other end may be anybody's code."""
    channel.send_bytes(json.dumps(message).encode())


def hear(channel: Connection, longest: int | None = None) -> Any:
    """Receive what `tell` sent. EOFError if the other end is gone, OSError if in mid-sentence or too long a one."""
    try:
        return json.loads(channel.recv_bytes(longest))
    except ConnectionResetError:
        raise EOFError from None
