"""The world's process: what `labkit.world` is when the code under test may be killed.

It applies and records a call before it replies. Two sockets lead to it, both with JSON: the zygote's, over which it is
given a memory and asked for it, and the child's, over which only REQUESTS are answered.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
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
    end. In a race, ["join"] and a socket for each further worker. Anybody may speak HTTP to it.
    """
    world, database, memory = World(), WorldDatabase(), Memory()
    services = Services(world, folder, confinement)
    clients: list[Connection] = []
    may_arrange = False
    listener = server.listen()
    world.port = listener.getsockname()[1]
    while True:
        ready = wait([control, listener, *clients])
        answer = partial(_answer, world, database, services, may_arrange=may_arrange)
        clients = [client for client in clients if client not in ready or _stays(client, answer)]
        if listener in ready:
            server.answer(listener.accept()[0], world)
        if control in ready:
            try:
                request, *arguments = hear(control)
            except EOFError:
                return
            if request == "begin":
                memory, may_arrange = made(Memory, arguments[0]), arguments[1]
                _begin(world, database, services, memory)
                while clients:
                    clients.pop().close()
            if request in {"begin", "join"}:
                clients.append(Connection(recv_handle(control)))
            if request == "memory":
                tell(control, _remembered(world, database, services, memory.url), vars)
            else:
                tell(control, {"value": _told(world, database, request, *arguments)})


OF_DATABASE = {"blockers", "is_behind", "gone", "catalogue"}


def _begin(world: World, database: WorldDatabase, services: Services, memory: Memory) -> None:
    world.restore(memory.world)
    database.begin(memory)
    services.begin(memory.services)


def _told(world: World, database: WorldDatabase, request: str, *arguments: Any) -> Any:
    """What the zygote asks in a race."""
    if request == "pass":
        world.sleep(arguments[0])
        return world.elapsed()
    return getattr(database, request)(*arguments) if request in OF_DATABASE else None


def _remembered(world: World, database: WorldDatabase, services: Services, url: str | None) -> dict[str, Any]:
    try:
        return {"value": Memory(world.to_json(), database.content(), url, services.content())}
    except Exception as error:  # noqa: BLE001 - the sweep ends, and says why
        return {"problem": f"the database cannot be read: {error}"}


def _stays(client: Connection, answer: Callable[[Connection], bool]) -> bool:
    if stays := answer(client):
        return stays
    client.close()
    return False


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
