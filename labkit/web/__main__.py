"""The child of `labkit.web.child`: it reads what to serve from standard input, and ends with whoever started it."""

import json
import os
import sys
import threading

import uvicorn

from labkit.postgres import connect
from labkit.web.application import application
from labkit.web.wanted import LONGEST


def main() -> None:
    """Serve until the owner is gone, or closes our standard input."""
    told = json.loads(sys.stdin.buffer.readline())
    listening = config(None, told["port"]).bind_socket()
    listening.listen()  # before anybody hears of the port
    port = listening.getsockname()[1]
    origins = [f"http://{host}:{port}" for host in ("127.0.0.1", "localhost")]
    app = application(connect(told["database"]), told["secret"], origins=origins, **told["options"])
    server = uvicorn.Server(config(app, port))
    threading.Thread(target=watch, args=(told["owner"], server), daemon=True).start()
    print(port, flush=True)
    server.run([listening])


def config(app: object, port: int) -> uvicorn.Config:
    """How uvicorn is used. It logs no request: the addresses have tokens in them."""
    return uvicorn.Config(
        app, port=port, log_level="critical", access_log=False, ws_max_size=LONGEST * 4, timeout_graceful_shutdown=1
    )


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
