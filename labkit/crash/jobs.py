"""What children are asked to do: a job for one child, and the programs of a sweep."""

from dataclasses import dataclass
from typing import Any

from labkit import world


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
    """Where to stop and wait for death. None: nothing is traced."""
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
