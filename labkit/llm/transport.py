"""Below openai's clients: every request is an effect of the world, and the scripted server's delays are virtual.

exchange("POST", "chat/completions")    the whole request and the whole reply; a kill after it: done, nothing seen
the clock moves                         as the reply demands (`labkit.llm.delays`)
exchange("reply", "200")                the client sees the status and the first piece of the body
"""

import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from typing import Any, TypeVar, cast
from urllib.request import getproxies, proxy_bypass

import httpx2

from labkit.clock import Clock
from labkit.llm.delays import Whole, pause
from labkit.world import current

T = TypeVar("T")
AT_ONCE = dict.fromkeys(("connect", "read", "write", "pool"), 60.0)
"""Real seconds for what takes the scripted server none: even a slow machine must not meet a virtual timeout."""
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""That a transport be given one, for the scripted server. No certificate is trusted, so none is read."""
ALONE = httpx2.Limits(max_keepalive_connections=0)
"""A connection is never kept: a killed process must not leave one behind in a pool."""


class Road(httpx2.BaseTransport):
    """httpx2's transport to the scripted server. The delay in a reply's header passes on the world's clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wire = _wire()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """The reply, after the time that it takes. httpx2's errors."""
        whole = _exchange(request, lambda: _fetch(self._wire, request))
        self._wait(whole)
        _show(whole)
        return whole.response(self._pieces(whole))

    def _pieces(self, whole: Whole) -> Iterator[bytes]:
        first, *others = whole.pieces()
        yield first
        for piece in others:
            self._wait(whole)
            yield piece

    def _wait(self, whole: Whole) -> None:
        seconds, error = whole.silence()
        self._clock.sleep(seconds)
        if error:
            raise error


class AsyncRoad(httpx2.AsyncBaseTransport):
    """The same for `async` code. The server replies at once, so that is not awaited; the delay is."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wire = _wire()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The reply, after the time that it takes. httpx2's errors."""
        whole = _exchange(request, lambda: _fetch(self._wire, request))
        await self._wait(whole)
        _show(whole)
        return whole.response(self._pieces(whole))

    async def _pieces(self, whole: Whole) -> AsyncIterator[bytes]:
        first, *others = whole.pieces()
        yield first
        for piece in others:
            await self._wait(whole)
            yield piece

    async def _wait(self, whole: Whole) -> None:
        seconds, error = whole.silence()
        await pause(self._clock, seconds)
        if error:
            raise error


class RealRoad(httpx2.HTTPTransport):
    """httpx2's own transport to a real server, in real time. Its requests are effects as well."""

    def __init__(self, url: str) -> None:
        super().__init__(limits=ALONE, proxy=_proxy(url))

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """The reply as it begins; its body comes as it comes."""
        return _exchange(request, lambda: super(RealRoad, self).handle_request(request))


class AsyncRealRoad(httpx2.AsyncHTTPTransport):
    """The same for `async` code: the effect is told when the reply has begun, because others go on meanwhile."""

    def __init__(self, url: str) -> None:
        super().__init__(limits=ALONE, proxy=_proxy(url))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The reply as it begins; its body comes as it comes."""
        response = await super().handle_async_request(request)
        return _exchange(request, lambda: response)


def _exchange(request: httpx2.Request, perform: Callable[[], T]) -> T:
    """Perform a request as an effect, named as openai's documentation does it: POST chat/completions."""
    return current().exchange(request.method, request.url.path.rpartition("/v1/")[2], perform)


def _show(whole: Whole) -> None:
    current().exchange("reply", str(whole.status), lambda: None)


def _wire() -> httpx2.HTTPTransport:
    return httpx2.HTTPTransport(limits=ALONE, trust_env=False, verify=NO_TLS)


def _fetch(wire: httpx2.HTTPTransport, request: httpx2.Request) -> Whole:
    """Read the whole reply, with real timeouts so long that none is met. httpx2's errors."""
    limit = request.extensions.get("timeout", {}).get("read")
    extensions: dict[str, Any] = {**request.extensions, "timeout": AT_ONCE}
    hurried = httpx2.Request(
        request.method, request.url, headers=request.headers, stream=request.stream, extensions=extensions
    )
    response = wire.handle_request(hurried)
    with closing(response):
        body = b"".join(cast("httpx2.SyncByteStream", response.stream))
    return Whole(response.status_code, response.headers, body, float("inf") if limit is None else limit)


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for a URL; httpx2 asks only when it makes the transport itself."""
    where = httpx2.URL(url)
    proxies = {} if proxy_bypass(where.host) else getproxies()
    return proxies.get(where.scheme) or proxies.get("all")
