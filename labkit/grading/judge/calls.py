"""How one call of an answer went, for a trial that holds several. It imports next to nothing: every child loads it."""

import inspect
import math
import resource
import signal
import time
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from labkit.crash.child.trace import lines_under_test
from labkit.crash.lines import Line
from labkit.crash.under_test import text_of

PATIENCE = 1
"""Seconds of processor time after which a call counts as endless."""


class EndlessError(BaseException):
    """What ends a call that computes without end. No `except Exception` of an answer stops it."""


def called(call: Callable[[], Any]) -> dict[str, Any]:
    """In a child: {"value": what the call returned}, or how it failed. SIGXCPU ends a loop without end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    before = signal.signal(signal.SIGXCPU, _stop)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time()) + PATIENCE, hard))
    try:
        return {"value": call()}
    except BaseException as error:  # noqa: BLE001 - whatever an answer raises is the result
        return _failure(error)
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
        signal.signal(signal.SIGXCPU, before)


def told(failure: dict[str, Any]) -> str:
    """How a call failed, as the predicate of a sentence, with the learner's line."""
    line = Line.first(failure["lines"])
    return f"{failure['failed']}{f' at {line}' if line else ''}"


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
