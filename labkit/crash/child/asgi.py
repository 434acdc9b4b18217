"""ASGI 3: requests and replies of an application that is an async function of three arguments."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import unquote_to_bytes

from labkit.crash.child.reply import HOST, Data, EndlessError, Reply, Timed


def answering(app: Any, clock: Timed) -> Callable[[Data], Data]:
    """What answers requests by this application, in one event loop."""
    loop = asyncio.new_event_loop()
    _begin(loop, app)
    return lambda request: _ask(loop, app, request, Reply(clock))


def _begin(loop: asyncio.AbstractEventLoop, app: Any) -> None:
    """Tell the application that it begins, if it wants to know (ASGI's lifespan)."""
    begun: asyncio.Future[Any] = loop.create_future()
    asked = [{"type": "lifespan.startup"}]

    async def receive() -> Data:
        return asked.pop() if asked else await loop.create_future()

    async def send(message: Data) -> None:
        if not begun.done():
            begun.set_result(message)

    life = loop.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send))
    life.add_done_callback(lambda done: done.exception())
    loop.run_until_complete(asyncio.wait([life, begun], return_when=asyncio.FIRST_COMPLETED))
    if begun.done() and begun.result()["type"] == "lifespan.startup.failed":
        raise RuntimeError(begun.result().get("message") or "its startup failed")


def _ask(loop: asyncio.AbstractEventLoop, app: Any, request: Data, reply: Reply) -> Data:
    asked = [{"type": "http.request", "body": request["body"].encode("latin-1"), "more_body": False}]

    async def receive() -> Data:
        return asked.pop() if asked else await loop.create_future()

    async def send(message: Data) -> None:
        if message["type"] == "http.response.start":
            headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in message.get("headers", ())]
            reply.start(message["status"], headers)
        elif message["type"] == "http.response.body":
            reply.add(message.get("body", b""))

    with suppress(EndlessError):
        loop.run_until_complete(app(_scope(request), receive, send))
    return reply.told


def _scope(request: Data) -> Data:
    path, _, query = request["target"].partition("?")
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request["headers"]]
    return {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
        "method": request["method"], "scheme": "http", "path": unquote_to_bytes(path).decode(), "root_path": "",
        "raw_path": path.encode(), "query_string": query.encode("latin-1"), "headers": headers,
        "client": (HOST, 50000), "server": (HOST, 80), "state": {},
    }  # fmt: skip
