"""WSGI (PEP 3333): requests and replies of an application that is a function of two arguments."""

import io
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from labkit.crash.child.reply import HOST, Data, EndlessError, Reply, Timed


def answering(app: Any, clock: Timed) -> Callable[[Data], Data]:
    """What answers requests by this application."""
    return lambda request: _ask(app, request, Reply(clock))


def _ask(app: Any, request: Data, reply: Reply) -> Data:
    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Callable[[bytes], None]:
        reply.start(int(status.partition(" ")[0]), [list(pair) for pair in headers])
        return reply.add

    parts = app(_environ(request), start_response)
    try:
        for part in parts:
            reply.add(part)
    except EndlessError:
        pass
    finally:
        if hasattr(parts, "close"):
            parts.close()
    return reply.told


def _environ(request: Data) -> Data:
    path, _, query = request["target"].partition("?")
    body = request["body"].encode("latin-1")
    environ = {
        "REQUEST_METHOD": request["method"], "SCRIPT_NAME": "", "PATH_INFO": unquote(path, "latin-1"),
        "QUERY_STRING": query, "CONTENT_LENGTH": str(len(body)), "SERVER_NAME": HOST, "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": HOST, "wsgi.version": (1, 0), "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr, "wsgi.multithread": False,
        "wsgi.multiprocess": False, "wsgi.run_once": False,
    }  # fmt: skip
    headers = [(name.upper().replace("-", "_"), value) for name, value in request["headers"]]
    return environ | {name if name == "CONTENT_TYPE" else f"HTTP_{name}": value for name, value in headers}
