"""The application in a process of its own: it can be killed and started at will, and ends with its owner."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from labkit.web.access import Right, token_for


class ServerError(Exception):
    """The server does not start."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]  # all that a notebook shows


class Server:
    """A server of the application on 127.0.0.1. Once it has a port, it keeps it."""

    def __init__(self, database: str, secret: str, port: int = 0, **options: Any) -> None:
        """Over the database of this URL; `options` are those of `application`. Its own page is always an origin."""
        self._told = {"database": database, "secret": secret, "options": options, "owner": os.getpid()}
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        return self._process.pid

    def page(self, run: str, right: Right = Right.COMMAND) -> str:
        """The address of a run's page, with the token in it: give it to whoever may do that."""
        return f"{self.url}/runs/{quote(run, safe='')}#{self.token(run, right)}"

    def token(self, run: str, right: Right = Right.COMMAND) -> str:
        """See `token_for`."""
        return token_for(self._told["secret"], run, right)

    def start(self) -> None:
        """Start it, unless it runs, and wait until it listens. ServerError if it does not."""
        if self._process and self._process.poll() is None:
            return
        self._process = subprocess.Popen(
            [sys.executable, "-m", "labkit.web"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # an interrupt of the notebook is not meant for it
        )
        told = json.dumps({**self._told, "port": self.port})  # not in the command line, which all can read
        self._process.stdin.write(f"{told}\n".encode())
        self._process.stdin.flush()
        said = self._process.stdout.readline()
        if not said:
            self.kill()
            raise ServerError("the server does not start: is its port taken?")
        self.port = int(said)

    def kill(self) -> None:
        """Kill it by SIGKILL, as a failing machine would."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()
        self._process = None


@contextmanager
def serving(database: str, secret: str, port: int = 0, **options: Any) -> Iterator[Server]:
    """A running `Server`, for a while. Its options are those of `application`."""
    server = Server(database, secret, port, **options)
    try:
        server.start()
        yield server
    finally:
        server.kill()
