"""Tells the parent each line of the code under test before it runs, with the local variables, by `sys.settrace`."""

import reprlib
import sys
from types import FrameType
from typing import Any

from labkit.crash.child.trace import Trace
from labkit.crash.news import Reached
from labkit.crash.under_test import is_under_test, without_addresses

SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = 60


def follow(trace: Trace) -> None:
    """Tell every line from here on."""

    def on_line(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            values = {name: without_addresses(SHORT.repr(value)) for name, value in frame.f_locals.items()}
            trace.note(Reached(line=[frame.f_code.co_filename, frame.f_code.co_name, frame.f_lineno], values=values))
        return on_line

    def on_call(frame: FrameType, _: str, __: Any) -> Any:
        return on_line if is_under_test(frame) else None

    sys.settrace(on_call)
