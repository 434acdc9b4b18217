"""The picture of a sweep: one mark per crash point between the effects that surround it."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.crash.report import Report

GOOD, BAD, INK = "#1b7837", "#b2182b", "#333333"
WIDTH = 9.0
"""Inches at 100 dots each: a notebook's column on a laptop."""


def timeline(report: "Report") -> bytes:
    """The report as a PNG image."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - a second to import, and not every report is looked at

    n = len(report.effects)
    figure = Figure(figsize=(WIDTH, 3.2), dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.axhline(0, color="#bbbbbb", linewidth=1.2, zorder=1)
    for survives, marker, colour, label in ((True, "o", GOOD, "survives"), (False, "X", BAD, "breaks")):
        points = [p.k for p in report.points if p.survives is survives]
        axes.scatter(points, [0] * len(points), s=110, marker=marker, color=colour, label=label, zorder=2)
    crowded = n > 15
    for k, effect in enumerate(report.effects):
        axes.annotate(
            str(effect), (k + 0.5, 0), (0, 10), textcoords="offset points", rotation=90 if crowded else 40,
            ha="center" if crowded else "left", va="bottom", fontsize=7 if crowded else 9, color=INK,
        )  # fmt: skip
    axes.set(xlim=(-0.7, max(n, 1) + 0.9), ylim=(-0.6, 2.4), yticks=[], xticks=range(n + 1))
    axes.set_xlabel("crash point: the process is killed here, before the effect to its right")
    axes.tick_params(axis="x", length=0, labelsize=7 if crowded else 9)
    axes.spines[["left", "right", "top", "bottom"]].set_visible(False)
    axes.set_title(report.verdict, loc="left", fontsize=11, color=BAD if report.broken or report.problem else GOOD)
    axes.legend(loc="lower right", ncols=2, frameon=False, fontsize=9)
    image = io.BytesIO()
    figure.savefig(image, format="png", metadata={"Software": None})
    return image.getvalue()
