"""The outside world: what the agent's tools act on. It outlives every process of ours and forgets nothing.

In a notebook the world is an object in the kernel. In the crash lab it is a process of its own
(`labkit.crash.world_process.serve`). Its time is virtual: a tool of two minutes takes none of yours.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from labkit.clock import FakeClock
from labkit.world.outside import Call, World, standing
from labkit.world.tools import (
    TOOLS,
    Fault,
    Kind,
    Tool,
    ToolConflictError,
    ToolError,
    ToolTimeoutError,
    ToolUnavailableError,
)

__all__ = [
    "TOOLS", "Call", "Fault", "Kind", "Place", "Tool", "ToolConflictError", "ToolError", "ToolTimeoutError",
    "ToolUnavailableError", "World", "WorldClock", "ack", "arrange", "ask", "attach", "current", "standing", "tool",
]  # fmt: skip

T = TypeVar("T")


class Place(Protocol):
    """What the code under test may do to the world, whether it lives here or in another process."""

    port: int | None
    """Where the world speaks HTTP on this machine; None if it does not."""
    database: str | None
    """The URL of the database that belongs to this world; None if it is up to `labkit.database`."""

    def call(self, tool: str, arguments: dict[str, Any], key: str | None = None, timeout: float | None = None) -> str:
        """Use a tool."""

    def ask(self, tool: str, arguments: dict[str, Any]) -> str | None:
        """Ask a tool whether it has acted."""

    def ack(self, label: str) -> None:
        """Tell the user that something is done."""

    def exchange(self, op: str, target: str, perform: Callable[[], T]) -> T:
        """Perform an effect that is no tool call, such as an HTTP request; in the crash lab, a crash point."""

    def arrange(self, **what: Any) -> None:
        """Set the scene: kinds, faults, tools, model."""

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""

    def elapsed(self) -> float:
        """Virtual seconds since the world began."""


_place: Place = World()


def attach(place: Place) -> Place:
    """Make `place` the world that `tool` and `ack` act on, and return it."""
    global _place  # noqa: PLW0603 - there is one world at a time, as outside
    _place = place
    return place


def current() -> Place:
    """The world that `tool` and `ack` act on."""
    return _place


def tool(name: str, /, *, key: str | None = None, timeout: float | None = None, **arguments: Any) -> str:
    """Use a tool of the outside world: the effect outlives this process. Errors as in World.call.

    `timeout` is in virtual seconds. When it is over the caller goes on, and so does the tool.
    """
    return _place.call(name, arguments, key, timeout)


def ask(name: str, /, **arguments: Any) -> str | None:
    """What a tool answered to these arguments, or None if it was never asked to. ToolError if it cannot be asked."""
    return _place.ask(name, arguments)


def arrange(**what: Any) -> None:
    """Set the scene in the world, in a sweep from `setup`.

    `kinds` and `faults` of tools by name; `tools` of your own, by name, with what each answers; or the `model`.
    """
    _place.arrange(**what)


class WorldClock:
    """The clock of the current world, whichever process that lives in."""

    def now(self) -> datetime:
        """Wall time in the world, in UTC."""
        return FakeClock().now() + timedelta(seconds=_place.elapsed())

    def monotonic(self) -> float:
        """Virtual seconds since the world began."""
        return _place.elapsed()

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        _place.sleep(seconds)


def ack(label: str) -> None:
    """Acknowledge: tell the user that `label` is done. From now on, losing it is breaking a promise."""
    _place.ack(label)
