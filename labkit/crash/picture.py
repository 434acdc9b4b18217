"""The picture of a sweep: one mark per crash point, between the effects that surround it."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.crash.report import Report

GOOD, BAD, INK = "#1b7837", "#b2182b", "#333333"
WIDTH = 9.0
"""Inches at 100 dots each: a notebook's column on a laptop."""
ROOMY = 8
"""As many effects have room for labels that can be read without tilting the head."""


def timeline(report: "Report") -> bytes:
    """The report as a PNG image. Shape tells what colour tells."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - a second to import, and not every report is looked at

    count = len(report.effects)
    roomy = count <= ROOMY
    figure = Figure(figsize=(WIDTH, 1.9 if roomy else 3.2), dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.axhline(0, color="#bbbbbb", linewidth=1.2, zorder=1)
    for survives, marker, colour, label in ((True, "o", GOOD, "survives"), (False, "X", BAD, "breaks")):
        points = [point.k for point in report.points if point.survives is survives]
        axes.scatter(points, [0] * len(points), s=110, marker=marker, color=colour, label=label, zorder=2)
    for k, effect in enumerate(report.effects):
        text = "\n".join([effect.op, *effect.target.replace(' → ', '\n→ ').splitlines()]) if roomy else str(effect)
        axes.annotate(
            text, (k + 0.5, 0), (0, 10), textcoords="offset points", rotation=0 if roomy else 90,
            ha="center", va="bottom", fontsize=9 if roomy else 7.5, color=INK,
        )  # fmt: skip
    axes.set(xlim=(-0.6, max(count, 1) + 0.6), ylim=(-0.5, 1.3 if roomy else 2.2), yticks=[], xticks=range(count + 1))
    axes.set_xlabel("crash point: a kill before the effect to its right")
    axes.tick_params(axis="x", length=0, labelsize=9 if roomy else 7.5)
    axes.spines[:].set_visible(False)
    axes.set_title(report.verdict, loc="left", fontsize=11, color=BAD if report.broken or report.problem else GOOD)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize=9)
    image = io.BytesIO()
    figure.savefig(image, format="png", metadata={"Software": None})
    return image.getvalue()
