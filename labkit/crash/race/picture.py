"""The picture of a race: a row for each order, in it a lane for each worker, a box for each step, a mark at the end.

Beyond MOST orders it is folded: of orders that end alike, the first are shown, and how many there are.
"""

import io
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from labkit.crash.race.columns import KILL
from labkit.crash.race.found import Order
from labkit.crash.race.stale import stale
from labkit.crash.report.picture import BAD, GOOD, INK, WIDTH

MOST = 24
"""Rows."""
NAMED = (8, 10)
"""Up to so many rows of so many steps, each step has its name."""
SHADES = ("#a8c9ea", "#f1e0a6", "#dcb6dc", "#b7e0d2", "#d9d9a3", "#e0b0b0")


def folded(orders: Sequence[Order]) -> list[tuple[Order, int]]:
    """The orders to be shown, those that break it first, and for how many each stands."""
    ranked = sorted(orders, key=lambda order: (order.survives, order.reason, order.switches))
    if len(ranked) <= MOST:
        return [(order, 1) for order in ranked]
    groups = [[*same] for _, same in groupby(ranked, key=lambda order: order.reason)]
    each = max(1, MOST // len(groups))
    shown = [(order, 1) for same in groups for order in same[: each - 1]] if each > 1 else []
    rest = [(same[each - 1], len(same) - each + 1) for same in groups if len(same) >= each]
    return sorted([*shown, *rest], key=lambda row: (row[0].survives, row[0].reason, row[1]))[:MOST]


def strip(orders: Sequence[Order], names: Sequence[str], verdict: str) -> bytes:
    """The report as a PNG image. Place and shape tell what colour tells."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - a second to import, and not every report is looked at

    rows, longest = folded(orders), max(len(order.steps) for order in orders)
    named = len(rows) <= NAMED[0] and longest <= NAMED[1]
    height = (0.22 if named else 0.1) * len(names) + 0.1
    figure = Figure(figsize=(WIDTH, 1.0 + height * len(rows)), dpi=100, layout="constrained")
    axes = figure.subplots()
    for row, (order, count) in enumerate(rows):
        _draw(axes, row, order, names, named=named)
        if count > 1:
            axes.annotate(f" × {count}", (longest + 0.7, row), va="center", fontsize=8, color=INK)
    for survives, marker, colour, label in ((True, "o", GOOD, "does no harm"), (False, "X", BAD, "breaks it")):
        ends = [row for row, (order, _) in enumerate(rows) if order.survives is survives]
        axes.scatter([longest + 0.4] * len(ends), ends, marker=marker, c=colour, s=60, label=label)
    _frame(figure, axes, len(rows), names)
    colour = GOOD if all(order.survives for order in orders) else BAD
    axes.set_title(verdict, loc="left", fontsize=11, color=colour)
    image = io.BytesIO()
    figure.savefig(image, format="png", metadata={"Software": None})
    return image.getvalue()


def _frame(figure: Any, axes: Any, rows: int, names: Sequence[str]) -> None:
    for number, name in enumerate(names):
        axes.barh([-9], [0], label=f"a step of {name}", color=SHADES[number % len(SHADES)], edgecolor=INK)
    axes.set(ylim=(rows - 0.45, -0.55), xlim=(-0.1, axes.get_xlim()[1]), xticks=[], yticks=[])
    axes.set_xlabel("a row for each order, from left to right; ! goes on with an old value", fontsize=9)
    axes.spines[:].set_visible(False)
    figure.legend(loc="outside lower left", ncols=min(5, len(names) + 2), frameon=False, fontsize=9)


def _draw(axes: Any, row: int, order: Order, names: Sequence[str], *, named: bool) -> None:
    used, lane = {each.used for each in stale(order.steps) if not order.survives}, 0.9 / len(names)
    axes.axhline(row + 0.5, color="#dddddd", linewidth=0.8, zorder=0)
    for at, step in enumerate(order.steps):
        number = names.index(step.worker.removeprefix(KILL))
        place = row - 0.45 + lane * (number + 0.5)
        text = f"{'! ' * (at in used)}{step}" if named else "!" * (at in used)
        if step.worker not in names:
            text = "X"
        else:
            colour, edge = SHADES[number % len(SHADES)], BAD if at in used else INK
            axes.barh([place], [0.94], left=[at], height=lane * 0.9, color=colour, edgecolor=edge, linewidth=0.8)
        axes.text(at + 0.47, place, text, ha="center", va="center", fontsize=7.5, color=INK, clip_on=True)
