"""The picture of a sweep: a lane per fault model, a mark per crash point, the effects between them."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.crash.report import Report

GOOD, BAD, INK = "#1b7837", "#b2182b", "#333333"
WIDTH = 9.0
"""Inches at 100 dots each: a notebook's column on a laptop."""
ROOMY, CROWDED = 8, 40
"""Up to so many effects have labels that read without tilting the head; more than so many show only the steps."""
STEPS = {"tool", "ACK", "RETURN"}


def timeline(report: "Report") -> bytes:
    """The report as a PNG image. Shape tells what colour tells."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - a second to import, and not every report is looked at

    count, lanes = len(report.effects), report.models
    roomy, crowded = count <= ROOMY, count > CROWDED
    height = (1.2 if roomy else 2.4) + 0.35 * len(lanes) + 0.2 * report.verdict.count("\n")
    figure = Figure(figsize=(WIDTH, height + 0.35), dpi=100, layout="constrained")
    axes = figure.subplots()
    for lane, model in enumerate(reversed(lanes)):
        axes.axhline(lane, color="#bbbbbb", linewidth=1.2, zorder=1)
        for survives, marker, colour in ((True, "o", GOOD), (False, "X", BAD)):
            points = [point.k for point in report.points if (not point.broken(model)) is survives]
            label = "" if lane else "survives" if survives else "breaks"
            size = 25 if crowded else 100
            axes.scatter(points, [lane] * len(points), s=size, marker=marker, color=colour, label=label, zorder=2)
    for k, effect in enumerate(report.effects):
        if not crowded or effect.op in STEPS:
            text = f"{effect.op}\n" + effect.target.replace(" → ", "\n→ ") if roomy else str(effect)
            axes.annotate(
                text.strip(), (k + 0.5, len(lanes) - 1), (0, 10), textcoords="offset points",
                rotation=0 if roomy else 90, ha="center", va="bottom", fontsize=9 if roomy else 7.5, color=INK,
            )  # fmt: skip
    axes.set(xlim=(-0.6, max(count, 1) + 0.6), ylim=(-0.5, len(lanes) - 1 + (1.3 if roomy else 3) * len(lanes) ** 0.5))
    axes.set_yticks(range(len(lanes)), reversed(lanes) if len(lanes) > 1 else [""])
    axes.set_xticks(range(0, count + 1, 5 if crowded else 1))
    axes.set_xlabel("crash point: before the effect to its right")
    axes.tick_params(length=0, labelsize=9 if roomy else 7.5)
    axes.spines[:].set_visible(False)
    axes.set_title(report.verdict, loc="left", fontsize=11, color=BAD if report.broken or report.problem else GOOD)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize=9)
    image = io.BytesIO()
    figure.savefig(image, format="png", metadata={"Software": None})
    return image.getvalue()
