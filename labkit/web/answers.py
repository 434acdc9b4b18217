"""What the application answers with: the page, a stream that is not waited for endlessly, a refusal."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

PAGE_MAY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; "
    "frame-ancestors 'self' http://127.0.0.1:* http://localhost:*"
)


async def page(_: Request) -> Response:
    """The page: the same for all runs, as it reads from its own address which run it shows."""
    html = files("labkit.web").joinpath("page.html").read_text("utf-8")
    return HTMLResponse(html, headers={"Content-Security-Policy": PAGE_MAY, "Referrer-Policy": "no-referrer"})


class Patient(StreamingResponse):
    """A stream that gives up whoever does not read: they come back, and say what they have seen."""

    def __init__(self, content: AsyncIterator[str], patience: float, ended: Callable[[], None]) -> None:
        """`patience`: seconds for which a full line is waited for; `ended` is called at the end, however it comes."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # the latter for nginx: pass it on at once
        super().__init__(content, media_type="text/event-stream", headers=headers)
        self._patience, self._ended = patience, ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended()

    async def stream_response(self, send: Send) -> None:
        """Send what comes, as fast as it is read."""

        async def patiently(message: Message) -> None:
            async with asyncio.timeout(self._patience):
                await send(message)

        with suppress(TimeoutError):
            await super().stream_response(patiently)


def refusal(status: int, text: str, wait: int | None = None) -> Response:
    """One line of text; `wait`: seconds after which to come back."""
    return PlainTextResponse(f"{text}\n", status, {"Retry-After": f"{wait}"} if wait else None)
