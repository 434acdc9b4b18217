"""What a race found, as data: each order that was run, with its steps and how it ended."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labkit.crash.asked import Failure, OrderLeft
from labkit.crash.jobs import WorkerEnd
from labkit.crash.lines import Line


@dataclass(frozen=True)
class TakenStep:
    """One step of an order."""

    worker: str
    op: str
    target: str
    saw: str
    """What it read."""
    lines: tuple[Line, ...] = ()
    """Of the program under test, the innermost first."""
    touches: tuple[tuple[tuple[str, ...], bool], ...] = ()
    """Objects, and whether it writes them."""

    @property
    def line(self) -> Line | None:
        """Where it is taken."""
        return self.lines[0] if self.lines else None

    def __str__(self) -> str:
        return f"{self.op} {self.target}".strip()


@dataclass(frozen=True)
class Stuck:
    """A worker that could not go on."""

    worker: str
    step: str
    line: Line | None
    waits_for: tuple[str, ...]


@dataclass(frozen=True)
class Order:
    """One order that was run, and what came of it."""

    steps: tuple[TakenStep, ...]
    how: str
    ends: dict[str, WorkerEnd]
    stuck: tuple[Stuck, ...]
    reason: str
    """Why it breaks; empty if it does not."""

    @property
    def survives(self) -> bool:
        """Whether it does no harm."""
        return not self.reason

    @property
    def names(self) -> tuple[str, ...]:
        """Who took each step: what `replay` takes."""
        return tuple(step.worker for step in self.steps)

    @property
    def switches(self) -> int:
        """How often it was another's turn."""
        return sum(one != other for one, other in zip(self.names, self.names[1:], strict=False))


def order(left: OrderLeft) -> Order:
    """An Order from what the zygote told."""
    steps = [
        TakenStep(worker, op, target, saw, Line.those(lines), tuple((tuple(t), w) for t, w in touches))
        for worker, op, target, saw, lines, touches in left.steps
    ]
    stuck = [Stuck(w, f"{op} {what}".strip(), Line.first(at), tuple(by)) for w, (op, what, at, by) in left.left.items()]
    ends = {name: WorkerEnd(**end) for name, end in left.ends.items()}
    return Order(tuple(steps), left.how, ends, tuple(stuck), _reason(left, stuck))


def _reason(left: OrderLeft, stuck: Sequence[Stuck]) -> str:
    if left.how == "deadlock":
        return f"deadlock: {', '.join(map(_waits, stuck))}"
    if left.how == "endless":
        return f"livelock: {' and '.join(each.worker for each in stuck)} went on and on, and came to no end"
    if left.failure is None:
        return ""
    return _failed(left.role, left.failure)


def _waits(stuck: Stuck) -> str:
    by = f" for {' and '.join(stuck.waits_for)}" if stuck.waits_for else ""
    return f"{stuck.worker} waits{by} ({stuck.step})"


def _failed(role: str, failure: Failure) -> str:
    line, text = Line.first(failure.lines), textwrap.shorten(failure.text, 160, placeholder=" …")
    if role == "recover":
        return f"recovery raised {failure.error}: {text}" if failure.error else f"recovery {text}"
    if failure.error == "AssertionError":
        return text or f"the invariant does not hold: {line.text if line else ''}"
    return f"the invariant raised {failure.error}: {text}" if failure.error else f"the invariant {text}"


def plain(found: Order) -> dict[str, Any]:
    """An order as plain data."""
    return {
        "steps": [{"worker": s.worker, "step": str(s), "saw": s.saw} for s in found.steps],
        "survives": found.survives,
        "reason": found.reason,
        "how": found.how,
        "ends": {name: vars(end) for name, end in found.ends.items()},
    }
