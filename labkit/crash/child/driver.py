"""psycopg beside the statements that it sends: how long it waits, and libpq beneath it.

Its waits with a limit, as `notifies(timeout)`, ask for the time and sleep in C: whoever could send something has a
MOMENT, and then the world's clock moves.
"""

import sys
from collections.abc import Callable, Generator
from functools import wraps
from typing import Any

from psycopg import Connection
from psycopg._connection_base import BaseConnection
from psycopg.errors import _WaitTimeout

from labkit.crash.child.trace import Trace
from labkit.crash.child.waits import ACTIVE, MOMENT
from labkit.crash.under_test import is_under_test

INTERVAL = 0.1
"""Real seconds after which psycopg wakes who waits, unless it is told otherwise."""
SENDS = ("exec", "send_")
"""How the methods of libpq begin that have the server do something."""


def install(trace: Trace) -> None:
    """From here on, for the only trace of this process."""
    Connection.wait = _with_virtual_limit(Connection.wait)
    BaseConnection.pgconn = property(lambda self: _shown(trace, vars(self)["pgconn"]), _keep)


def _with_virtual_limit(real: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(real)
    def wait(self: Connection, gen: Any, interval: float = INTERVAL, timeout: float | None = None) -> Any:
        return real(self, gen if timeout is None else _limited(gen, interval, timeout), interval)

    return wait


def _limited(gen: Generator[Any, int, Any], interval: float, timeout: float) -> Generator[Any, int, Any]:
    """What `gen` does. When it has had a MOMENT, in which it is woken at each interval, the whole limit is over."""
    ready, left = None, max(interval, min(timeout, MOMENT))
    while left > 0:
        try:
            ready = yield gen.send(ready)
        except StopIteration as end:
            return end.value
        left -= 0 if ready else interval
    ACTIVE[0].sleep(timeout)
    raise _WaitTimeout("wait timeout expired")


def _keep(self: BaseConnection, pgconn: Any) -> None:
    vars(self)["pgconn"] = pgconn


def _shown(trace: Trace, pgconn: Any) -> Any:
    """The driver's own code gets it as it is, code under test what refuses to send statements."""
    under_test = not trace.lenient and is_under_test(sys._getframe(2))  # noqa: SLF001 - as in virtual
    return _Watched(trace, pgconn) if under_test else pgconn


class _Watched:
    """A PGconn that may be asked, but sends nothing that the lab would not see."""

    def __init__(self, trace: Trace, pgconn: Any) -> None:
        self._trace, self._pgconn = trace, pgconn

    def __getattr__(self, name: str) -> Any:
        if name.startswith(SENDS):
            self._trace.refuse(f"send SQL past psycopg's cursors (pgconn.{name})", "use connection.execute")
        return getattr(self._pgconn, name)
