"""The picture of a sweep: a lane per fault model, a mark per crash point, the effects between them."""

import io
from dataclasses import dataclass
from typing import Any

from labkit.crash.report.findings import Effect, Findings

GOOD, BAD, INK = "#1b7837", "#b2182b", "#333333"
WIDTH = 9.0
"""Inches at 100 dots each: a notebook's column on a laptop."""


@dataclass(frozen=True)
class Style:
    """How labels fit: level on two lines, upright, or folded, where only the steps have labels."""

    rotation: int
    align: str
    size: float
    height: float
    """Room for labels, in lanes."""
    mark: int

    def label(self, effect: Effect) -> str:
        """What an effect is called in the picture; empty if it goes without."""
        if self is FOLDED:
            return effect.target if effect.op in {"tool", "ACK"} else ""
        if self is LEVEL:
            return "\n→ ".join(f"{effect.op}\n{effect.target}".strip().split(" → "))
        return str(effect)


LEVEL = Style(rotation=0, align="center", size=9, height=1.6, mark=110)
UPRIGHT = Style(rotation=90, align="center", size=7.5, height=5, mark=90)
FOLDED = Style(rotation=25, align="left", size=9, height=2.6, mark=50)


def style(report: Findings) -> Style:
    """Beyond 8 effects, labels no longer fit side by side; beyond 15, those of the files would hide the steps."""
    steps = any(effect.op == "tool" for effect in report.effects)
    return LEVEL if len(report.effects) <= 8 else FOLDED if len(report.effects) > 15 and steps else UPRIGHT


def timeline(report: Findings) -> bytes:
    """The report as a PNG image. Shape tells what colour tells."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - a second to import, and not every report is looked at

    look, lanes = style(report), len(report.models)
    height = 0.75 + 0.38 * (lanes + look.height) + 0.2 * report.verdict.count("\n")
    figure = Figure(figsize=(WIDTH, height), dpi=100, layout="constrained")
    axes = figure.subplots()
    _draw_marks(axes, report, look)
    for k, effect in enumerate(report.effects):
        axes.annotate(
            look.label(effect), (k + 0.5, lanes - 1), (0, 9), textcoords="offset points", rotation=look.rotation,
            ha=look.align, va="bottom", rotation_mode="anchor" if look is FOLDED else "default", fontsize=look.size,
            color=INK,
        )  # fmt: skip
    _draw_frame(axes, report, look)
    image = io.BytesIO()
    figure.savefig(image, format="png", metadata={"Software": None})
    return image.getvalue()


def _draw_marks(axes: Any, report: Findings, look: Style) -> None:
    for lane, model in enumerate(reversed(report.models)):
        axes.axhline(lane, color="#bbbbbb", linewidth=1.2, zorder=1)
        for survives, marker, colour in ((True, "o", GOOD), (False, "X", BAD)):
            points = [point.k for point in report.points if (not point.broken(model)) is survives]
            label = "" if lane else "survives" if survives else "breaks"
            axes.scatter(points, [lane] * len(points), s=look.mark, c=colour, marker=marker, label=label, zorder=2)


def _draw_frame(axes: Any, report: Findings, look: Style) -> None:
    count, lanes = len(report.effects), len(report.models)
    axes.set(xlim=(-0.6, max(count, 1) + 0.6), ylim=(-0.5, lanes - 0.5 + look.height))
    axes.set_yticks(range(lanes), reversed(report.models) if lanes > 1 else [""])
    axes.set_xticks(range(0, count + 1, 1 + count // 40))
    axes.tick_params(length=0, labelsize=9 if look is LEVEL else 7.5)
    axes.set_xlabel("crash point: before the effect to its right")
    axes.spines[:].set_visible(False)
    axes.set_title(report.verdict, loc="left", fontsize=11, color=BAD if report.broken or report.problem else GOOD)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize=9)
