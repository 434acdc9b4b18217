"""The crash lab: kill a real process at every point where the outside world could tell the difference.

`sweep` is the instrument, `Report.replay` the microscope, `Report.assert_survives` the judge, `trial` a single run.

In the kernel, or whatever process calls `sweep`:
    magic           %%crash and %%restart
    client          starts the zygote, asks it, ends it
    pickling        the code under test as bytes
    report/         what was found, and its views
    race/           the race lab: `race` and `after`; its engine runs in the zygote
In processes of their own:
    zygote/         forks all others, kills children, explores crash points; never loads the code under test
    child/          runs the code under test once, and waits for SIGKILL at its crash point
    world_process/  applies and records tool calls, keeps time and the database; outlives the child
In several of them:
    jobs            what is asked of the zygote and of a child, and what the zygote answers
    news            what a child tells the zygote; race_news: what the worker of a race tells beside that
    channel         JSON over a socket
    services        what `setup` calls to start a service
    under_test      which frames are the code under test
    lines           a line of the program under test, and its text
    preload         modules that the zygote imports so that each child has them
    first_uses      what libraries do at their first use, done there as well
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.crash.asked import Failure, Sweep, Swept, TrialRun, Tried
from labkit.crash.client import CLIENT
from labkit.crash.jobs import CrashLabError, Job, Limits, Memory, Observation, Programs, Stop
from labkit.crash.lines import Line
from labkit.crash.pickling import pickled, unwrapped
from labkit.crash.report import kept
from labkit.crash.report.findings import KILLED, POWER_CUT, DidNotSurviveError, Effect, Outcome, Point
from labkit.crash.report.replay import Replay
from labkit.crash.report.report import Report
from labkit.crash.services import service
from labkit.crash.world_process.database import tables
from labkit.world import World

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
    "service",
    "sweep",
    "trial",
]

LIMIT = 2000
"""Effects that a run may have."""
BARE = 300.0
"""Seconds for a trial in which nothing is virtual."""


def sweep(  # noqa: PLR0913 - each is named by whoever calls it
    run: Callable[[], Any],
    recover: Callable[[], Any],
    invariant: Callable[[Observation], None],
    setup: Callable[[], Any] | None = None,
    *,
    power: bool = False,
    depth: int = 1,
    limit: int = LIMIT,
    ignore: Sequence[str] = (),
    name: str = "",
) -> Report:
    """Kill `run` at every crash point; each time `recover` in a fresh process, then ask `invariant` in a third.

    All four work in an empty folder of their own, in which `setup` has run, and against a world of their own.
    `invariant` gets an Observation and fails by raising. With `power`, the power is cut there as well, in a model of
    the disk. With depth 2, the recovery is killed too. More than `limit` effects are not explored, and the report says
    so. What the lab cannot put back (files elsewhere, other processes, other servers) is refused by name; what is no
    part of the program's state may be named in `ignore`: folders, files, addresses such as "localhost:6379". `name` is
    for the report.
    CrashLabError if the instrument itself fails.
    """
    pickles = {"run": run, "recover": recover, "invariant": invariant, **({"setup": setup} if setup else {})}
    pickles = {role: pickled(function) for role, function in pickles.items()}
    programs = Programs(**pickles, path=tuple(sys.path), power=power, ignore=tuple(ignore), depth=depth)
    limits = Limits(CLIENT.seconds, limit)
    swept = CLIENT.ask(Sweep(programs), Swept, limits)
    return Report(
        name or unwrapped(run).__name__,
        [Effect(op, target, Line.first(lines)) for op, target, lines in swept.effects],
        kept.points(swept.points),
        power,
        swept.problem,
        Line.first(swept.lines),
        swept.processes,
        swept.spawned,
        programs.ignore,
        swept.native,
        programs,
        limits,
    )


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
    """Where it raised, or did not end."""
    effects: list[str]
    files: dict[str, str | None]
    tables: dict[str, str]
    """What its database holds: "table NAME" → its rows as COPY writes them."""
    world: World
    output: str


def trial(
    run: Callable[[], Any],
    setup: Callable[[], Any] | None = None,
    *,
    stop: Stop | None = None,
    folder: Path | None = None,
    world: World | None = None,
    limit: int = LIMIT,
    bare: bool = False,
) -> Trial:
    """Run `run` once in a fresh process, to its end or to `stop`, in `folder` or in an empty one.

    More than `limit` effects are an error. With `bare`, time, chance and threads there are real, and nothing is traced:
    for what starts threads or processes of its own, such as an engine. It may take BARE seconds, and cannot be stopped.
    """
    path, database = tuple(sys.path), sys.modules.get("labkit.database")
    url = database.url() if database and folder else None
    memory = Memory((world or World()).to_json(), url=url)
    job = Job("trial", pickled(run), stop=None if bare else stop or Stop(), lenient=True, path=path, bare=bare)
    before = Job("setup", pickled(setup), lenient=True, path=path) if setup else None
    try:
        seconds = BARE if bare else CLIENT.seconds
        tried = CLIENT.ask(TrialRun(job, memory, before, folder), Tried, Limits(seconds, limit))
    except CrashLabError as error:
        error.where = str(Line.first(error.lines) or "")
        raise
    raised = tried.failure or Failure("")
    return Trial(
        tried.how,
        tried.value,
        tried.words,
        raised.error,
        Line.first(raised.lines),
        tried.effects,
        tried.files,
        tables(tried.memory),
        World().restore(tried.memory.world),
        tried.output,
    )
