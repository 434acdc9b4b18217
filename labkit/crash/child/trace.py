"""Inside a child: tell the parent each effect as it happens, and stop at the crash point to be killed there.

An effect is anything that the world outside this process could notice: a file system call, a tool call, an
acknowledgement, the return. A crash point is the gap before an effect. The child stops there; its parent kills it.
"""

import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any, NoReturn, TypeVar

from labkit.crash.channel import hear, tell
from labkit.crash.jobs import Stop
from labkit.crash.news import FINAL, Done, News, Opened, Refused, Repeated, Stopped, Waiting, plain
from labkit.crash.under_test import lines_under_test

T = TypeVar("T")


class NotLetError(RuntimeError):
    """The program was going to do what the crash lab cannot explore."""


BATCH = 64
"""News in one message: each message costs a context switch."""


@dataclass
class Trace:
    """The child's side of a recording."""

    channel: Connection
    stop: Stop = field(default_factory=Stop)
    silent: bool = False
    """Whether nobody wants to know of effects."""
    pid: int = 0
    """The real one."""
    lenient: bool = False
    """Whether what the lab cannot explore is let happen: in a trial, which proves nothing."""
    expected: Sequence[News] = ()
    """What the recording told, if this is its repetition."""
    count: int = 0
    noted: int = 0
    sleeps: int = 0
    reads: int = 0
    """How often it slept, and looked at the clock, since its last effect."""
    order: Any = None
    """What each thread knows of the others' effects, once there are several."""
    repeated: int = 0
    """How many of the last news are as expected, and not told yet."""
    news: list[dict[str, Any]] = field(default_factory=list)
    turn: threading.Lock = field(default_factory=threading.Lock)
    within: str = ""
    """What calls the program back and is no place for effects of its own; empty if nothing does."""
    loaded: Callable[[], list[str]] = list
    """What this child has imported."""

    def effect(self, op: str, target: str, perform: Callable[[], T], **details: Any) -> T:
        """Perform an effect unless this is where the child stops. One that raises has had no effect."""
        self.begin(op, target)
        result = perform()
        if isinstance(result, int):
            details["result"] = result
        self.done(op, target, **details)
        return result

    def begin(self, op: str, target: str) -> None:
        """An effect is about to be performed."""
        if self.within and not self.lenient:
            self.refuse(f"have an effect ({op} {target}) while {self.within}", "do one after the other")
        if self.order:
            self.order.effect()
        if self.count == self.stop.at or (self.stop.before and self.stop.before in f"{op} {target}".strip()):
            self.wait_for_death()

    def done(self, op: str, target: str, **details: Any) -> None:
        """An effect has been performed."""
        self.sleeps = self.reads = 0
        if self.silent:
            return
        self.note(Done(op=op, target=target, lines=[], **details))
        self.count += 1
        if self.stop.after and self.stop.after in f"{op} {target}".strip():
            self.wait_for_death()

    def refuse(self, what: str, todo: str) -> NoReturn:
        """Raise, and tell the parent, even if the program catches it: what it was going to do was not explored."""
        self.note(Refused(what=what, todo=todo, lines=[], loaded=self.loaded()))
        raise NotLetError(f"the crash lab does not let a program {what}: {todo}")

    def note(self, news: News) -> None:
        """Tell the parent something; small news travel together."""
        with self.turn:
            if self.silent and isinstance(news, Opened):
                return
            if self._is_expected(news):
                self.repeated += 1
                return
            if isinstance(news, Done | Refused | Waiting):
                news.lines = news.lines or self.lines()
            if self.repeated:
                self.news.append(plain(Repeated(count=self.repeated)))
                self.repeated = 0
            self.news.append(plain(news))
            if isinstance(news, (*FINAL, Refused)) or len(self.news) == BATCH:
                tell(self.channel, self.news)
                self.news.clear()

    def lines(self) -> list[Any]:
        """Where the code under test is: in a library's thread, where it has given that its work."""
        return lines_under_test(_frames()) or (self.order.lines if self.order else [])

    def _is_expected(self, news: News) -> bool:
        expected = self.expected[self.noted] if self.noted < len(self.expected) else None
        self.noted += 1
        if type(news) is type(expected) and hasattr(news, "lines"):
            news.lines = expected.lines  # which were found once, and are not looked for again
        return news == expected

    def end(self) -> None:
        """Nothing follows: the last crash point is here."""
        if self.count == self.stop.at:
            self.wait_for_death()

    def wait_for_death(self) -> NoReturn:
        """Tell that the crash point is reached, and block on the socket until SIGKILL."""
        self._end(Stopped(count=self.count))

    def wait_for_ever(self, *_: Any) -> NoReturn:
        """Tell that nothing will end this wait. It is also the handler of the signal by which the zygote asks."""
        self._end(Waiting(lines=[], loaded=self.loaded()))

    def _end(self, news: News) -> NoReturn:
        self.note(news)
        while True:
            hear(self.channel)


def _frames() -> Iterable[tuple[FrameType, int]]:
    return traceback.walk_stack(sys._getframe(1))  # noqa: SLF001 - public in all but name
