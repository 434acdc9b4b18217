"""The agent's way to a server over HTTP: with its token, and again when the server was away.

A request that finds no server ends the whole client of `mcp`. So whoever wants to outlive servers makes another one.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CONNECTION_CLOSED

T = TypeVar("T")
TIMEOUT = httpx2.Timeout(30.0, read=300.0)
"""Seconds. A stream of hints may be silent for long."""


def connect(url: str, token: str) -> Client:
    """A client that says who it is; `async with` it. Make another one for another connection."""
    return Client(_transport(url, token))


@asynccontextmanager
async def _transport(url: str, token: str) -> AsyncIterator[Any]:
    headers, hooks = {"Authorization": f"Bearer {token}"}, {"response": [_refuse_unknown]}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=TIMEOUT, event_hooks=hooks) as http,
        streamable_http_client(url, http_client=http) as streams,
    ):
        yield streams


async def _refuse_unknown(response: httpx2.Response) -> None:
    if response.status_code == httpx2.codes.UNAUTHORIZED:  # else `mcp` would say that there was an error
        raise PermissionError("the server knows no such token: ask whoever runs it for one (labkit mcp --issue)")


async def outlast(
    client: Callable[[], Client], work: Callable[[Client], Awaitable[T]], *, attempts: int = 20, delay: float = 0.5
) -> T:
    """What `work(client)` returns; while no server is there it is called again, `delay` seconds later, from its start.

    So the work has to be one that may be repeated, as `go_on` is. ConnectionError after so many attempts; whatever the
    server answered, and whatever else the work raises, is passed on.
    """
    for attempt in range(attempts):
        if attempt:
            await anyio.sleep(delay)
        ended: list[T] = []
        try:
            async with client() as connected:
                ended.append(await work(connected))
        except Exception as error:  # noqa: BLE001 - a task group wraps what was raised in it
            _pass_on(error)
        if ended:
            return ended[0]
    raise ConnectionError(f"no server was there at {attempts} attempts: start it, then go on")


def _pass_on(error: Exception) -> None:
    """Raise it, out of its groups, unless all there is to it is that the server was not there."""
    if isinstance(error, ExceptionGroup):
        for each in error.exceptions:
            _pass_on(each)
    elif not (isinstance(error, httpx2.TransportError) or _is_closed(error)):
        raise error


def _is_closed(error: Exception) -> bool:
    return isinstance(error, MCPError) and error.code == CONNECTION_CLOSED
