"""Sockets that a program connects to a service of the lab: what it sends and reads passes through here.

http.client, urllib3, httpcore and asyncio, and whatever stands on them, end in the methods of socket.socket.
"""

import os
import socket
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from labkit.crash.child.patch import Real, replace, standing_in
from labkit.crash.child.remote_world import RemoteWorld
from labkit.crash.child.trace import Trace
from labkit.crash.jobs import FIRST_PORT, SERVICES

LOOPBACK = {"127.0.0.1", "::1", "localhost"}
OUR_PORT = 50000
"""What a client is told of its own end."""


class Sockets:
    """Those sockets of this process that are connected to a service."""

    def __init__(self, place: RemoteWorld, trace: Trace) -> None:
        self._place, self._trace = place, trace
        self.connected: WeakKeyDictionary[socket.socket, Any] = WeakKeyDictionary()

    def connect(self, real: Real, client: socket.socket, address: Any) -> Any:
        """To a service if one listens there."""
        host, port = address[:2] if isinstance(address, tuple) else ("", 0)
        number = port - FIRST_PORT if isinstance(port, int) else -1
        name = self._place.service(number) if host in LOOPBACK and 0 <= number < SERVICES else None
        if name is None:
            return real(client, address)
        from labkit.crash.child.http import Connection  # noqa: PLC0415 - most programs need no HTTP

        self.connected[client] = Connection(client, self._place, self._trace, number, name)
        return 0 if real.__name__ == "connect_ex" else None

    def soonest(self, waiting: Mapping[int, Any]) -> tuple[float, Any] | None:
        """Of the connections whose descriptors are waited for: after how many seconds, and to which, a piece comes."""
        due = [(each.due, each) for each in self._waited_for(waiting)]
        coming = min((pair for pair in due if pair[0] is not None), key=lambda pair: pair[0], default=None)
        return coming and (max(0.0, round(coming[0] - self._place.elapsed(), 9)), coming[1])

    def count(self, waiting: Mapping[int, Any]) -> int:
        """How many of these descriptors are such connections."""
        return len(self._waited_for(waiting))

    def _waited_for(self, waiting: Mapping[int, Any]) -> list[Any]:
        """One that was closed has no descriptor: selectors raise a ValueError for it."""
        return [each for client, each in self.connected.items() if client.fileno() >= 0 and client.fileno() in waiting]


ACTIVE: list[Sockets] = []
"""Those of this process, once it is a child."""


def _send(connection: Any, _: Real, __: socket.socket, data: Any, *___: Any) -> int:
    connection.send(bytes(data))
    return memoryview(data).nbytes


def _sendall(connection: Any, _: Real, __: socket.socket, data: Any, *___: Any) -> None:
    connection.send(bytes(data))


def _sendmsg(connection: Any, _: Real, __: socket.socket, buffers: Any, *___: Any) -> int:
    data = b"".join(buffers)
    connection.send(data)
    return len(data)


def _recv(connection: Any, real: Real, client: socket.socket, *args: Any, **kwargs: Any) -> Any:
    if client.gettimeout() != 0:
        connection.wait(client.gettimeout())
    got = real(client, *args, **kwargs)
    connection.received(got if isinstance(got, int) else len(got))
    return got


def _detach(connection: Any, *_: Any) -> None:
    connection.detach()


def _there(connection: Any, *_: Any) -> tuple[str, int]:
    return "127.0.0.1", connection.port


def _here(*_: Any) -> tuple[str, int]:
    return "127.0.0.1", OUR_PORT


def _nothing(*_: Any) -> None:
    """Options of TCP mean nothing here."""


METHODS = {
    "send": _send, "sendall": _sendall, "sendmsg": _sendmsg, "recv": _recv, "recv_into": _recv, "detach": _detach,
    "setsockopt": _nothing, "getpeername": _there, "getsockname": _here,
}  # fmt: skip


def install() -> None:
    """Stand-ins for the methods of socket.socket by which clients speak HTTP. No proxy is asked for what is here."""
    past = os.environ.get("no_proxy") or os.environ.get("NO_PROXY", "")
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(filter(None, [past, *sorted(LOOPBACK)]))
    for name in ("connect", "connect_ex"):
        _stand_in(name, Sockets.connect)
    for name, function in METHODS.items():
        _stand_in(name, _of_connected(function))


def activate(place: RemoteWorld, trace: Trace) -> None:
    """From here on, this process can reach the services of its world."""
    ACTIVE.append(Sockets(place, trace))


def _stand_in(name: str, function: Real) -> None:
    real = getattr(socket.socket, name)

    def asked(sockets: Sockets, *args: Any, **kwargs: Any) -> Any:
        return function(sockets, real, *args, **kwargs)

    replace(name, standing_in(real, asked, ACTIVE), socket.socket)


def _of_connected(function: Real) -> Real:
    def method(sockets: Sockets, real: Real, client: socket.socket, *args: Any, **kwargs: Any) -> Any:
        connection = sockets.connected.get(client)
        if connection is None:
            return real(client, *args, **kwargs)
        return function(connection, real, client, *args, **kwargs)

    return method
