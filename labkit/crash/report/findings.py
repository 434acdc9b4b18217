"""What a sweep is made of: effects, the crash points between them, and what each fault there led to."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labkit.crash.report.lines import Line


@dataclass(frozen=True)
class Effect:
    """Something that the outside world could notice."""

    op: str
    target: str
    line: Line | None

    def __str__(self) -> str:
        return f"{self.op} {self.target}".strip()


@dataclass(frozen=True)
class Outcome:
    """What one fault at a crash point led to."""

    model: str
    """"process killed" (real) or "power cut" (modelled)."""
    survives: bool
    reason: str = ""
    """Why it does not survive."""
    loss: str = ""
    """What the power cut took."""
    ext4: bool = True
    """Whether ext4 with its default options can lose that, too."""
    again: str = ""
    """After which effect of its own the recovery was killed as well; empty if it was not."""


@dataclass(frozen=True)
class Point:
    """A crash point: the gap before effect `k`, and what the faults there led to."""

    k: int
    outcomes: tuple[Outcome, ...]

    def broken(self, model: str = "") -> list[Outcome]:
        """The outcomes that do not survive, of one fault model or of all."""
        return [outcome for outcome in self.outcomes if not outcome.survives and model in ("", outcome.model)]

    @property
    def survives(self) -> bool:
        """Whether every fault at this point does no harm."""
        return not self.broken()


def parse_outcome(told: Mapping[str, Any]) -> Outcome:
    """An Outcome from what the zygote told."""
    details = {key: told[key] for key in ("model", "loss", "ext4", "again") if key in told}
    if told["survives"]:
        return Outcome(survives=True, **details)
    failure = told["failure"]
    line = Line.first(failure.get("lines", []))
    text = textwrap.shorten(failure["text"], 160, placeholder=" …")
    if failure["error"] == "NotPlainDataError":
        reason = text
    elif told["role"] == "recover":
        reason = f"on restart, recovery raised {failure['error']}: {text}" if failure["error"] else f"recovery {text}"
    elif failure["error"] == "AssertionError":
        reason = text or f"the invariant does not hold: {line.text if line else ''}"
    else:
        reason = f"the invariant raised {failure['error']}: {text}"
    return Outcome(survives=False, reason=reason, **details)


KILLED, POWER_CUT = "process killed", "power cut"
