"""The scripted model over HTTP on 127.0.0.1, for whichever process the world lives in.

The crash lab's world process waits on the socket of `listen` and calls `answer` for each connection. In a notebook
`here` starts a thread that does the same for the current world. Delays are not slept: they travel in headers.
"""

import socket
import threading
from contextlib import suppress
from functools import cache
from http.server import BaseHTTPRequestHandler
from typing import Any, cast

from labkit.llm.model import respond
from labkit.llm.replies import RefusedError, Reply, Request, failure
from labkit.world import World, current

LONGEST = 2**24
"""Bytes of one request."""
PATIENCE = 3.0
"""Real seconds that a client may be silent in the middle of a request."""


def listen() -> socket.socket:
    """A socket that listens on a free port of 127.0.0.1."""
    return socket.create_server(("127.0.0.1", 0), backlog=128)


def answer(connection: socket.socket, world: World) -> None:
    """Serve one HTTP request and close the connection. Whatever the client sends, nothing is raised.

    Half a request has no effect; whoever falls silent in the middle of one is given up after a few real seconds.
    """
    with connection, suppress(Exception):
        _Handler(connection, world)


@cache
def here() -> int:
    """The port of the server in this process. It answers for the world that is current when it is asked."""
    listener = listen()
    threading.Thread(target=_serve, args=(listener,), daemon=True, name="labkit.llm").start()
    return listener.getsockname()[1]


def _serve(listener: socket.socket) -> None:
    while True:
        answer(listener.accept()[0], cast("World", current()))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE
    wbufsize = -1  # headers and body leave together, or the second would wait until the first is acknowledged

    def __init__(self, connection: socket.socket, world: World) -> None:
        self._world = world
        super().__init__(connection, ("127.0.0.1", 0), cast("Any", None))

    def handle(self) -> None:
        """Serve one request and close, although HTTP/1.1 would keep the connection."""
        self.close_connection = True
        self.handle_one_request()

    def _answer(self) -> None:
        try:
            body = self._body()
        except RefusedError as refused:
            self._send(refused.reply)
        else:
            if body is not None:
                self._send(self._reply(body))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - http.server looks for these names

    def _body(self) -> bytes | None:
        """The body of the request; None if the client is gone before its end."""
        text = self.headers.get("content-length", "" if self.command == "POST" else "0")
        if not text or "transfer-encoding" in self.headers:  # or a head that broke off would be taken for a request
            raise RefusedError("Send the body whole, with its Content-Length.", status=411)
        if not text.isdecimal():
            raise RefusedError("The Content-Length is no number.")
        if len(text) > 9 or int(text) > LONGEST:
            raise RefusedError(f"A request may have {LONGEST} bytes.", status=413)
        body = self.rfile.read(int(text))
        return body if len(body) == int(text) else None

    def _reply(self, body: bytes) -> Reply:
        request = Request(self.command, self.path.partition("?")[0], cast("Any", self.headers), body)
        try:
            return respond(self._world, request)
        except Exception as error:  # noqa: BLE001 - what `arrange` was given may be anything
            return failure(500, f"The model has no proper script: {error!r}")

    def _send(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(reply.body)))
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Replies in JSON, as everywhere here, to a request that http.server itself refuses."""
        self._send(failure(code, message))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Logs nothing: what was asked is in `World.calls`."""
