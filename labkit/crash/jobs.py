"""What a child is asked to do, with which programs, against which world, within which limits."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from labkit import world
from labkit.crash.news import News

APPLICATION = "labkit-child"
"""The application name of a child's connections to PostgreSQL."""
FIRST_PORT, SERVICES = 8001, 100
"""Where a sweep's first service is found, and how many there may be."""


class CrashLabError(RuntimeError):
    """The crash lab itself failed, or a setup: then `lines` and `where` say at which line, if that is known."""

    def __init__(self, text: str, lines: Sequence[Any] = ()) -> None:
        super().__init__(text)
        self.lines, self.where = lines, ""


class LabEndedError(CrashLabError):
    """A process of the crash lab has ended, and nobody knows why: nothing is known of what it was asked."""


class ServiceError(RuntimeError):
    """A service did not answer as one. The text is the predicate of a sentence."""


@dataclass(frozen=True)
class Stop:
    """Where a child stops: before effect number `at`, or after or before the first effect whose label has a text."""

    at: int | None = None
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True)
class Among:
    """What a worker of a race knows of the race."""

    workers: int
    known: bool = False
    """Whether a worker has told already if it hashes texts: to find out looks at all that is loaded."""
    timed: bool = False
    """Whether each look at the clock is a step, because time passes meanwhile."""
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Which tables of the database can be touched apart: see `world_process.catalogue`."""


@dataclass(frozen=True)
class Job:
    """What a child is to do."""

    role: str
    code: bytes
    """A cloudpickle of a function without arguments; of one with an Observation, for the invariant."""
    stop: Stop | None = None
    """Where to stop and wait for SIGKILL. None: nothing is traced."""
    lenient: bool = False
    """Whether it may do what the lab could not explore: nothing of it is explored."""
    given: dict[str, Any] | None = None
    """The Observation for the invariant, as plain data."""
    life: int = 0
    """Counts the restarts: each process draws other numbers than those before it."""
    by_line: bool = False
    """Tell every line, too."""
    path: tuple[str, ...] = ()
    """The module search path of the code under test."""
    ignore: tuple[str, ...] = ()
    """Folders and addresses that are no part of the program's state."""
    stranger: bool = False
    """Whether another process has the ids of the lives before this one."""
    expected: Sequence[News] = ()
    """What the recording told, if this is its repetition."""
    among: Among | None = None
    """Of a worker in a race."""
    bare: bool = False
    """Of a trial: whether nothing is traced or virtual, for what has threads and a clock of its own: an engine."""


@dataclass(frozen=True)
class WorkerEnd:
    """How a worker of a race ended."""

    how: str
    """returned, raised or killed."""
    returned: Any = None
    """What it returned, as plain data."""
    raised: str = ""
    """The type of the exception that it raised; empty if it raised none."""


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
    workers: dict[str, WorkerEnd] = field(default_factory=dict, repr=False)
    """In a race, by name: how each worker ended."""


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
    ignore: tuple[str, ...] = ()
    """Folders and addresses that are no part of their state."""
    depth: int = 1
    """2: kill the recovery, too, at every crash point of its own."""

    def job(self, role: str, **options: Any) -> Job:
        """What a child in this role is to do."""
        return Job(role, getattr(self, role), path=self.path, ignore=self.ignore, **options)


@dataclass(frozen=True)
class Memory:
    """What a world's process keeps between two children: the world, and its database."""

    world: dict[str, Any] = field(default_factory=world.World().to_json)
    """As World.to_json has it."""
    content: dict[str, Any] | None = None
    """Of the lab's database: see `world_process.rows`. None: empty, or not the lab's."""
    url: str | None = None
    """Of the notebook's own database, in a cell that crashes; it is not put back."""
    services: dict[str, Any] = field(default_factory=lambda: {"apps": [], "log": []})
    """See `world_process.services`."""

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
    """Of processor time if it works, of real time if it waits, before it counts as hung: see `zygote.patience`."""
    effects: int = 2000
