"""Where effects come from. A source is a function that is given the Trace and reports to it; add yours to SOURCES."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from labkit import world
from labkit.crash.child.trace import Trace
from labkit.crash.child.turns import Turns

T = TypeVar("T")


@dataclass
class TracedWorld:
    """The world as the code under test reaches it: each call an effect."""

    place: world.Place
    trace: Trace

    @property
    def port(self) -> int | None:
        """Where the world speaks HTTP."""
        return self.place.port

    @property
    def database(self) -> str | None:
        """The URL of the world's database. Whoever asks is about to connect: from here on SQL is traced."""
        _trace_sql(self.trace)
        return self.place.database

    def call(self, tool: str, arguments: dict[str, Any], key: str | None = None, timeout: float | None = None) -> str:
        """Use a tool."""
        return self._effect("tool", tool, lambda: self.place.call(tool, arguments, key, timeout))

    def ask(self, tool: str, arguments: dict[str, Any]) -> str | None:
        """Ask a tool whether it has acted, which is no effect."""
        return self.place.ask(tool, arguments)

    def exchange(self, op: str, target: str, perform: Callable[[], T]) -> T:
        """Do something that reaches the world by another road."""
        return self._effect(op, target, lambda: self.place.exchange(op, target, perform))

    def arrange(self, **what: Any) -> None:
        """Set the scene."""
        self.place.arrange(**what)

    def _effect(self, op: str, target: str, perform: Callable[[], T]) -> T:
        """An effect, even where the caller gets an error: the world may have acted all the same."""

        def attempt() -> tuple[Any, Exception | None]:
            try:
                return perform(), None
            except Exception as error:  # noqa: BLE001 - the caller gets it
                return None, error

        value, error = self.trace.effect(op, target, attempt)
        if error is not None:
            raise error
        return value

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


def trace_sql(trace: Trace) -> None:
    """Trace SQL, if this process has the driver already; otherwise `TracedWorld.database` does it later."""
    if "psycopg" in sys.modules:
        _trace_sql(trace)


_traces: list[Trace] = []


def _trace_sql(trace: Trace) -> None:
    from labkit.crash.child import sql  # noqa: PLC0415 - most programs need no driver, and each child would wait for it

    if trace not in _traces:
        _traces.append(trace)
        how = sql
        if isinstance(trace, Turns):
            from labkit.crash.child import shared_sql as how  # noqa: PLC0415 - as above
        how.install(trace, lambda: world.current().database)


SOURCES = (trace_world, trace_sql)
