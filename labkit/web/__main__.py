"""The child of `labkit.web.child`: it reads what to serve from standard input, and ends with whoever started it."""

import json
import os
import socket
import sys
import threading

import uvicorn

from labkit.postgres import connect
from labkit.web.application import HEARTBEAT, application
from labkit.web.wanted import LONGEST


def main() -> None:
    """Serve until the owner is gone, or closes our standard input."""
    told = json.loads(sys.stdin.buffer.readline())
    options = told["options"]
    listening = config(None, told["port"]).bind_socket()
    _give_up_who_does_not_read(listening, 2 * options.get("heartbeat", HEARTBEAT))
    listening.listen()  # before anybody hears of the port
    port = listening.getsockname()[1]
    own = [f"http://{host}:{port}" for host in ("127.0.0.1", "localhost")]
    options["origins"] = [*own, *options.get("origins", ())]
    app = application(connect(told["database"]), told["secret"], **options)
    server = uvicorn.Server(config(app, port))
    threading.Thread(target=watch, args=(told["owner"], server), daemon=True).start()
    print(port, flush=True)
    server.run([listening])


def config(app: object, port: int) -> uvicorn.Config:
    """How uvicorn is used. It logs no request: the addresses have tokens in them."""
    return uvicorn.Config(
        app, port=port, log_level="critical", access_log=False, ws_max_size=LONGEST * 4, timeout_graceful_shutdown=1
    )


def _give_up_who_does_not_read(listening: socket.socket, seconds: float) -> None:
    """Connections whose other end takes nothing for so long are ended by the kernel, with what waits in them."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * seconds))


def watch(owner: int, server: uvicorn.Server) -> None:
    """Stop when the owner says so, or is gone: a child that it has forked may keep our standard input open."""
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.buffer.read(1), over.set()), daemon=True).start()
    while os.getppid() == owner and not over.wait(0.2):
        pass
    server.should_exit = True
    over.wait(0.2)
    threading.Event().wait(3)
    os._exit(0)


if __name__ == "__main__":
    main()
