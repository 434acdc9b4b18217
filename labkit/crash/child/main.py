"""A process that runs code under test once, forked from the zygote, and tells how it went."""

import dataclasses
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cloudpickle

from labkit import world
from labkit.crash.child import clocks, ends, files, pids, sockets, stand_ins, threads, virtual
from labkit.crash.child.denied import tell_denied
from labkit.crash.child.follow import follow
from labkit.crash.child.hashing import hashes
from labkit.crash.child.remote_world import RemoteWorld
from labkit.crash.child.shared_files import share
from labkit.crash.child.shared_world import SharedWaits, SharedWorld
from labkit.crash.child.sources import SOURCES
from labkit.crash.child.trace import Trace
from labkit.crash.child.turns import Turns
from labkit.crash.child.waits import Waits
from labkit.crash.jobs import APPLICATION, Job, Observation, Stop, WorkerEnd
from labkit.crash.metadata import TMP
from labkit.crash.news import Raised, Returned
from labkit.crash.preload import forget_namesakes, imported
from labkit.crash.under_test import lines_under_test, text_of
from labkit.isolation.confine import Confinement, confine
from labkit.isolation.writing import restrict

WHERE = signal.SIGQUIT
"""By this the zygote asks a child that has not ended in time where it is."""


def main(  # noqa: PLR0917 - each is handed on by `process.start`
    channel: Connection,
    world_channel: Connection,
    writing: Connection | None,
    job: Job,
    sandbox: Path,
    tmp: Path,
    elapsed: float,
    confinement: Confinement | None,
) -> None:
    """Do the job in `sandbox`, `elapsed` virtual seconds after the world began; tell how it went, and leave.

    `writing` holds no socket, but the ruleset that says where the child may write.
    """
    stand_ins.install()  # they are there, unless this is a fresh interpreter
    trace = _trace(channel, job)
    signal.signal(WHERE, trace.wait_for_ever)
    try:
        os.chdir(sandbox)
        if writing:
            restrict(writing.fileno())
            writing.close()
        if confinement:
            confine(dataclasses.replace(confinement, write=(*confinement.write, str(tmp))), sandbox)
        os.environ["PGAPPNAME"] = APPLICATION
        place = SharedWorld(world_channel, trace) if job.among else RemoteWorld(world_channel)
        world.attach(place)
        if not job.bare:
            _live_in(place, elapsed, job, trace)
        sys.path[:] = job.path or sys.path
        before = forget_namesakes(job.path)
        trace.loaded = partial(imported, before)
        if not job.bare:
            seen = share(trace, tmp, job) if job.among else files.Files(trace, tmp, job.ignore)
            stand_ins.activate(seen, tmp)
        function = cloudpickle.loads(job.code)
        if job.by_line:
            follow(trace)
        try:
            value = _returned(function, job)
        finally:
            ends.leave()
        sys.settrace(None)
        sys.stdout.flush()
        if job.stop:
            trace.effect("RETURN", "", lambda: None)
            trace.end()
        first = not job.among.known if job.among else job.role in {"setup", "run"} and not job.expected
        plain = None if job.role == "run" else as_plain_data(value, job.role)
        trace.note(Returned(value=plain, loaded=trace.loaded(), hashes=first and hashes(before)))
    except BaseException as error:  # noqa: BLE001 - whatever it raised is the result
        frames = reversed(list(traceback.walk_tb(error.__traceback__)))
        text = text_of(error).replace(f"{sandbox}{os.sep}", "").replace(str(tmp), TMP)
        text = text.replace(str(sandbox), "the sandbox")
        lines = lines_under_test(frames)
        if files.ACTIVE:
            tell_denied(error, lines, files.ACTIVE[0])
        trace.note(Raised(error=type(error).__name__, text=text, lines=lines, loaded=trace.loaded()))


def _live_in(place: RemoteWorld, elapsed: float, job: Job, trace: Trace) -> None:
    """Have the time, the chance, the process ids and the sockets of this world, and tell of effects."""
    pid = pids.PIDS[job.role] + job.life
    virtual.activate(place, elapsed, pid, trace, SharedWaits if job.among else Waits)
    sockets.activate(place, trace)
    earlier, began = pids.before(job.role, job.life), clocks.BOOT + elapsed
    pids.ACTIVE.append(pids.Processes(trace, pid, earlier, began, stranger=job.stranger))
    threads.ACTIVE.extend([] if trace.lenient else [trace])
    for install in SOURCES if job.stop else ():
        install(trace)


def _returned(function: Callable[..., Any], job: Job) -> Any:
    """What it returns; nothing if it exits with status 0, as a main() does that has done its work."""
    try:
        return function() if job.given is None else function(_observation(job.given))
    except SystemExit as left:
        if left.code or job.role not in {"setup", "run", "worker"}:
            raise
        return None


def _trace(channel: Connection, job: Job) -> Trace:
    if job.among:
        return Turns(channel, job.stop, among=job.among)
    return Trace(channel, job.stop or Stop(), job.stop is None, lenient=job.lenient, expected=job.expected)


class NotPlainDataError(TypeError):
    """Something that JSON cannot carry was to leave a child."""


def as_plain_data(value: Any, role: str) -> Any:
    """`value` as JSON has it; models and dataclasses become their dict. NotPlainDataError for anything else."""

    def as_dict(thing: Any) -> Any:
        if hasattr(thing, "model_dump"):
            return thing.model_dump(mode="json")
        if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
            return {field.name: getattr(thing, field.name) for field in dataclasses.fields(thing)}
        raise NotPlainDataError(f"{role} must return plain data, not {type(thing).__name__}")

    return json.loads(json.dumps(value, default=as_dict))


def _observation(given: dict[str, Any]) -> Observation:
    calls = {name: [world.Call(**call) for call in given[name]] for name in ("ledger", "calls")}
    workers = {name: WorkerEnd(**end) for name, end in given.get("workers", {}).items()}
    return Observation(state=given["state"], acknowledged=given["acknowledged"], workers=workers, **calls)
