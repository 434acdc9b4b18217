"""The world's process: what `labkit.world` is when the code under test may be killed.

It applies and records a call before it replies. Two sockets lead to it, both with JSON: the zygote's, over which it is
given a memory and asked for it, and the child's, over which only REQUESTS are answered.
"""

from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import recv_handle
from pathlib import Path
from typing import Any

from labkit.crash.channel import hear, made, tell
from labkit.crash.jobs import Memory
from labkit.crash.world_process.database import WorldDatabase
from labkit.crash.world_process.services import Services
from labkit.isolation.confine import Confinement
from labkit.llm import server
from labkit.world import ToolError, World

LONGEST = 2**24
"""Bytes of one request; a client that sends more is hung up on."""
REQUESTS = {"call", "ask", "ack", "sleep", "elapsed"}
"""What anybody may ask of the world."""


def serve(control: Connection, folder: Path | None = None, confinement: Confinement | None = None) -> None:
    """Be the world's process until `control` is closed. Only `control` may see all that the world remembers.

    `control` sends ["begin", memory, may arrange] and a socket: a world with this memory, for whoever holds the other
    end. Anybody may speak HTTP to it.
    """
    world, database, memory = World(), WorldDatabase(), Memory()
    services = Services(world, folder, confinement)
    client, may_arrange = None, False
    listener = server.listen()
    world.port = listener.getsockname()[1]
    while True:
        ready = wait([control, listener, client] if client else [control, listener])
        if client in ready and not _answer(world, database, services, client, may_arrange=may_arrange):
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
                memory, may_arrange = made(Memory, arguments[0]), arguments[1]
                world.restore(memory.world)
                database.begin(memory)
                services.begin(memory.services)
                client = Connection(recv_handle(control))
            answer = _remembered(world, database, services, memory.url) if request == "memory" else {"value": None}
            tell(control, answer, vars)


def _remembered(world: World, database: WorldDatabase, services: Services, url: str | None) -> dict[str, Any]:
    try:
        return {"value": Memory(world.to_json(), database.content(), url, services.content())}
    except Exception as error:  # noqa: BLE001 - the sweep ends, and says why
        return {"problem": f"the database cannot be read: {error}"}


def _answer(
    world: World, database: WorldDatabase, services: Services, client: Connection, *, may_arrange: bool
) -> bool:
    """Do what the client asks, then tell it. False if there is nobody any more, or nobody who can be understood."""
    try:
        try:
            request, *arguments = hear(client, LONGEST)
        except (EOFError, OSError):
            return False
        answer = {"value": _do(world, database, services, request, arguments, may_arrange=may_arrange)}
    except Exception as error:  # noqa: BLE001 - whatever a client says, the world goes on
        answer = {"error": str(error), "type": type(error).__name__}
    with suppress(OSError):
        tell(client, {**answer, "elapsed": world.elapsed()})
    return True


def _do(
    world: World, database: WorldDatabase, services: Services, request: str, arguments: list[Any], *, may_arrange: bool
) -> Any:
    if request == "port":
        return world.port
    if request == "database":
        return database.hand_out()
    if request == "arrange" and may_arrange:
        return world.arrange(**arguments[0])
    if request == "arrange":
        raise ToolError("only `setup` may arrange the world")
    if request == "serve" and not may_arrange:
        raise ToolError("only `setup` may start a service")
    if request in {"serve", "service", "http"}:
        return getattr(services, request)(*arguments)
    if request not in REQUESTS:
        raise ToolError(f"the world does not understand {request!r}")
    return getattr(world, request)(*arguments)
