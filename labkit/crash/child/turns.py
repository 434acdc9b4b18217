"""A worker of a race: it stops before each of its steps, tells what it would touch, and waits until it is let.

A step is an effect, or a read of what other workers may change. One worker at a time takes one; so whatever a step
needs of the world, the files or the database, nobody else changes meanwhile.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from labkit.crash.channel import hear, tell
from labkit.crash.child.patch import asker
from labkit.crash.child.trace import Trace
from labkit.crash.jobs import Among, Stop
from labkit.crash.news import News, Raised, Refused, Returned, plain
from labkit.crash.race_news import Blocked, Holds, InVain, Saw, Wants

T = TypeVar("T")
Touches = list[Any]
"""Pairs of an object, as a list of words, and whether it is written."""
CLOCK, LEDGER, ACKNOWLEDGED = ["clock"], ["ledger"], ["acknowledged"]
TOOL: Touches = [[LEDGER, True], [CLOCK, True]]
"""The ledger is a list, and a tool takes time: each call conflicts with each other one."""
BY_OP: dict[str, Touches] = {"tool": TOOL, "ACK": [[ACKNOWLEDGED, True]]}
ANYTHING: Touches = [[[], True]]
"""What is not known to touch less."""
SHORT = 60
"""Characters of what was read."""
NO_LOOK = ("psycopg", "sqlalchemy", "logging", "labkit.crash")
"""Modules that look at the clock, and do nothing that hangs on it."""


class Turns(Trace):
    """The child's side of a race."""

    def __init__(self, channel: Connection, stop: Stop, among: Among) -> None:
        super().__init__(channel, stop)
        self.among, self.looked, self.elapsed = among, False, 0.0
        self.busy = False
        """Whether a step is being taken, or the lab's own code looks at something."""
        self.on_time: Callable[[float], None] = lambda elapsed: None
        self.told: list[News] = []
        self.holders: list[Callable[[], Touches]] = []
        """Who knows what this process has locked."""
        self.held: Touches = []

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """What is done here is no step, or part of one."""
        before, self.busy = self.busy, True
        try:
            yield
        finally:
            self.busy = before

    def unseen(self, perform: Callable[[], T]) -> T:
        """Do what is no step, and tell nothing of it."""
        told = len(self.told)
        with self.quietly():
            try:
                return perform()
            finally:
                del self.told[told:]

    def step(self, op: str, target: str, touches: Touches, perform: Callable[[], T], **more: Any) -> T:
        """Do something when it is this worker's turn; within another step, at once."""
        if self.busy:
            return perform()
        self.wait_for_turn(op, target, touches, **more)
        with self.quietly():
            try:
                return perform()
            except OSError:
                self.told.append(InVain())
                raise

    def wait_for_turn(self, op: str, target: str, touches: Touches, **more: Any) -> None:
        """Tell what is to come, and wait."""
        if self.order:
            self.order.effect()
        with self.quietly():
            lines = self.lines()
        wants = Wants(op=op, target=target, touches=touches, lines=lines, elapsed=self.elapsed, looked=self.looked)
        self.looked = False
        for name, value in more.items():
            setattr(wants, name, value)
        self._tell(wants)
        self._hear()

    def look(self) -> bool:
        """Look at the clock: a step if time is a participant. False if that is nothing which anything hangs on."""
        if self.busy or asker().startswith(NO_LOOK):
            return False
        self.looked = True
        if self.among.timed:
            self.step("look", "at the clock", [[CLOCK, False]], lambda: None)
        return True

    def blocked(self, on: list[str], *, gave: bool) -> None:
        """The step that was let cannot be taken: wait until somebody has let go of this lock."""
        self._tell(Blocked(on=on, gave=gave))
        self._hear()

    def saw(self, value: Any) -> None:
        """Tell what the step that is being taken has read."""
        text = value.decode(errors="replace") if isinstance(value, bytes | bytearray) else str(value)
        text = " ".join(text.split())
        self.told.append(Saw(text=text if len(text) <= SHORT else f"{text[:SHORT]}…"))

    def begin(self, op: str, target: str) -> None:
        """An effect of a source that knows nothing of races."""
        if not self.busy and op != "RETURN":
            self.wait_for_turn(op, target, BY_OP.get(op, ANYTHING))

    def done(self, op: str, target: str, **_: Any) -> None:  # noqa: ARG002 - a Trace is told it
        """Nobody repeats these effects: they need not be told."""
        self.sleeps = self.reads = 0
        self.count += op != "RETURN"

    def note(self, news: News) -> None:
        """Tell what ends a worker. It leaves when that is its turn, as its end frees what it holds."""
        if isinstance(news, Refused):
            news.lines = self.lines()
            self._tell(news)
        elif isinstance(news, Returned | Raised):
            self._tell(news)
            self._hear()

    def _tell(self, news: News) -> None:
        held = [each for holder in self.holders for each in holder()]
        if held != self.held:
            self.held = held
            self.told.append(Holds(touches=held))
        tell(self.channel, [plain(each) for each in [*self.told, news]])
        self.told.clear()

    def _hear(self) -> None:
        self.elapsed = hear(self.channel)
        self.on_time(self.elapsed)
