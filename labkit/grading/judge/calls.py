"""How one call of an answer went, for a trial that holds several. It imports next to nothing: every child loads it."""

import inspect
import math
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from labkit.crash.child.trace import lines_under_test
from labkit.crash.lines import Line
from labkit.crash.under_test import text_of

PATIENCE = 1
"""Seconds of processor time after which a call counts as endless."""
LONGEST = 300
"""Characters of what an error says that a message shows."""


class EndlessError(BaseException):
    """What ends a call that computes without end. No `except Exception` of an answer stops it."""


def called(call: Callable[[], Any]) -> dict[str, Any]:
    """In a child: {"value": what the call returned}, or how it failed. SIGXCPU ends a loop without end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    before = signal.signal(signal.SIGXCPU, _stop)
    spent = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])  # what `time` tells a child is the world's time
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(spent) + PATIENCE, hard))
    try:
        return {"value": call()}
    except BaseException as error:  # noqa: BLE001 - whatever an answer raises is the result
        return _failure(error)
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
        signal.signal(signal.SIGXCPU, before)


def until_endless(calls: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """In a child: how these calls went, one after another; none is made after one that did not end."""
    found = []
    for got in calls:
        found.append(got)
        if got.get("endless"):
            break
    return found


def line_now() -> Line | None:
    """In a child: the learner's line that is being executed."""
    frame = sys._getframe()  # noqa: SLF001 - the way to see who called
    while frame and not frame.f_code.co_filename.startswith("<answer "):
        frame = frame.f_back
    return Line(frame.f_code.co_filename, frame.f_code.co_name, frame.f_lineno) if frame else None


def salt_hash(answer: Callable[..., Any], salt: object) -> None:
    """In a child: give an answer the `hash` of another process. Children are forks, and would hash texts alike."""
    salted = lambda thing: hash(thing if _numbers(thing) else (salt, thing))  # noqa: E731
    getattr(answer, "__globals__", {}).setdefault("hash", salted)


def _numbers(thing: object) -> bool:
    """Whether it has the same hash in each process: a number, or a tuple of them."""
    return isinstance(thing, int | float) or (isinstance(thing, tuple) and all(map(_numbers, thing)))


def told(failure: dict[str, Any]) -> str:
    """How a call failed, as the predicate of a sentence, with the learner's line."""
    line, failed = Line.first(failure["lines"]), failure["failed"]
    failed = failed if len(failed) <= LONGEST else f"{failed[:LONGEST]}… ({len(failed)} characters)"
    return f"{failed}{f' at {line}' if line else ''}"


def shown(value: Any) -> str:
    """A value that an answer returned, as a message shows it."""
    if inspect.iscoroutine(value):
        value.close()
        return "a coroutine, of which nothing has run: write def in place of async def"
    return repr(value)


def _failure(error: BaseException) -> dict[str, Any]:
    frames = reversed(list(traceback.walk_tb(error.__traceback__)))
    endless = isinstance(error, EndlessError)
    said = f": {text}" if (text := text_of(error)) else ""
    failed = "did not end after a second of work" if endless else f"raised {type(error).__name__}{said}"
    return {"failed": failed, "endless": endless, "lines": lines_under_test(frames)}


def _stop(*_: Any) -> NoReturn:
    raise EndlessError
