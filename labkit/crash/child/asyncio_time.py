"""asyncio in a child: a loop that only waits for its timers moves the world's clock instead.

A loop waits in its selector, until its next timer at most. What comes from outside knows nothing of that clock and gets
real time to come: a job in a thread until the timer, anything else a moment. Who does not use asyncio does not load it.
"""

import math
import selectors
import sys
import threading
from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar

from labkit.crash.child.patch import replace

MOMENT, DAY, CENTURY = 1.0, 86400.0, 3.2e9
"""Seconds. Servers answer within a moment, no child lives for a day, and who waits for a century waits for nothing."""


class LoopSelector(selectors.DefaultSelector):
    """What a loop of asyncio waits with. In other hands it is what it replaces."""

    sleep: ClassVar[Callable[[float], None]]

    def __init__(self) -> None:
        super().__init__()
        of_a_loop = sys._getframe(1).f_globals["__name__"] == "asyncio.selector_events"  # noqa: SLF001 - as in trace
        self._jobs = _watch_asyncio() if of_a_loop else None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready. If nothing is, and nothing real comes, the world's clock has moved by `timeout` seconds."""
        if self._jobs is None or not timeout:
            return super().select(timeout)
        if timeout > CENTURY:
            return super().select()
        ready = super().select(min(timeout, self._patience()))
        if not ready:
            self.sleep(round(timeout, 9))  # a difference of two times; the loop takes a nanosecond for nothing
        return ready

    def _patience(self) -> float:
        if self._jobs:
            return DAY
        only_its_own = len(self.get_map()) == 1  # the socket by which a loop wakes itself
        return 0.0 if only_its_own and not _others() else MOMENT


def install(sleep: Callable[[float], None]) -> None:
    """Make every loop of this process follow the clock that `sleep` moves."""
    LoopSelector.sleep = staticmethod(sleep)
    replace("DefaultSelector", LoopSelector, selectors)


@cache
def _watch_asyncio() -> set[Any]:
    """What loops expect of executors and is not done yet: complete if first asked for before there is any."""
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
    """Whether a thread lives that may call on a loop: not this one, not the main one, not an executor's."""
    executors = sys.modules.get("concurrent.futures.thread")
    workers = executors._threads_queues if executors else ()  # noqa: SLF001 - nothing else tells
    ours = threading.current_thread(), threading.main_thread()
    return any(thread not in ours and thread not in workers for thread in threading.enumerate())
