"""The customer's server, to which a webhook goes, and the network between: names, and where their addresses lead.

The server is a service of the crash lab: real HTTP, real requests. The network is modelled: an address that belongs to
the internet leads to that server, and any other to something of our own, which nobody from outside must reach.
"""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import Any

from labkit import world
from labkit.gauntlet.parts import Parts

SECRET = "whsec_" + "c2VjcmV0" * 4
OURS, FOREIGN = "https://hooks.customer.example/orders", "http://status.rival.example/orders"
"""Where the customer wants to be told, and what somebody has given as his URL who means no good."""
NAMES = {"hooks.customer.example": ["93.184.215.14"], "status.rival.example": ["93.184.215.14", "10.0.0.7"]}
LEADS_TO = {"93.184.215.14": 8001}
INSIDE = "inner_server"
"""What the world notes when somebody is led to an address of our own."""
Start = Callable[[str, list[tuple[str, str]]], Any]


def now() -> float:
    """Unix seconds in the world."""
    return world.WorldClock().now().timestamp()


class Customer:
    """An application that believes whom `verify` believes, and acts once on each event."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._known = parts, set[str]()

    def __call__(self) -> Callable[[dict[str, Any], Start], Iterable[bytes]]:
        """The application."""
        return self._answer

    def _answer(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        headers = {name[5:].replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")}
        if not self._parts["verify"](SECRET, {**headers}, body, now()):
            start("401 Unauthorized", [])
            return []
        name = headers["WEBHOOK-ID"]
        start("204 No Content", [("Idempotent-Replayed", "true")] * (name in self._known))
        self._known.add(name)
        return []


def resolve(host: str) -> list[str]:
    """The addresses that a host has."""
    return [*NAMES[host]]


def posting(parts: Parts, headers: dict[str, str]) -> Callable[[str, str, bytes], Any]:
    """How `deliver` posts: it connects to an address, and returns an Answer of exercise 10."""

    def post(address: str, url: str, body: bytes) -> Any:
        if address not in LEADS_TO:
            world.tool(INSIDE, address=address)
            return parts["Answer"](204)
        connection = HTTPConnection("127.0.0.1", LEADS_TO[address], timeout=15)
        try:
            path = "/" + url.partition("://")[2].partition("/")[2]
            connection.request("POST", path, body, {**headers, "Content-Type": "application/json"})
            return parts["Answer"](connection.getresponse().status)
        finally:
            connection.close()

    return post


def signed(parts: Parts, event_id: str, body: bytes, at: float) -> dict[str, str]:
    """The headers of a message of ours."""
    sign = parts["signature"](SECRET, event_id, str(int(at)), body)
    return {"webhook-id": event_id, "webhook-timestamp": str(int(at)), "webhook-signature": sign}


def intrude(parts: Parts) -> None:
    """Somebody else sends what we never sent: a forged message, and one that was ours an hour ago."""
    body = json.dumps({"type": "forged", "run": "order-9", "number": 1}).encode()
    forged = signed(parts, "order-9/1", body, now()) | {"webhook-signature": "v1,AAAA"}
    for headers in (forged, signed(parts, "order-9/2", body, now() - 3600)):
        with suppress(OSError, HTTPException):  # a server that fails, fails for all
            posting(parts, headers)("93.184.215.14", OURS, body)
