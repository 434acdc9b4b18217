"""An order as text: a column for each participant, a line for each step, in the order in which they were taken."""

from collections.abc import Sequence

from labkit.crash.race.found import Order, TakenStep
from labkit.crash.race.stale import Stale, stale

WIDTH = 100
"""Characters of a line."""
KILL = "kill "
REFUSES = {
    "data": "A lock over these three would have kept {other} out.",
    "sql": "One more condition in the last of them would have refused it: that nobody has changed {thing} since.",
    "ledger": "Only what checks and acts in one step can refuse: a tool that knows a key, or a claim before the call.",
}
"""By the kind of the object that went stale: what mends it."""


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


def explained(order: Order) -> str:
    """What went stale first: who read it, who changed it, and who went on as if nobody had, with the lines."""
    found = stale(order.steps)
    return _explained(found[0], order.steps) if found else ""


def _explained(found: Stale, steps: Sequence[TakenStep]) -> str:
    read, written, used = (steps[i] for i in (found.read, found.written, found.used))
    whats = [f"{read.worker} did {read}", f"then {written.worker} did {written}", f"then {used.worker} did {used}"]
    width = max(map(len, whats))
    lines = [_line(step, read, used) for step in (read, written, used)]
    told = [f"  {what:{width}}  {line}".rstrip() for what, line in zip(whats, lines, strict=True)]
    kind, *words = next((thing for thing, _ in read.touches if thing and thing[0] in REFUSES), ("data",))
    mend = REFUSES[kind].format(other=written.worker, thing=words[0] if words else "it")
    return "\n".join([f"! {used.worker} goes on with an old value:", *told, mend])


def _line(step: TakenStep, read: TakenStep, used: TakenStep) -> str:
    """The innermost line that tells the read from what came of it: not one of a function that does both."""
    pairs = zip(read.lines, used.lines, strict=False)
    depth = next((depth for depth, (one, other) in enumerate(pairs) if one != other), 0)
    return _short(str(step.lines[min(depth, len(step.lines) - 1)]), WIDTH) if step.lines else ""
