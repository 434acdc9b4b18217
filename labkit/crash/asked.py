"""What the zygote's process is asked, and what it answers.

Sweep, Replay, Step, TrialRun, Race                 from the client, pickled
Swept, Explored, PointLeft, Stepped, Tried, Raced   to the client, as JSON: none of it is ever unpickled
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.crash.jobs import Job, Memory, Programs


@dataclass(frozen=True)
class Sweep:
    """Explore every crash point."""

    programs: Programs


@dataclass(frozen=True)
class Replay:
    """Explore crash point `k` once more."""

    programs: Programs
    k: int


@dataclass(frozen=True)
class Step:
    """Run up to crash point `k` once more and tell every line."""

    programs: Programs
    k: int


@dataclass(frozen=True)
class TrialRun:
    """Run a job once, in `sandbox` as it is or in an empty one."""

    job: Job
    memory: Memory
    setup: Job | None = None
    sandbox: Path | None = None


@dataclass(frozen=True)
class Race:
    """Run workers in every order, or in one."""

    workers: dict[str, bytes | float]
    """By name: a pickled function, or virtual seconds that pass."""
    invariant: bytes
    setup: bytes | None = None
    recover: bytes | None = None
    path: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    crash: bool = False
    """Kill one worker as well, in every way."""
    limit: int = 2000
    """Orders."""
    enough: int | None = None
    """Orders that are enough, once one of them is broken."""
    only: tuple[str, ...] | None = None
    """One order: who takes each step."""
    timed: bool = False
    """Whether a look at the clock is a step from the start: it was one in the order that is to be run once more."""

    def job(self, role: str, code: bytes | None = None, **options: Any) -> Job:
        """What a child in this role is to do."""
        return Job(role, code or getattr(self, role), path=self.path, ignore=self.ignore, **options)


Request = Sweep | Replay | Step | TrialRun | Race


@dataclass(frozen=True)
class Failure:
    """Why something did not come to its end: the exception, or how it ended otherwise (then `error` is empty)."""

    text: str
    error: str = ""
    lines: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Left:
    """What one fault at a crash point left, and what the restart made of it."""

    role: str
    """Who had the last word: "recover" if the recovery failed, else "invariant"."""
    failure: Failure | None
    """None if it survives."""
    before: dict[str, str | None]
    after: dict[str, str | None]
    ledger: list[dict[str, Any]]
    output: str
    model: str = ""
    loss: str = ""
    """What a power cut took."""
    ext4: bool = True
    """Whether default ext4 can lose that, too."""
    again: str = ""
    """After which effect of its own the recovery was killed as well."""
    stranger: int = 0
    """The process id of an earlier life, where another process has it now."""


@dataclass(frozen=True)
class PointLeft:
    """Crash point `k`: what each fault there led to."""

    k: int
    outcomes: list[Left]
    output: str


@dataclass
class Explored:
    """Neighbouring crash points, up to the first that cannot be explored."""

    points: list[PointLeft] = field(default_factory=list)
    problem: str | None = None
    """Why not all were explored."""
    lines: list[Any] = field(default_factory=list)
    processes: int = 0


@dataclass
class Swept(Explored):
    """A whole sweep."""

    effects: list[tuple[str, str, list[Any]]] = field(default_factory=list)
    """op, target, lines"""
    spawned: bool = False
    """Whether each process was a fresh interpreter."""
    native: list[str] = field(default_factory=list)
    """The files that C code changes: SQLite's databases."""


@dataclass(frozen=True)
class Stepped:
    """A run line by line: news as they were told, and the files at its end."""

    news: list[dict[str, Any]]
    files: dict[str, str | None]


@dataclass(frozen=True)
class Tried:
    """How a trial went."""

    how: str
    words: str
    """How it ended, as the predicate of a sentence."""
    failure: Failure | None
    """What it raised, or where it did not end."""
    value: Any
    effects: list[str]
    files: dict[str, str | None]
    memory: Memory
    output: str


@dataclass(frozen=True)
class OrderLeft:
    """An order that was run, and what came of it."""

    steps: list[tuple[str, str, str, str, list[Any], list[Any]]]
    """Of each step: worker, op, target, what it read, lines, what it touched."""
    how: str
    """complete, deadlock or endless."""
    ends: dict[str, dict[str, Any]]
    """By worker: its WorkerEnd."""
    left: dict[str, list[Any]]
    """By worker that has not ended: op and target of its next step, lines, and for whom it waits."""
    role: str
    """Who had the last word: "recover", "invariant", or "workers"."""
    failure: Failure | None
    files: dict[str, str | None] = field(default_factory=dict)
    ledger: list[dict[str, Any]] = field(default_factory=list)
    output: str = ""


@dataclass
class Raced:
    """A whole race."""

    orders: list[OrderLeft] = field(default_factory=list)
    problem: str | None = None
    lines: list[Any] = field(default_factory=list)
    complete: bool = False
    """Whether these are all orders, but those of a crowd."""
    crowded: bool = False
    """Whether there are orders in which two statements wait for one thing, of which PostgreSQL chooses who is first."""
    processes: int = 0
