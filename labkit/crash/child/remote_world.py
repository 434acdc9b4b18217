"""The world as a child reaches it: each call a request over an inherited socket."""

import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from labkit.crash.channel import hear, tell
from labkit.crash.jobs import ServiceError
from labkit.world import ToolConflictError, ToolError, ToolTimeoutError, ToolUnavailableError

T = TypeVar("T")
OnTime = Callable[[float], None]
"""Called after every request with the virtual seconds since the world began."""
ERRORS = {error.__name__: error for error in (ServiceError, ToolConflictError, ToolTimeoutError, ToolUnavailableError)}
"""The errors that keep their type on the way; every other one arrives as a ToolError."""


class RemoteWorld:
    """A world in another process, over a socket that this one inherited."""

    def __init__(self, channel: Connection) -> None:
        self._channel = channel
        self._turn = threading.Lock()
        self.on_time: OnTime = lambda elapsed: None

    def _ask(self, request: str, *arguments: Any) -> Any:
        with self._turn:
            tell(self._channel, [request, *arguments])
            answer = hear(self._channel)
        self.on_time(answer["elapsed"])
        if "error" in answer:
            raise ERRORS.get(answer["type"], ToolError)(answer["error"])
        return answer["value"]

    @cached_property
    def port(self) -> int:
        """Where the world's process speaks HTTP."""
        return self._ask("port")

    @cached_property
    def database(self) -> str:
        """The database of the crash lab. ToolError if there is none."""
        return self._ask("database")

    def call(self, tool: str, arguments: dict[str, Any], key: str | None = None, timeout: float | None = None) -> str:
        """Use a tool."""
        return self._ask("call", tool, arguments, key, timeout)

    def ask(self, tool: str, arguments: dict[str, Any]) -> str | None:
        """Ask a tool whether it has acted."""
        return self._ask("ask", tool, arguments)

    def exchange(self, op: str, target: str, perform: Callable[[], T]) -> T:  # noqa: ARG002 - sources name it
        """Do something that reaches the world by another road."""
        return perform()

    def serve(self, name: str, app: str, path: Sequence[str], faults: Sequence[str]) -> int:
        """Start a service, and return its port. ToolError unless this process is a `setup`."""
        return self._ask("serve", name, app, path, faults)

    def service(self, number: int) -> str | None:
        """The name of a service, if there is one of this number."""
        return self._ask("service", number)

    def http(self, number: int, request: dict[str, Any]) -> dict[str, Any]:
        """What a service answers. ServiceError if it does not."""
        return self._ask("http", number, request)

    def arrange(self, **what: Any) -> None:
        """Set the scene. ToolError unless this process is a `setup`."""
        self._ask("arrange", what)

    def ack(self, label: str) -> None:
        """Tell the user that something is done."""
        self._ask("ack", label)

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        self._ask("sleep", seconds)

    def elapsed(self) -> float:
        """Virtual seconds since the world began."""
        return self._ask("elapsed")
