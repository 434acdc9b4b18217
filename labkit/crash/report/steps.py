"""One run, line by line, up to a crash point: the view of a debugger on what the sweep does at full speed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.crash.report.lines import Line
from labkit.crash.report.replay import listing


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
