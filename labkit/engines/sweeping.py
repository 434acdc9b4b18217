"""Every crash point of a workflow on an engine, with the restart behind it: a report like that of `labkit.sweep`."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from labkit import database
from labkit.crash.report.findings import KILLED, Outcome, Point
from labkit.crash.report.report import Report
from labkit.crash.report.scene import scene
from labkit.engines.lives import EngineError, Lab, Lived
from labkit.world import Call

AT_ONCE = 4
"""Lives at a time: most of each is waiting."""


@dataclass(frozen=True)
class Ended:
    """What an invariant looks at: how it is after the restart."""

    state: Any
    """What the run returned."""
    ledger: list[Call]
    """The effects in the world, in order."""
    calls: list[Call]
    """The requests to its tools, in order: with those that a key kept from a second effect."""


@dataclass(frozen=True)
class _Program:
    """A workflow in two lives."""

    url: str
    codes: tuple[Callable[..., Any], Callable[..., Any]]
    arguments: tuple[Any, ...]
    versions: tuple[str, str]
    pause: float

    def live(self, which: int, run: str, lab: Lab, kill: int | None = None) -> Lived:
        """The first life of the run, or the second. Nobody else takes what is of its version, which is its own."""
        version = f"{run}, version {self.versions[which]}"
        return lab.live(self.codes[which], *self.arguments, run=run, executor=run, version=version, kill=kill)

    def point(self, invariant: Callable[[Ended], object], last: int, k: int) -> Point:
        """Kill it at this point, start it again, and look. Behind its last effect, whoever started it kills it."""
        lab, run = Lab(self.url), f"point {k}"
        if (first := self.live(0, run, lab, k)).how != ("result" if k == last else "killed"):
            raise EngineError(f"crash point {k} was not reached, as not all lives do the same: {first}")
        lab.world.sleep(self.pause)
        second = self.live(1, run, lab)
        reason = _judged(invariant, second, lab)
        left = scene({}, {}, lab.world.calls, "")
        return Point(k, (Outcome(KILLED, survives=not reason, reason=reason, scene=left),))


def sweep_workflow(
    workflow: Callable[..., Any],
    invariant: Callable[[Ended], object],
    *arguments: Any,
    restarted: Callable[..., Any] | None = None,
    versions: tuple[str, str] = ("1", "1"),
    pause: float = 0.0,
    name: str = "",
) -> Report:
    """Kill a workflow on DBOS before each of its effects and behind the last, start it again, and ask the invariant.

    `restarted` is the code after the restart, if it has changed; `versions` are what the engine is told of the code
    before and after; `pause` is how many virtual seconds lie between. What raises in the second life does not survive,
    nor what waits there for somebody else. ValueError if it does not come to its end when nobody kills it.
    """
    name = name or workflow.__name__
    with database.throwaway() as url, ThreadPoolExecutor(AT_ONCE) as pool:
        program = _Program(url, (workflow, restarted or workflow), arguments, versions, pause)
        lab = Lab(url)
        whole = program.live(0, "undisturbed", lab)
        if whole.how != "result":
            raise ValueError(f"{name} does not come to its end when nobody kills it: {whole}")
        if reason := _judged(invariant, whole, lab):
            raise ValueError(f"{name}: when nobody kills it, {reason}")
        try:
            last = len(whole.effects)
            points = [*pool.map(partial(program.point, invariant, last), range(last + 1))]
        except EngineError as error:
            return Report(name, [*whole.effects], [], problem=str(error))
    return Report(name, [*whole.effects], points, processes=1 + 2 * len(points))


def _judged(invariant: Callable[[Ended], object], life: Lived, lab: Lab) -> str:
    """Why this end is none that may be; empty if it may."""
    if life.how == "error":
        return f"the run ended with {life.value}"
    if life.how != "result":
        return "the run waits, and nobody goes on with it"
    try:
        invariant(Ended(life.value, [*lab.world.ledger], [*lab.world.calls]))
    except AssertionError as error:
        return str(error) or "the invariant does not hold"
    return ""
