"""Threads in a child: each knows of the effects that came before it; two that come in no order are refused.

Knowledge goes from thread to thread by start and join, by an executor's job and its future, by an Event that was set
and an item that was put. Not by a lock: whoever has it second could have had it first.
"""

import queue
import sys
import threading
from collections.abc import Iterable, Sequence
from functools import wraps
from typing import Any

from labkit.crash.child.patch import Real, stand_in
from labkit.crash.child.trace import Trace

Known = dict[int, int]
"""By thread: how many of its effects are known to have happened."""


class Order:
    """A vector clock for each thread of this process."""

    def __init__(self, trace: Trace) -> None:
        self.trace, self._here = trace, threading.local()
        self._effects: Known = {}
        self._names: dict[int, str] = {}

    @property
    def known(self) -> Known:
        """What this thread knows."""
        if not hasattr(self._here, "known"):
            self.enter(threading.current_thread().name, {})
        return self._here.known

    def enter(self, name: str, known: Known, lines: Sequence[Any] = ()) -> None:
        """Something begins here that is in no order with what was here before."""
        self._here.number, self._here.known, self._here.lines = len(self._names), known, [*lines]
        self._names[self._here.number] = name

    def effect(self) -> None:
        """This thread is about to have an effect. Refused if it knows nothing of another thread's last one."""
        known, me = self.known, self._here.number
        for other, count in self._effects.items():
            if known.get(other, 0) < count:
                two = f"{self._names[other]} and {self._names[me]}"
                how = "let one wait for the other by join, an Event or a queue"
                self.trace.refuse(f"change things in two threads in no order ({two})", how)
        self._effects[me] = known[me] = known.get(me, 0) + 1

    def learn(self, known: Known) -> None:
        """Somebody who knew this has told it to this thread."""
        self._here.known = _both(self.known, known)

    @property
    def lines(self) -> list[Any]:
        """Where the code under test has started what this thread does."""
        return getattr(self._here, "lines", [])

    def told(self) -> tuple[Known, list[Any]]:
        """What this thread knows now, and where it is."""
        return dict(self.known), self.trace.lines()


def _both(one: Known, other: Known) -> Known:
    return {thread: max(one.get(thread, 0), other.get(thread, 0)) for thread in {**one, **other}}


ACTIVE: list[Trace] = []
"""That of this process, once it is a child, unless it is a trial."""
START = threading.Thread.start


def install() -> None:
    """A stand-in that watches from the first thread on: until then there is one order."""
    stand_in("start", _start_first, ACTIVE, threading.Thread)


def _start_first(trace: Trace, thread: threading.Thread) -> None:
    threading.Thread.start = START
    trace.order = Order(trace)
    _watch(trace.order)
    thread.start()


def _watch(order: Order) -> None:
    """Replace what hands knowledge on. What is not loaded yet is used by no thread that has begun."""
    _pass_on(order, threading.Thread, ("start",), ("join",))
    _pass_on(order, threading.Event, ("set",), ("wait", "is_set"))
    _pass_on(order, queue.SimpleQueue, ("put",), ("get",))  # the one that locks has put in its place
    _pass_on(order, queue.Queue, ("put",), ("get",))
    _pass_on(order, queue.Queue, ("task_done",), ("join",), "labkit_done")
    bootstrap = threading.Thread._bootstrap_inner  # noqa: SLF001 - a subclass may replace run

    def begin(self: threading.Thread) -> None:
        order.enter(self.name, *self.labkit_known)
        try:
            bootstrap(self)
        finally:
            self.labkit_known = order.told()

    threading.Thread._bootstrap_inner = begin  # noqa: SLF001
    if futures := sys.modules.get("concurrent.futures"):
        _pass_on(order, futures.Future, ("set_result", "set_exception"), ("result", "exception"))
        _watch_jobs(order, futures.ThreadPoolExecutor)
    if "asyncio.base_events" in sys.modules:
        _watch_calls(order, sys.modules["asyncio.base_events"].BaseEventLoop)


def _pass_on(
    order: Order, kind: type, telling: Iterable[str], hearing: Iterable[str], where: str = "labkit_known"
) -> None:
    """Whoever hears learns what whoever told has known."""

    def tells(real: Real) -> Real:
        @wraps(real)
        def tell(self: Any, *args: Any, **kwargs: Any) -> Any:
            known, lines = order.told()
            before = getattr(self, where, ({}, []))[0]
            setattr(self, where, (_both(before, known), lines))
            return real(self, *args, **kwargs)

        return tell

    def hears(real: Real) -> Real:
        @wraps(real)
        def hear(self: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return real(self, *args, **kwargs)
            finally:
                order.learn(getattr(self, where, ({}, []))[0])

        return hear

    for wrap, names in ((tells, telling), (hears, hearing)):
        for name in names:
            setattr(kind, name, wrap(getattr(kind, name)))


def _watch_jobs(order: Order, executor: type) -> None:
    """A job begins with what its submitter knew. Only where there is one worker do jobs wait for each other."""
    submit = executor.submit

    @wraps(submit)
    def submit_it(self: Any, job: Real, /, *args: Any, **kwargs: Any) -> Any:
        told = order.told()

        @wraps(job)
        def begin(*args: Any, **kwargs: Any) -> Any:
            if self._max_workers > 1:
                order.enter(threading.current_thread().name, *told)
            order.learn(told[0])
            return job(*args, **kwargs)

        return submit(self, begin, *args, **kwargs)

    executor.submit = submit_it


def _watch_calls(order: Order, loop: type) -> None:
    """What is called by the loop knows what knew whoever asked for that, in another thread."""
    call = loop.call_soon_threadsafe

    @wraps(call)
    def call_it(self: Any, callback: Real, *args: Any, **kwargs: Any) -> Any:
        known, _ = order.told()

        @wraps(callback)
        def called(*args: Any, **kwargs: Any) -> Any:
            order.learn(known)
            return callback(*args, **kwargs)

        return call(self, called, *args, **kwargs)

    loop.call_soon_threadsafe = call_it
