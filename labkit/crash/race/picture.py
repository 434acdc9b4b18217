"""The picture of a race: a row for each order, a cell for each step, a shade for each worker, a mark at the end.

Beyond MOST orders it is folded: of orders that end alike, the first are shown, and how many there are.
"""

import io
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from labkit.crash.race.found import Order
from labkit.crash.report.picture import BAD, GOOD, INK, WIDTH

MOST = 24
"""Rows."""
SHADES = ("#4477aa", "#ddcc77", "#aa4499", "#88ccee", "#999933", "#882255")
HATCHES = ("", "//", "..", "xx", "\\\\", "oo")


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
    """The report as a PNG image. Shape tells what colour tells."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - a second to import, and not every report is looked at

    rows = folded(orders)
    figure = Figure(figsize=(WIDTH, 1.1 + 0.24 * len(rows)), dpi=100, layout="constrained")
    axes = figure.subplots()
    for row, (order, count) in enumerate(rows):
        _draw(axes, row, order, names, f" × {count}" if count > 1 else "")
    for number, name in enumerate(names):
        style = {"facecolor": SHADES[number % len(SHADES)], "hatch": HATCHES[number % len(HATCHES)]}
        axes.barh([-9], [0], label=name, edgecolor="white", **style)
    axes.set(ylim=(len(rows) - 0.4, -0.6), yticks=[])
    axes.set_xlabel("step: who takes it; a thin white one is a kill")
    axes.tick_params(length=0, labelsize=7.5)
    axes.spines[:].set_visible(False)
    broken = any(not order.survives for order in orders)
    axes.set_title(verdict, loc="left", fontsize=11, color=BAD if broken else GOOD)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, fontsize=9)
    image = io.BytesIO()
    figure.savefig(image, format="png", metadata={"Software": None})
    return image.getvalue()


def _draw(axes: Any, row: int, order: Order, names: Sequence[str], count: str) -> None:
    for at, step in enumerate(order.steps):
        number = names.index(step.worker) if step.worker in names else None
        style = {"facecolor": "white", "hatch": "", "height": 0.3}
        if number is not None:
            style = {"facecolor": SHADES[number % len(SHADES)], "hatch": HATCHES[number % len(HATCHES)], "height": 0.8}
        axes.barh([row], [0.92], left=[at], edgecolor=INK if number is None else "white", **style)
    marker, colour = ("o", GOOD) if order.survives else ("X", BAD)
    axes.scatter([len(order.steps) + 0.5], [row], marker=marker, c=colour, s=50)
    axes.annotate(count, (len(order.steps) + 0.7, row), va="center", fontsize=8, color=INK)
