"""`service`: an application of the program's surroundings, spoken to by HTTP, that the lab puts back at every point."""

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from labkit import world
from labkit.crash.jobs import CrashLabError, ServiceError
from labkit.crash.pickling import pickled
from labkit.world import Fault, ToolError

NAME = re.compile(r"[a-z][a-z0-9-]*|")
WHEN = "service(app) belongs into the setup of a sweep: elsewhere nobody could put its state back"


def service(app: Callable[..., Any], name: str = "", faults: Sequence[str] = ()) -> str:
    """Start a service in `setup`; returns its URL, `http://127.0.0.1:8001` for the first one.

    `app` is a WSGI or ASGI application, or a function without arguments that makes one. What it keeps in variables and
    in its current folder outlives the program. For every crash point it is made anew and given again the requests that
    it had until then; if it answers otherwise than it did, it is refused by name.
    HTTP to it has crash points: before the request is sent, after the service has acted, after the reply is there, and
    after each event of a stream (`text/event-stream`). Its time is virtual: what it sleeps, the client waits.
    In `o.calls` a request is named "POST /orders", or "POST shop/orders" if the service is named `shop`; its arguments
    are the fields of query and body (JSON or a form), its key the header Idempotency-Key. `o.ledger` has those that
    may change something and were answered by a status below 400, unless with the header `Idempotent-Replayed: true`.
    `faults` are those of the world's tools, one for each request in turn: "transient" is a 503 and "permanent" a 403
    before the application is asked, "ambiguous" an answer that is lost.
    The service answers one request at a time, and makes a whole reply, or the first hundred pieces of one that does not
    end, before the client sees the first of it. TypeError or ValueError for a wrong argument, CrashLabError outside
    of `setup`.
    """
    if not callable(app):
        raise TypeError(f"a service is a WSGI or ASGI application, not {type(app).__name__}")
    if not NAME.fullmatch(name):
        raise ValueError(f"a service is named by small letters, digits and hyphens, not {name!r}")
    if wrong := {*faults} - {*Fault}:
        raise ValueError(f"a fault is {', '.join(Fault)}, not {min(map(str, wrong))!r}")
    serve = getattr(world.current(), "serve", None)
    if serve is None:
        raise CrashLabError(WHEN)
    try:
        port = serve(name, pickled(app).decode("latin-1"), sys.path, list(faults))
    except ServiceError as error:
        raise CrashLabError(f"the service cannot be started: it {error}") from None
    except ToolError:
        raise CrashLabError(WHEN) from None
    return f"http://127.0.0.1:{port}"
