"""The lives of executors, as a notebook has them. Each is a process, forked from one that has loaded DBOS already."""

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from typing import Any

import cloudpickle

from labkit import database
from labkit.crash.channel import hear, tell
from labkit.crash.lines import Line
from labkit.crash.report.findings import Effect
from labkit.engines.life import Told, live
from labkit.world import World

REQUESTS = {"call", "ask", "ack", "sleep", "elapsed"}
LONGEST = 60.0
"""Seconds for which a life may be silent."""


class EngineError(Exception):
    """A life that tells nothing does not even begin."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]  # all that a notebook shows


@dataclass(frozen=True)
class Lived:
    """How a life went."""

    how: str
    """result, error, killed or waiting."""
    value: Any = None
    """The result of the run; what the error was."""
    effects: tuple[Effect, ...] = ()
    """What it did, in order."""

    def __str__(self) -> str:
        return self.how if self.value is None else f"{self.how}: {self.value}"


@cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["labkit.engines.life"])
    return context


@dataclass
class Lab:
    """Executors over one database, and the world on which their runs act."""

    url: str = field(default_factory=database.url)
    """URL of PostgreSQL, where DBOS makes its own schema."""
    world: World = field(default_factory=World)

    def live(
        self,
        workflow: Callable[..., Any],
        *arguments: Any,
        run: str,
        executor: str = "A",
        version: str = "1",
        kill: int | None = None,
        attempts: int = 100,
    ) -> Lived:
        """One life of this executor: it goes on with what it has left, and asks for the run, whoever has it.

        `kill`: before which of its effects it kills itself, from 0. `attempts`: in how many lives the engine tries to
        go on with a run that it finds. EngineError if the process does not even begin.
        """
        code = cloudpickle.dumps((workflow, arguments))
        told = Told(self.url, run, code, executor, version, kill, attempts)
        ours, theirs = _context().Pipe()
        process = _context().Process(target=live, args=(told, theirs), daemon=True)
        process.start()
        theirs.close()
        try:
            return self._follow(ours, kill)
        finally:
            process.kill()
            process.join()
            ours.close()

    def _follow(self, channel: Connection, kill: int | None) -> Lived:
        """Be the world for it, until it has come to an end, or only waits."""
        effects: list[Effect] = []
        while channel.poll(LONGEST):
            try:
                request, *about = hear(channel)
            except EOFError:
                if not effects and kill != 0:
                    raise EngineError("the process has ended without a word") from None
                return Lived("killed", effects=tuple(effects))
            if request in {"result", "error", "waiting"}:
                return Lived(request, about[0] if request == "result" else ": ".join(about) or None, tuple(effects))
            tell(channel, self._answer(request, about, effects))
        raise EngineError(f"the process has told nothing for {LONGEST:.0f} s")

    def _answer(self, request: str, about: list[Any], effects: list[Effect]) -> dict[str, Any]:
        try:
            if request == "effect":
                op, target, line = about
                effects.append(Effect(op, target, line and Line(*line)))
                value = None
            elif request in REQUESTS:
                value = getattr(self.world, request)(*about)
            else:
                return {"error": f"a workflow has no {request} here", "type": "ToolError", "elapsed": 0.0}
        except Exception as error:  # noqa: BLE001 - as in every world: it goes on, and the caller hears
            return {"error": str(error), "type": type(error).__name__, "elapsed": self.world.elapsed()}
        return {"value": value, "elapsed": self.world.elapsed()}
