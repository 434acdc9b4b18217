"""Inside a child: tell the parent each effect as it happens, and stop at the crash point to be killed there.

An effect is anything that the world outside this process could notice: a file system call, a tool call, an
acknowledgement, the return. A crash point is the gap before an effect. The child stops there; its parent kills it.
"""

import itertools
import re
import sys
import sysconfig
import threading
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any, TypeVar

from labkit.crash.world_process.serve import hear, tell

T = TypeVar("T")
LIBRARY = (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), "<frozen")
NOT_UNDER_TEST = ("labkit.crash", "labkit.isolation", "labkit.world", "labkit.llm", "labkit.grading", "labkit.gauntlet")
CHILD = "labkit.crash.child.main"
"""The module that calls the code under test; what called it in turn is no part of that code."""
GIVEN = "<given"
"""How the file names of code begin that the instructor gave: an exercise's adapters are not the student's lines."""
FINAL = {"stopped", "returned", "raised"}
"""The news that are the last."""
NEWS = {
    "effect": {"op": str, "target": str, "lines": list},
    "handle": {"handle": int, "path": str},
    "line": {"line": list, "values": dict},
    "outside": {"path": str},
    "stopped": {"count": int},
    "returned": {"loaded": list},
    "raised": {"error": str, "text": str, "lines": list},
}
"""What a child may tell, and what the least of it is."""
BATCH = 64
"""News that travel together: each message costs a change of process."""
Line = tuple[str, str, int]
"""File, function and line number of a frame."""


@dataclass(frozen=True)
class Stop:
    """Where a child stops: before effect number `at`, or after or before the first effect whose label has a text."""

    at: int | None = None
    after: str | None = None
    before: str | None = None


@dataclass
class Trace:
    """The child's side of a recording."""

    channel: Connection
    stop: Stop = field(default_factory=Stop)
    count: int = 0
    news: list[dict[str, Any]] = field(default_factory=list)
    turn: threading.Lock = field(default_factory=threading.Lock)

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
        if self.count == self.stop.at or (self.stop.before and self.stop.before in f"{op} {target}".strip()):
            self.wait_for_death()

    def done(self, op: str, target: str, **details: Any) -> None:
        """An effect has been performed."""
        self.note("effect", op=op, target=target, lines=lines_under_test(_frames()), **details)
        self.count += 1
        if self.stop.after and self.stop.after in f"{op} {target}".strip():
            self.wait_for_death()

    def note(self, event: str, **details: Any) -> None:
        """Tell the parent something; small news travel together."""
        with self.turn:
            self.news.append({"event": event, **details})
            if event in FINAL or len(self.news) == BATCH:
                tell(self.channel, self.news)
                self.news.clear()

    def end(self) -> None:
        """Nothing follows: the last crash point is here."""
        if self.count == self.stop.at:
            self.wait_for_death()

    def wait_for_death(self) -> None:
        """Stop for good. The parent answers with SIGKILL."""
        self.note("stopped", count=self.count)
        while True:
            hear(self.channel)


def understood(news: Any) -> bool:
    """Whether this is news. Not everything that comes from a child was told by us."""
    return isinstance(news, list) and all(
        isinstance(each, dict)
        and (form := NEWS.get(str(each.get("event")))) is not None
        and all(isinstance(each.get(name), kind) for name, kind in form.items())
        for each in news
    )


def lines_under_test(frames: Iterable[tuple[FrameType, int]]) -> list[Line]:
    """The frames, innermost first, that are not Python's, a package's or the crash lab's."""
    inside = itertools.takewhile(lambda item: item[0].f_globals.get("__name__") != CHILD, frames)
    return [(frame.f_code.co_filename, frame.f_code.co_name, line) for frame, line in inside if is_under_test(frame)]


def _frames() -> Iterable[tuple[FrameType, int]]:
    return traceback.walk_stack(sys._getframe(1))  # noqa: SLF001 - public in all but name


def is_under_test(frame: FrameType) -> bool:
    """Whether a frame belongs to the code under test."""
    module = frame.f_globals.get("__name__") or ""
    if module.startswith("labkit."):
        return not module.startswith(NOT_UNDER_TEST)
    return not frame.f_code.co_filename.startswith((*LIBRARY, GIVEN))


def without_addresses(text: str) -> str:
    """`text` without the memory addresses that Python puts into names of objects: they differ at every run."""
    return re.sub(r" at 0x[0-9a-f]+", "", text)
