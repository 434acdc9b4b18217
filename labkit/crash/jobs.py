"""What the zygote's process is asked to do, what it asks of a child, and what it answers: the fields of each, here.

Sweep, Replay, Step, TrialRun    from the client, pickled
Job                              from the zygote to a child, by fork
Swept, Explored, Stepped, Tried  to the client, as JSON: none of it is ever unpickled
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labkit import world

APPLICATION = "labkit-child"
"""The application name of a child's connections to PostgreSQL."""


class CrashLabError(RuntimeError):
    """The crash lab itself failed, not the code under test."""


@dataclass(frozen=True)
class Stop:
    """Where a child stops: before effect number `at`, or after or before the first effect whose label has a text."""

    at: int | None = None
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True)
class Job:
    """What a child is to do."""

    role: str
    code: bytes
    """A cloudpickle of a function without arguments; of one with an Observation, for the invariant."""
    stop: Stop | None = None
    """Where to stop and wait for SIGKILL. None: nothing is traced."""
    given: dict[str, Any] | None = None
    """The Observation for the invariant, as plain data."""
    life: int = 0
    """Counts the restarts: each process draws other numbers than those before it."""
    by_line: bool = False
    """Tell every line, too."""
    path: tuple[str, ...] = ()
    """The module search path of the code under test."""


@dataclass(frozen=True)
class Observation:
    """What an invariant is given: the state after recovery, and what the world remembers."""

    state: Any
    """What `recover` returned, as plain data: a model or dataclass arrives as a dict."""
    acknowledged: list[str]
    """The labels acknowledged, before the crash and after."""
    ledger: list[world.Call]
    """The effects applied in the world: tool, arguments, key."""
    calls: list[world.Call]
    """The requests made, applied or not."""


@dataclass
class Programs:
    """The code under test, pickled, and the faults that it is to meet."""

    run: bytes
    recover: bytes
    invariant: bytes
    setup: bytes | None = None
    path: tuple[str, ...] = ()
    power: bool = False
    """Cut the power as well, in the model, wherever something is not yet durable."""
    depth: int = 1
    """2: kill the recovery, too, at every crash point of its own."""

    def job(self, role: str, **options: Any) -> Job:
        """What a child in this role is to do."""
        return Job(role, getattr(self, role), path=self.path, **options)


@dataclass(frozen=True)
class Memory:
    """What a world's process keeps between two children: the world, and its database."""

    world: dict[str, Any] = field(default_factory=world.World().to_json)
    """As World.to_json has it."""
    content: dict[str, Any] | None = None
    """Of the lab's database: see `world_process.rows`. None: empty, or not the lab's."""
    url: str | None = None
    """Of the notebook's own database, in a cell that crashes; it is not put back."""

    @property
    def elapsed(self) -> float:
        """Virtual seconds since the world began."""
        return self.world["elapsed"]

    def later(self, seconds: float) -> "Memory":
        """The same, after so many virtual seconds."""
        return replace(self, world={**self.world, "elapsed": self.elapsed + seconds})


@dataclass(frozen=True)
class Limits:
    """What one child may take."""

    seconds: float = 10.0
    """Of real time, before it counts as hung."""
    effects: int = 2000


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


Request = Sweep | Replay | Step | TrialRun


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
    """What it raised."""
    value: Any
    effects: list[str]
    files: dict[str, str | None]
    memory: Memory
    output: str
