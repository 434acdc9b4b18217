"""The server's process: over stdio for whoever starts it, or over HTTP on this machine for whoever has a token."""

import socket
from pathlib import Path

import uvicorn

from labkit.mcp_state.server import StateServer
from labkit.mcp_state.tokens import TokenFile, settings
from labkit.store import StateStore

HOST = "127.0.0.1"
"""For others there is a proxy, which has a certificate: a token must not travel in the open."""
SECONDS_TO_END = 1
"""What open streams are given when the server is asked to end: without a limit they would keep it for ever."""


def serve_stdio(store: StateStore, owner: str) -> None:
    """Serve one client over standard input and output, until the input ends."""
    StateServer(store, owner).run("stdio")


def serve_http(store: StateStore, tokens: Path, port: int = 0) -> None:
    """Serve over streamable HTTP until SIGINT or SIGTERM; the first line printed is the URL. 0: any free port.

    OSError if the port is taken, or the file of tokens cannot be read.
    """
    verifier = TokenFile(tokens)
    with socket.create_server((HOST, port)) as listening:
        address = f"http://{HOST}:{listening.getsockname()[1]}"
        server = StateServer(store, token_verifier=verifier, auth=settings(address))
        print(f"{address}/mcp", flush=True)
        app = server.streamable_http_app(stateless_http=True)  # no session that would die with this process
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=SECONDS_TO_END)
        uvicorn.Server(config).run(sockets=[listening])
