"""A service's process: a WSGI or ASGI application, made anew from its pickle, that answers one request after another.

It is confined, guarded and given virtual time as the children are. What it sleeps is not slept: the reply comes later.
"""

import dataclasses
import inspect
import os
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

import cloudpickle

from labkit import world
from labkit.crash.channel import hear, tell
from labkit.crash.child import clocks, pids, stand_ins, threads, virtual, wsgi
from labkit.crash.child.files import Files
from labkit.crash.child.reply import Data, Timed
from labkit.crash.child.trace import NotLetError, Trace
from labkit.crash.news import News, Refused
from labkit.crash.under_test import lines_under_test, without_addresses
from labkit.isolation.confine import Confinement, confine

PID = 5151
"""The process id that tells its chance from others'."""


def main(
    channel: Connection, number: int, app: bytes, path: list[str], folder: Path, confinement: Confinement | None
) -> None:
    """Answer over `channel` until it is closed: [elapsed, request] by a reply, or by {"error": a predicate}."""
    trace = _Quiet(channel, silent=True)
    clock = settle(trace, PID + number, folder, confinement)
    sys.path[:] = path
    answer = None
    while True:
        try:
            elapsed, request = hear(channel)
        except EOFError:
            return
        try:
            clock.go_to(elapsed)
            answer = answer or answering(cloudpickle.loads(app), clock)
            told = answer(request) if request else {}
        except BaseException as error:  # noqa: BLE001 - whatever it raised, somebody waits for a word
            told = {"error": _predicate(error)}
        tell(channel, {"error": trace.refused} if trace.refused else told)


def settle(trace: Trace, pid: int, folder: Path, confinement: Confinement | None) -> "_Elsewhere":
    """Live in `folder`, confined and guarded as the children are, in a time of its own; which is returned."""
    stand_ins.install()
    (tmp := folder / "tmp").mkdir(parents=True)
    (home := folder / "home").mkdir()
    os.chdir(home)
    if confinement:
        confine(dataclasses.replace(confinement, write=(*confinement.write, str(tmp))), home)
    clock = _Elsewhere()
    world.attach(clock)
    virtual.activate(clock, 0.0, pid, trace)
    pids.ACTIVE.append(pids.Processes(trace, pid, (), clocks.BOOT, stranger=False))
    threads.ACTIVE.append(trace)
    stand_ins.activate(Files(trace, tmp), tmp)
    return clock


def answering(app: Any, clock: Timed) -> Callable[[Data], Data]:
    """What answers requests by an application, or by what makes one. TypeError if it is neither."""
    if not _takes(app, 2) and not _takes(app, 3) and _takes(app, 0):
        app = app()
    if _takes(app, 2) and not inspect.iscoroutinefunction(app):
        return wsgi.answering(app, clock)
    if not _takes(app, 3):
        raise TypeError(f"a service is a WSGI or ASGI application, not {type(app).__name__}")
    from labkit.crash.child import asgi  # noqa: PLC0415 - asyncio takes long to load, and WSGI needs none

    return asgi.answering(app, clock)


def _takes(app: Any, count: int) -> bool:
    """Whether it can be called with so many arguments."""
    try:
        inspect.signature(app).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # it does not say
        return True
    return True


def _predicate(error: BaseException) -> str:
    frames = reversed(list(traceback.walk_tb(error.__traceback__)))
    place = next((f" in {name}, line {line}" for _, name, line in lines_under_test(frames)), "")
    text = without_addresses(str(error))
    return f"raised {type(error).__name__}{f': {text}' if text else ''}{place}"


class _Elsewhere:
    """The world of a service: it has a time of its own, and no tools."""

    port = database = None

    def __init__(self) -> None:
        self.now = 0.0
        self.on_time: Callable[[float], None] = lambda elapsed: None

    def go_to(self, elapsed: float) -> None:
        """The world is there now."""
        self.now = elapsed
        self.on_time(elapsed)

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass, for this service alone."""
        self.go_to(self.now + seconds)

    def elapsed(self) -> float:
        """Virtual seconds since the world began."""
        return self.now

    def _nothing(self, *_: Any, **__: Any) -> NoReturn:
        raise world.ToolError("a service can use no tools of the world, nor acknowledge anything")

    call = ask = ack = arrange = exchange = _nothing


class _Quiet(Trace):
    """Tells nobody of effects; keeps the first thing that was refused."""

    refused = ""

    def note(self, news: News) -> None:
        """Nothing, but for a refusal."""
        if isinstance(news, Refused):
            self.refused = self.refused or f"was going to {news.what} ({news.todo})"

    def wait_for_ever(self) -> NoReturn:
        """Raise: nobody will do what it waits for."""
        raise NotLetError("it waits for what nothing will end")
