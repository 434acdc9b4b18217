"""The crash lab: kill a real process at every point where the outside world could tell the difference.

`sweep` is the instrument, `Report.replay` the microscope, `Report.assert_survives` the judge, `trial` a single run.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labkit.crash.client import CLIENT
from labkit.crash.jobs import CrashLabError, Job, Observation, Programs, Stop
from labkit.crash.pickling import pickled, unwrapped
from labkit.crash.report.findings import KILLED, POWER_CUT, Effect, Outcome, Point, parse_outcome
from labkit.crash.report.lines import Line
from labkit.crash.report.replay import Replay
from labkit.crash.report.report import Again, DidNotSurviveError, Report
from labkit.crash.report.steps import Steps
from labkit.world import Call, World

__all__ = [
    "KILLED",
    "POWER_CUT",
    "CrashLabError",
    "DidNotSurviveError",
    "Effect",
    "Line",
    "Observation",
    "Outcome",
    "Point",
    "Replay",
    "Report",
    "Stop",
    "Trial",
    "sweep",
    "trial",
]

SECONDS = 10.0
"""Real time that one child may take before it counts as hung."""
LIMIT = 2000
"""Effects that a run may have."""


def sweep(
    run: Callable[[], Any],
    recover: Callable[[], Any],
    invariant: Callable[[Observation], None],
    setup: Callable[[], Any] | None = None,
    *,
    power: bool = False,
    depth: int = 1,
    limit: int = LIMIT,
    name: str = "",
) -> Report:
    """Kill `run` at every crash point; each time `recover` in a fresh process, then ask `invariant` in a third.

    All four work in an empty folder of their own, in which `setup` has run, and against a world of their own.
    `invariant` gets an Observation and fails by raising. With `power`, the power is cut there as well, in a model of
    the disk. With depth 2, the recovery is killed too. More than `limit` effects are not explored, and the report says
    so. `name` is for the report.
    CrashLabError if the instrument itself fails.
    """
    pickles = {"run": run, "recover": recover, "invariant": invariant, **({"setup": setup} if setup else {})}
    pickles = {role: pickled(function) for role, function in pickles.items()}
    programs = Programs(**pickles, path=tuple(sys.path), power=power, depth=depth)
    limits = {"seconds": SECONDS, "limit": limit}
    told = CLIENT.ask("sweep", programs=programs, **limits)
    effects = [Effect(effect["op"], effect["target"], Line.first(effect["lines"])) for effect in told["effects"]]
    points = [Point(point["k"], tuple(map(parse_outcome, point["outcomes"]))) for point in told["points"]]

    def replay(k: int, model: str) -> Replay:
        again = CLIENT.ask("replay", programs=programs, k=k, **limits)
        outcomes = [told for told in again["outcomes"] if model in ("", told["model"])]
        if not outcomes:
            raise ValueError(f"there is no outcome of {model!r} at crash point {k}")
        seen = min(outcomes, key=lambda told: told["survives"])
        outcome = parse_outcome(seen)
        verdict = "survives" if outcome.survives else f"breaks: {outcome.reason}"
        title = f"crash point {k}. {report.words(k, replace(outcome, reason=''))}"
        ledger = [Call(**call) for call in seen["ledger"]]
        return Replay(title, seen["before"], seen["after"], ledger, again["output"] + seen["output"], verdict)

    def step(k: int) -> Steps:
        title = f"crash point {k}. {report.words(k, Outcome(KILLED, survives=True))}"
        return Steps(title, **CLIENT.ask("step", programs=programs, k=k, **limits))

    line = Line.first(told["lines"])
    again = Again(replay, step)
    counts = told["processes"], told["spawned"]
    report = Report(name or unwrapped(run).__name__, effects, points, power, told["problem"], line, *counts, again)
    return report


@dataclass(frozen=True)
class Trial:
    """How a single run in a process of its own went."""

    how: str
    """returned, raised, stopped (and killed), died, or hung."""
    value: Any
    """What it returned, as plain data."""
    failure: str
    """How it failed, as the predicate of a sentence."""
    error: str
    """The type of the exception it raised."""
    line: Line | None
    """Where it raised."""
    effects: list[str]
    files: dict[str, str | None]
    world: World
    output: str


def trial(
    run: Callable[[], Any],
    setup: Callable[[], Any] | None = None,
    *,
    stop: Stop | None = None,
    folder: Path | None = None,
    world: World | None = None,
) -> Trial:
    """Run `run` once in a fresh process, to its end or to `stop`, in `folder` or in an empty one."""
    path = tuple(sys.path)
    database = sys.modules.get("labkit.database") if folder else None
    own = {"url": database.url()} if database else {}
    told = CLIENT.ask(
        "trial",
        job=Job("trial", pickled(run), stop=stop or Stop(), path=path),
        setup=Job("setup", pickled(setup), path=path) if setup else None,
        memory={**(world or World()).to_json(), **own},
        sandbox=folder,
        seconds=SECONDS,
        limit=LIMIT,
    )
    if "problem" in told:
        raise CrashLabError(told["problem"])
    last = told["last"]
    return Trial(
        told["how"],
        last.get("value"),
        told["failure"],
        last.get("error", ""),
        Line.first(last.get("lines", [])),
        told["labels"],
        told["files"],
        World().restore(told["memory"]),
        told["output"],
    )
