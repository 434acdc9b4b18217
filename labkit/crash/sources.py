"""Where effects come from. A source is a function that is given the Trace and reports to it; add yours to SOURCES."""

from dataclasses import dataclass
from typing import Any

from labkit import world
from labkit.crash import calls
from labkit.crash.trace import Trace


@dataclass
class TracedWorld:
    """The world as the code under test reaches it: each call an effect."""

    place: world.Place
    trace: Trace

    def call(self, tool: str, arguments: dict[str, Any], key: str | None = None) -> str:
        """Use a tool."""
        return self.trace.effect("tool", tool, lambda: self.place.call(tool, arguments, key))

    def ack(self, label: str) -> None:
        """Acknowledge."""
        self.trace.effect("ACK", label, lambda: self.place.ack(label))

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass, which is no effect."""
        self.place.sleep(seconds)

    def elapsed(self) -> float:
        """Virtual seconds since the world began."""
        return self.place.elapsed()


def trace_world(trace: Trace) -> None:
    """Trace tool calls and acknowledgements."""
    world.attach(TracedWorld(world.current(), trace))


SOURCES = (calls.install, trace_world)
