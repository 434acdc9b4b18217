"""An order as text: a column for each participant, a line for each step, in the order in which they were taken."""

import textwrap
from collections.abc import Collection, Sequence

from labkit.crash.race.found import Order, TakenStep
from labkit.crash.race.stale import stale

WIDTH = 100
"""Characters of a line."""
KILL = "kill "


def columns(order: Order, names: Sequence[str]) -> str:
    """The order, with what each step read, and a mark at what is stale."""
    width = max(12, min(44, WIDTH // max(1, len(names))))
    used = {each.used for each in stale(order.steps)}
    rows = ["".join(f"{_short(name, width - 2):{width}}" for name in names).rstrip()]
    rows += [_row(step, names, width, stale=index in used) for index, step in enumerate(order.steps)]
    for each in order.stuck:
        rows.append(_at(names.index(each.worker), width, f"{each.step} (waits)"))
    return "\n".join(f"  {row}" for row in rows)


def _row(step: TakenStep, names: Sequence[str], width: int, *, stale: bool) -> str:
    name = step.worker.removeprefix(KILL)
    text = "X killed" if step.worker not in names else str(step)
    text = f"! {text}" if stale else text
    return _at(names.index(name), width, f"{text}: {step.saw}" if step.saw else text)


def _at(column: int, width: int, text: str) -> str:
    return " " * (column * width) + _short(text, WIDTH - column * width)


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(1, width - 1)]}…"


def explained(order: Order) -> Collection[str]:
    """What went stale, with the lines at which it was read, written and used."""
    told = []
    for each in stale(order.steps)[:2]:
        read, written, used = (order.steps[i] for i in (each.read, each.written, each.used))
        told.append(
            f"Stale: {read.worker} read {read.target or read.op}{_line(read)}. Then {written.worker} did {written}"
            f"{_line(written)}. What {used.worker} did next, {used}{_line(used)}, rests on the old value: a condition "
            "there, that nobody has changed it since, would have refused."
        )
    return ["\n".join(textwrap.wrap(text, WIDTH + 20)) for text in told]


def _line(step: TakenStep) -> str:
    return f" (line {step.line.number})" if step.line else ""
