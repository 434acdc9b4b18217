"""asyncio in a child: its loops get a selector that, where a loop only waits for its timers, moves the world's clock.

`select(timeout)` waits until the loop's next timer at most. Sockets and threads do not follow the world's clock and get
real time: a job in an executor as long as it takes, anything else a MOMENT. asyncio is not imported unless it is used.
"""

import math
import selectors
import sys
import threading
from functools import cache
from typing import Any

from labkit.crash.child import sockets
from labkit.crash.child.patch import replace
from labkit.crash.child.waits import ACTIVE
from labkit.crash.under_test import is_under_test

MOMENT, DAY, CENTURY = 1.0, 86400.0, 3.2e9
"""Real seconds: for a server to answer; for an executor's job (no child lives so long). A longer wait has no timer."""


class LoopSelector(selectors.DefaultSelector):
    """The selector of an asyncio loop, or of code under test. For libraries, it is selectors.DefaultSelector."""

    def __init__(self) -> None:
        super().__init__()
        frame = sys._getframe(1)  # noqa: SLF001 - as in trace
        of_a_loop = frame.f_globals["__name__"] == "asyncio.selector_events"
        self._of_the_program = is_under_test(frame)
        self._jobs = _watch_asyncio() if of_a_loop else None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready. If nothing is, nor gets ready in real time, the world's clock moves by `timeout` seconds."""
        if self._jobs is not None and timeout != 0 and sockets.ACTIVE and self._receive(timeout):
            return super().select(0)
        if not (self._jobs is not None or self._of_the_program) or not timeout or not ACTIVE:
            return super().select(timeout)
        if timeout > CENTURY:
            return super().select()
        ready = super().select(min(timeout, self._patience()))
        if not ready:
            ACTIVE[0].sleep(round(timeout, 9))  # a difference of two times; the loop takes a nanosecond for nothing
        return ready

    def _receive(self, timeout: float | None) -> bool:
        """Let a service's next piece come, if nothing else comes earlier; whether one is ready."""
        coming = sockets.ACTIVE[0].soonest(self.get_map())
        if coming is None or self._jobs or super().select(0):
            return False
        seconds, connection = coming
        if timeout is not None and seconds > timeout:
            return False
        ACTIVE[0].sleep(seconds)
        connection.deliver()
        return True

    def _patience(self) -> float:
        if self._jobs:
            return DAY
        if self._of_the_program:
            return MOMENT
        connected = sockets.ACTIVE[0].count(self.get_map()) if sockets.ACTIVE else 0
        only_its_own = len(self.get_map()) - connected == 1  # the socket by which a loop wakes itself
        return 0.0 if only_its_own and not _others() else MOMENT


def install() -> None:
    """Replace selectors.DefaultSelector: every loop of a child follows the clock that its sleeps move."""
    replace("DefaultSelector", LoopSelector, selectors)


@cache
def _watch_asyncio() -> set[Any]:
    """The unfinished futures of executors that loops wait for, by a wrapper around asyncio.wrap_future."""
    asyncio, jobs = sys.modules["asyncio"], set()
    wrap = asyncio.wrap_future

    def wrap_future(future: Any, *, loop: Any = None) -> Any:
        job = wrap(future, loop=loop)
        if job is not future:
            jobs.add(job)
            job.add_done_callback(jobs.discard)
        return job

    replace("wrap_future", wrap_future, asyncio, asyncio.futures)
    replace("MAXIMUM_SELECT_TIMEOUT", math.inf, asyncio.base_events)  # or an endless sleep turns the clock day by day
    return jobs


def _others() -> bool:
    """Whether there is a thread that may call_soon_threadsafe: not this one, the main one, or an executor's."""
    executors = sys.modules.get("concurrent.futures.thread")
    workers = executors._threads_queues if executors else ()  # noqa: SLF001 - nothing else tells
    ours = threading.current_thread(), threading.main_thread()
    return any(thread not in ours and thread not in workers for thread in threading.enumerate())
