"""Connections to addresses that strangers name: only to the world outside, and none for longer than it may last.

Whoever can make a server fetch a URL of their choice reaches what only that server can reach: its own ports, its
neighbours, the cloud's metadata (server-side request forgery, CWE-918). A look at the URL does not help: there are many
ways to write an address, and a name can have another one when it is resolved again. So a name is resolved once, every
address that it has is looked at, and the connection goes to one of those.
"""

import socket
import time
from collections.abc import Collection, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import httpcore

UNICAST = ip_network("2000::/3")
LEAD_ELSEWHERE = [ip_network(each) for each in ("2001::/32", "2002::/16", "192.88.99.0/24")]
"""Teredo and 6to4: another address is written into these, to which a relay may lead."""
NOT_GLOBAL = [ip_network(each) for each in ("192.0.0.0/24", "3fff::/20")]
"""For protocols (a cloud has its metadata there) and for documents: older Pythons take them for global."""
CHUNK = 16384
"""Bytes that are written at a time: whoever reads a few now and then would renew the limit of one long write."""


class RefusedAddressError(Exception):
    """The address is, or may be, one of a network of our own."""


def is_outside(address: IPv4Address | IPv6Address) -> bool:
    """Whether it belongs to the public internet, and to one machine.

    `is_global` alone is not enough: it holds for multicast, and for prefixes that translate to IPv4 (64:ff9b::/96).
    """
    if address.version == 6 and address not in UNICAST:
        return False
    refused = any(address in each for each in LEAD_ELSEWHERE + NOT_GLOBAL)
    return address.is_global and not address.is_multicast and not refused


def outside_address(host: str, port: int, allow: Collection[str] = ()) -> str:
    """An address of a host, to connect to. RefusedAddressError if any that it has is not outside; OSError for no host.

    `allow`: addresses that are taken though they are inner ones. What the machine's own public address leads to, and
    what a firewall lets through, is not known here.
    """
    allow = {allow} if isinstance(allow, str) else allow  # "10.0.0.1" is in "10.0.0.12"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"no host: {host!r}") from error
    addresses = [str(where[0]).partition("%")[0] for *_, where in found]
    for address in addresses:
        if address not in allow and not is_outside(ip_address(address)):
            raise RefusedAddressError(f"{host} is at {address}, and that is no address of the public internet")
    return addresses[0]


class GuardedBackend(httpcore.NetworkBackend):
    """For httpcore: connects to outside addresses only, and to none for more than some seconds in all."""

    def __init__(self, seconds: float, allow: Collection[str] = ()) -> None:
        self._until, self._allow = time.monotonic() + seconds, allow

    def left(self) -> float:
        """Seconds that are left. TimeoutError if there are none."""
        if (left := self._until - time.monotonic()) <= 0:
            raise TimeoutError
        return left

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - as httpcore calls it; there is one limit for all
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to one of the addresses that were looked at. TLS and the Host header keep the host's name."""
        address = outside_address(host, port, self._allow)
        real = httpcore.SyncBackend()
        return _Limited(real.connect_tcp(address, port, self.left(), local_address, socket_options), self)


class _Limited(httpcore.NetworkStream):
    """A connection, each call of which has what is left of the time."""

    def __init__(self, real: httpcore.NetworkStream, guard: GuardedBackend) -> None:
        self._real, self._guard = real, guard

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - see connect_tcp
        return self._real.read(max_bytes, self._guard.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        for start in range(0, len(buffer), CHUNK):
            self._real.write(buffer[start : start + CHUNK], self._guard.left())

    def close(self) -> None:
        self._real.close()

    def start_tls(
        self,
        ssl_context: Any,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        return _Limited(self._real.start_tls(ssl_context, server_hostname, self._guard.left()), self._guard)

    def get_extra_info(self, info: str) -> Any:
        return self._real.get_extra_info(info)
