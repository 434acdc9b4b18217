"""The workers of a race as the zygote has them: a child each, before its next step or in the middle of one."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from labkit.crash.channel import from_stranger, tell
from labkit.crash.child import main
from labkit.crash.jobs import WorkerEnd
from labkit.crash.news import News, Raised, Refused, Returned, Waiting, parse
from labkit.crash.race.footprints import Step, touches
from labkit.crash.race_news import Blocked, Holds, InVain, Saw, Wants
from labkit.crash.zygote.endings import NotExploredError
from labkit.crash.zygote.patience import MOST, Patience
from labkit.isolation import process

OFTEN = 0.002
"""Seconds after which it is asked once more whether a statement waits for a lock."""
ALIKE = [["file"], ["held"]]
"""Objects that the system has named."""
HURRY = 0.5
"""Seconds in which a child that has hung tells where it is."""


@dataclass
class Taken:
    """A step that was taken, and what it read."""

    worker: str
    step: Step
    saw: str = ""
    writes: bool = True
    """Whether it may have changed something."""


@dataclass
class Worker:
    """One child."""

    name: str
    number: int
    seconds: float
    pid: int = 0
    channel: Connection | None = None
    output: Path | None = None
    files: dict[str, str] = field(default_factory=dict)
    """By what the system calls them, the numbers of files; of all workers."""
    step: Step | None = None
    """Its next one, or that in the middle of which it is. None: it has ended."""
    inside: bool = False
    """Whether it is in the middle of that step."""
    lock: tuple[str, ...] | None = None
    """The file lock for which it waits; it has tried, and done nothing."""
    backend: int | None = None
    """The server's process that the step keeps busy."""
    begins: bool = False
    """Whether the beginning of that step matters, should it wait: see `race_news.Wants`."""
    backends: set[int] = field(default_factory=set)
    held: list[Any] = field(default_factory=list)
    saw: str = ""
    in_vain: bool = False
    """Whether its last step has failed."""
    elapsed: float = 0.0
    looked: bool = False
    end: WorkerEnd | None = None
    final: Returned | Raised | None = None
    idle: bool = False
    """Whether it has slept twice, and only looked in between: it polls."""

    @property
    def has_begun(self) -> bool:
        """Whether it waits, and the wait is a step that was taken."""
        return self.begins and (self.inside or self.lock is not None)

    def let(self, elapsed: float) -> None:
        """Its turn."""
        self.inside, self.saw, self.lock, self.in_vain = True, "", None, False
        tell(self.channel, elapsed)

    def listen(self, is_blocked: Callable[["Worker"], bool]) -> None:
        """Until it stands before its next step, is blocked, or is at its end. NotExploredError if none of these."""
        if self.backend is not None and self.inside:
            until = time.monotonic() + MOST * self.seconds
            while time.monotonic() < until and not self.channel.poll(OFTEN):
                if is_blocked(self):
                    return
        elif not Patience(self.pid, self.seconds).poll(self.channel):
            self._has_hung()
        for news in self._hear():
            self._note(news)

    def _has_hung(self) -> None:
        os.kill(self.pid, main.WHERE)
        told = self._hear() if self.channel.poll(HURRY) else []
        lines = next((news.lines for news in told if isinstance(news, Waiting)), [])
        raise NotExploredError(
            f"{self.name} did not end in time: it waits for something outside the lab, or for ever", lines
        )

    def _hear(self) -> list[News]:
        try:
            return parse(from_stranger(self.channel))
        except (EOFError, ValueError):
            status = process.end(self.pid)
            self.pid = 0
            raise NotExploredError(f"{self.name} ended by itself, with exit status {status}") from None

    def _note(self, news: News) -> None:
        match news:
            case Wants():
                self._wants(news)
            case Blocked():
                ((lock, _),) = self._numbered([[news.on, True]])
                self.lock, self.inside, self.begins = tuple(lock), False, news.gave
            case Saw():
                self.saw = news.text
            case InVain():
                self.in_vain = True
            case Holds():
                self.held = self._numbered(news.touches)
            case Refused():
                raise NotExploredError(f"{self.name} was going to {news.what}: {news.todo}", news.lines)
            case Waiting():
                raise NotExploredError(f"{self.name} waits for what nobody will do", news.lines)
            case Returned() | Raised():
                self.final, self.inside, self.backend = news, False, None
                op, target = ("RETURN", "") if isinstance(news, Returned) else ("raises", news.error)
                self.step = Step(op, target, touches(self.held), tuple(map(tuple, getattr(news, "lines", []))))

    def _wants(self, news: Wants) -> None:
        self.elapsed, self.looked, self.backend, self.inside = news.elapsed, news.looked, news.backend, False
        self.begins = news.begins
        if self.backend is not None:
            self.backends.add(self.backend)
        told = self._numbered(news.touches)
        self.step = Step(news.op, news.target, touches(told), tuple(map(tuple, news.lines)))

    def _numbered(self, told: list[Any]) -> list[Any]:
        """Touches with files by number, as they came: what the system calls them is another number in each order."""
        return [
            [[thing[0], self.files.setdefault(thing[1], str(len(self.files)))], written] if thing[:1] in ALIKE else each
            for each in told
            for thing, written in [each]
        ]

    def leave(self) -> None:
        """It stands at its end, where nothing is left to be done."""
        if isinstance(self.final, Returned):
            self.end = WorkerEnd("returned", returned=self.final.value)
        else:
            self.end = WorkerEnd("raised", raised=self.final.error)
        self.stop()

    def kill(self) -> None:
        """By SIGKILL."""
        self.end = WorkerEnd("killed")
        self.stop()

    def stop(self) -> None:
        """End it, if it is there."""
        self.step, self.inside, self.lock, self.idle = None, False, None, False
        if self.pid:
            process.end(self.pid)
            self.pid = 0
        if self.channel:
            self.channel.close()
