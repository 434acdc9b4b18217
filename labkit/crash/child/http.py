"""HTTP between a program and a service of the lab, over one end of a socketpair: h11 reads requests and frames replies.

exchange("POST", "/orders")    the whole request and the whole reply; a kill after it: done, nothing seen
the clock moves                as long as the service took
exchange("reply", "201")       the client sees the status, and what comes with it
exchange("event", "1")         it sees an event of a stream (text/event-stream), and so on
"""

import os
import socket
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import h11

from labkit import world
from labkit.crash.child.remote_world import RemoteWorld
from labkit.crash.child.trace import Trace
from labkit.crash.jobs import FIRST_PORT, ServiceError

SEND = socket.socket.send
OVER = {h11.MUST_CLOSE, h11.CLOSED, h11.ERROR}
MEND = "mend the service: what it does not answer cannot be explored"


@dataclass
class Piece:
    """What reaches the client at once."""

    due: float
    """Virtual seconds since the world began."""
    data: bytes
    seen: tuple[str, str] | None = None
    """The effect that it is: op and target."""


class Connection:
    """A client's connection to a service. It has the client's descriptor lead here; nothing leaves the process."""

    def __init__(self, client: socket.socket, place: RemoteWorld, trace: Trace, number: int, name: str) -> None:
        self._place, self._trace, self._number, self._name = place, trace, number, name
        self._http = h11.Connection(h11.SERVER)
        self._request: Any = None
        self._body = self._buffer = b""
        self._ended = False
        self._coming: deque[Piece] = deque()
        self.port = FIRST_PORT + number
        self.unread = 0
        """Bytes that the client could read now."""
        self._ours, theirs = socket.socketpair()
        self._ours.setblocking(False)  # noqa: FBT003
        with theirs:
            os.dup2(theirs.fileno(), client.fileno(), inheritable=False)
        os.set_blocking(client.fileno(), client.gettimeout() is None)

    @property
    def due(self) -> float | None:
        """When the next piece comes; None if none will."""
        return self._coming[0].due if self._coming else None

    def send(self, data: bytes) -> None:
        """The client sends something. Once that is a whole request, the service acts and answers."""
        try:
            self._http.receive_data(data)
            while self._next(self._http.next_event()):
                pass
        except h11.RemoteProtocolError as error:
            self._trace.refuse(f"send {self._where} what is no HTTP/1.1 ({error})", "speak HTTP to it, without TLS")

    def wait(self, timeout: float | None) -> None:
        """The client waits until there is something to read. TimeoutError if that takes longer than its timeout."""
        if self.unread or self._ended:
            return
        limit = float("inf") if timeout is None else timeout
        seconds = limit if self.due is None else max(0.0, round(self.due - self._place.elapsed(), 9))
        if seconds == float("inf"):
            self._trace.wait_for_ever()
        self._place.sleep(min(seconds, limit))
        if self.due is None or seconds > limit:
            raise TimeoutError("timed out")
        self.deliver()

    def deliver(self) -> None:
        """The next piece reaches the client."""
        piece = self._coming.popleft()
        if not piece.data:
            what = f"read a reply of {self._where} to an end that it does not have"
            self._trace.refuse(what, "close the connection after some events, or let the service end it")
        if piece.seen:
            world.current().exchange(*piece.seen, lambda: None)
        self._buffer += piece.data
        self.push()

    def received(self, count: int) -> None:
        """The client has read so many bytes."""
        self.unread -= count
        self.push()

    def push(self) -> None:
        """Let the client's descriptor have as much as it holds, and the end after all."""
        with suppress(BlockingIOError, BrokenPipeError):
            while self._buffer:
                sent = SEND(self._ours, self._buffer)
                self._buffer, self.unread = self._buffer[sent:], self.unread + sent
            if self._http.our_state in OVER and not self._coming and not self._ended:
                self._ended = True
                self._ours.shutdown(socket.SHUT_WR)

    def detach(self) -> None:
        """The client is about to give the descriptor to somebody who passes this module by."""
        self._trace.refuse(f"hand on its connection to {self._where}", "speak HTTP to it, without TLS")

    @property
    def _where(self) -> str:
        return f"the service {self._name}".strip()

    def _next(self, event: Any) -> bool:
        """Take one event of HTTP; whether there may be another."""
        if isinstance(event, h11.Request):
            self._request, self._body = event, b""
        elif isinstance(event, h11.Data):
            self._body += event.data
        elif isinstance(event, h11.EndOfMessage):
            self._exchange()
        elif event is h11.NEED_DATA and self._http.they_are_waiting_for_100_continue:
            going_on = self._http.send(h11.InformationalResponse(status_code=100, headers=[]))
            self._coming.append(Piece(0.0, going_on))
            return False
        else:
            return False
        return True

    def _exchange(self) -> None:
        method, target = self._request.method.decode(), self._request.target.decode("latin-1")
        headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in self._request.headers]
        request = {"method": method, "target": target, "headers": headers, "body": self._body.decode("latin-1")}
        label = self._name + target.partition("?")[0]
        try:
            reply = world.current().exchange(method, label, partial(self._place.http, self._number, request))
            if reply["lost"]:
                self._http.send_failed()
            else:
                self._answer(reply)
        except ServiceError as error:
            self._trace.refuse(f"use {self._where}, which {error}", MEND)
        except h11.LocalProtocolError as error:
            self._trace.refuse(f"use {self._where}, which answered what is no HTTP ({error})", MEND)
        self.push()

    def _answer(self, reply: dict[str, Any]) -> None:
        """Frame the reply as HTTP, in pieces that come each at its time."""
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply["headers"]]
        stream = any(name.lower() == b"content-type" and b"event-stream" in value for name, value in headers)
        head = self._http.send(h11.Response(status_code=reply["status"], headers=headers))
        pieces = [Piece(reply["at"] + reply["seconds"], head, ("reply", str(reply["status"])))]
        empty = self._request.method == b"HEAD" or reply["status"] in {204, 304}
        for number, (seconds, data) in enumerate([] if empty else reply["pieces"], 1):
            due, framed = reply["at"] + seconds, self._http.send(h11.Data(data=data.encode("latin-1")))
            if stream:
                pieces.append(Piece(due, framed, ("event", str(number))))
            elif due == pieces[-1].due:
                pieces[-1].data += framed
            else:
                pieces.append(Piece(due, framed))
        self._coming.extend(pieces)
        if reply["endless"]:
            self._coming.append(Piece(pieces[-1].due, b""))
            return
        pieces[-1].data += self._http.send(h11.EndOfMessage())
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
