"""Requests and replies as plain data, before and after HTTP. Errors are worded as OpenAI's servers do it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Data = dict[str, Any]

FAILURES = {
    400: ("invalid_request_error", "The request was not understood."),
    401: ("authentication_error", "No API key, or a wrong one."),
    403: ("permission_error", "This key may not use this model."),
    404: ("invalid_request_error", "There is nothing at this address."),
    429: ("rate_limit_error", "Too many requests: slow down."),
    500: ("server_error", "The server had an error while processing the request."),
    503: ("server_error", "The server is overloaded: try again later."),
}


class Request(NamedTuple):
    """What somebody asks over HTTP."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Asked for in lower case; HTTP does not mind the case."""
    body: bytes = b""

    def bearer(self) -> str:
        """The API key; empty if there is none."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def retry(self) -> int:
        """How often openai's client says it has sent this before."""
        count = self.headers.get("x-stainless-retry-count", "")
        return int(count) if count.isdecimal() and len(count) < 10 else 0


@dataclass(frozen=True)
class Reply:
    """What is sent back."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    """The connection is closed when half of the body is sent."""

    @classmethod
    def of(cls, data: Any, status: int = 200) -> "Reply":
        """Data as JSON."""
        return cls(json.dumps(data).encode(), status, {"content-type": "application/json"})


def failure(status: int, message: str | None = None, param: str | None = None) -> Reply:
    """An HTTP error."""
    kind, usual = FAILURES.get(status, FAILURES[500 if status >= 500 else 400])
    return Reply.of({"error": {"message": message or usual, "type": kind, "param": param, "code": None}}, status)


class RefusedError(ValueError):
    """The request makes no sense; `reply` says so."""

    def __init__(self, message: str | None = None, param: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.reply = failure(status, message, param)


def parse(body: bytes) -> Data:
    """The JSON object in the body of a request. RefusedError if it holds none."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedError("The body of the request is not JSON.") from None
    if not isinstance(data, dict):
        raise RefusedError("The body of the request is not a JSON object.")
    return data
