"""The application: a page, a stream of updates, a WebSocket for commands. All that must last is in the database."""

import asyncio
import re
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from labkit.progress import frame, updates_after
from labkit.store import StoreError
from labkit.web.access import Right, may
from labkit.web.answers import Patient, page, refusal
from labkit.web.wanted import LONGEST, saved
from labkit.web.watching import Watch

HEARTBEAT = 15.0
"""Seconds."""
ALIVE = "event: alive\ndata:\n\n"
"""A heartbeat: proxies close what is silent, and the page sees that the line is alive."""


def _number(seen: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", seen):
        raise ValueError("Last-Event-ID is the number of an update")
    return int(seen)


class Streams:
    """What the routes share."""

    def __init__(
        self, engine: sa.Engine, secret: str, origins: Collection[str], limit: int, heartbeat: float, poll: float
    ) -> None:
        """See `application`."""
        self.engine, self.secret, self.origins = engine, secret, frozenset(origins)
        self.limit, self.heartbeat, self.poll = limit, heartbeat, poll
        self.open, self.lines = 0, 0
        self.watch = Watch(engine, poll)

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """One task looks for all streams."""
        looking = asyncio.create_task(self.watch.look())
        yield
        looking.cancel()

    def allows(self, asked: HTTPConnection, right: Right) -> bool:
        """Whether the token of this request gives the right."""
        scheme, _, header = asked.headers.get("authorization", "").partition(" ")
        token = header if scheme.lower() == "bearer" else asked.query_params.get("token", "")
        return may(self.secret, asked.path_params["run"], right, token)

    async def updates(self, request: Request) -> Response:
        """The stream of a run: what is behind the last that was seen, then what comes, until it ends."""
        run, seen = request.path_params["run"], request.headers.get("last-event-id")
        seen = seen if seen is not None else request.query_params.get("after", "0")
        if not self.allows(request, Right.LOOK):
            return refusal(403, "this token is for another run, or for none")
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        if self.open >= self.limit:
            return refusal(503, "too many are watching: come back later", wait=5)
        self.open += 1
        answer = None
        try:
            answer = await self._answer(run, seen)
        finally:
            if not isinstance(answer, Patient):
                self._ended()
        return answer

    def _ended(self) -> None:
        self.open -= 1

    async def _answer(self, run: str, seen: str) -> Response:
        try:
            last = _number(seen)
            first = await asyncio.to_thread(updates_after, self.engine, run, last)
        except ValidationError:
            return refusal(503, "this run has told what this version of labkit does not know", wait=5)
        except ValueError as error:
            return refusal(400, f"{error}")
        except StoreError:
            return refusal(503, "the database does not answer: come back later", wait=1)
        if first == ([], True):
            return Response(status_code=204)  # a browser takes it as "do not come back"
        return Patient(self._frames(run, last, first), 2 * self.heartbeat, self._ended)

    async def _frames(self, run: str, last: int, first: tuple[list[Any], bool]) -> AsyncIterator[str]:
        found, at_end = first
        yield "retry: 1000\n\n"
        while True:
            if found:
                text, last = "".join(frame(number, update) for number, update in found), found[-1][0]
                found.clear()  # they need not be kept while somebody does not read
                yield text
            elif not at_end:
                await self.watch.more(run, last, self.heartbeat)
            if at_end:
                return
            with suppress(StoreError):  # it may be back before anybody notices
                found, at_end = await asyncio.to_thread(updates_after, self.engine, run, last)
            if not found and not at_end:
                yield ALIVE
                await asyncio.sleep(self.poll)  # also if there was news, and nothing can be read

    async def commands(self, socket: WebSocket) -> None:
        """Save what the user wants, then acknowledge it, one after the other."""
        origin = socket.headers.get("origin")
        if not self.allows(socket, Right.COMMAND) or (origin is not None and origin not in self.origins):
            return await socket.close(1008)
        await socket.accept()
        if self.lines >= self.limit:
            return await socket.close(1013)  # try again later
        self.lines += 1
        try:
            await self._save_commands(socket)
        finally:
            self.lines -= 1
        return None

    async def _save_commands(self, socket: WebSocket) -> None:
        while (message := await socket.receive())["type"] == "websocket.receive":
            text = message.get("text")
            if text is None or len(text) > LONGEST:
                return await socket.close(1003 if text is None else 1009)
            await socket.send_json(await asyncio.to_thread(saved, self.engine, socket.path_params["run"], text))
        return None


def application(
    engine: sa.Engine,
    secret: str,
    *,
    origins: Collection[str] = (),
    limit: int = 500,
    heartbeat: float = HEARTBEAT,
    poll: float = 0.2,
) -> Starlette:
    """The application over the tables of `engine`, for any ASGI server. Tokens are made of `secret`.

    `origins`: the pages from which commands are taken, such as "https://lab.example"; who is no browser names none.
    Up to `limit` streams, and as many lines for commands. A stream is silent for at most `heartbeat` seconds; news is
    there after `poll` seconds.
    """
    streams = Streams(engine, secret, origins, limit, heartbeat, poll)
    routes = [
        Route("/runs/{run:path}/updates", streams.updates),
        WebSocketRoute("/runs/{run:path}/commands", streams.commands),
        Route("/runs/{run:path}", page),
    ]
    return Starlette(routes=routes, lifespan=partial(Streams.lifespan, streams))
