"""A world in a process of its own, and the wire to it: what `labkit.world` is when the code under test may be killed.

It applies and records a call before it replies. The wire carries JSON, never a pickle: the other end may be anybody.
"""

from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import recv_handle
from typing import Any

from labkit.crash.channel import hear, tell
from labkit.crash.world_process.database import Keeper
from labkit.llm import server
from labkit.world import ToolError, World

LONGEST = 2**24
"""Bytes of one request. Whoever says more is not heard again."""
REQUESTS = {"call", "ask", "ack", "sleep", "elapsed"}
"""What anybody may ask of the world."""


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
