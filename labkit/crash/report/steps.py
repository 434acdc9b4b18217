"""One run, line by line, up to a crash point: the view of a debugger on what the sweep does at full speed.

In the child, `follow` tells each line before it runs. In the notebook, `Steps` shows them, with what changed.
"""

import reprlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

from labkit.crash.child.trace import Trace, is_under_test, without_addresses
from labkit.crash.report.lines import Line
from labkit.crash.report.replay import listing

SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = 60


def follow(trace: Trace) -> None:
    """Tell the parent every line of the code under test from here on, with the local variables."""

    def on_line(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            values = {name: without_addresses(SHORT.repr(value)) for name, value in frame.f_locals.items()}
            line = (frame.f_code.co_filename, frame.f_code.co_name, frame.f_lineno)
            trace.note("line", line=line, values=values)
        return on_line

    def on_call(frame: FrameType, _: str, __: Any) -> Any:
        return on_line if is_under_test(frame) else None

    sys.settrace(on_call)


@dataclass(frozen=True)
class Steps:
    """The lines that ran before a crash point, the variables that changed, and the effects."""

    title: str
    events: Sequence[Mapping[str, Any]]
    files: Mapping[str, str | None]
    """The files as they were then."""

    def __str__(self) -> str:
        rows, known = [self.title, ""], {}
        for event in self.events:
            if event["event"] == "effect":
                rows.append(f"{'':12}⇒ {event['op']} {event['target']}".rstrip())
            elif event["event"] == "line":
                line = Line(*event["line"])
                before, known[line.function] = known.get(line.function, {}), event["values"]
                changed = [f"{name} = {value}" for name, value in event["values"].items() if before.get(name) != value]
                if changed:
                    rows.append(f"{'':12}{', '.join(changed)}")
                rows.append(f"  {line.number:4}  {line.raw}")
        return "\n".join([*rows, "", "files at this point", *listing(self.files)])

    __repr__ = __str__
