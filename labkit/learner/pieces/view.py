"""What a piece shows: lanes over one axis. A page that needs no script, a picture, and the same in words."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.crash.report import page
from labkit.crash.report.picture import BAD, GOOD, INK, WIDTH

TEMPLATES = Path(__file__).parent / "templates"
PLAIN = "#5b7fb4"
COLOURS = {"good": GOOD, "bad": BAD, "plain": PLAIN}
HATCHES = {"good": "", "bad": "xx", "plain": ".."}
"""What colours tell, they tell as well."""


@dataclass(frozen=True)
class Bar:
    """A stretch of a lane."""

    start: float
    end: float
    words: str
    kind: str = "plain"
    """good, bad or plain."""
    height: float = 1.0
    """Of the lane: 0 to 1."""


@dataclass(frozen=True)
class Lane:
    """A row of the view."""

    name: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class View:
    """Lanes, and one sentence that says what comes of it."""

    title: str
    lanes: tuple[Lane, ...]
    axis: str
    """What the axis is."""
    ends: float
    meaning: tuple[tuple[str, str], ...]
    """What the kinds of bars mean that can occur."""
    numbered: bool = True
    """Whether the axis has numbers that say something."""
    told: int = 12
    """So many bars of a lane are told in words; more would be read by nobody."""

    def words(self, lane: Lane) -> str:
        """A lane in words."""
        places = [f"{_number(bar.start)}–{_number(bar.end)} " * self.numbered for bar in lane.bars]
        shown = [f"{place}{bar.words}" for place, bar in zip(places, lane.bars[: self.told], strict=False)]
        more = len(lane.bars) - len(shown)
        return "; ".join([*shown, *[f"and {more} more"] * bool(more)]) or "nothing"

    def __str__(self) -> str:
        width = max(len(lane.name) for lane in self.lanes)
        rows = [f"  {lane.name:{width}}  {self.words(lane)}" for lane in self.lanes]
        return "\n".join([self.title, *rows, f"  ({self.axis})"])

    __repr__ = __str__

    def html(self) -> str:
        """The view as a page."""
        return page.environment(TEMPLATES).get_template("alone.html").render(view=self).strip()

    def png(self) -> bytes:
        """The view as a picture."""
        from matplotlib.figure import Figure  # noqa: PLC0415 - a second to import

        figure = Figure(figsize=(WIDTH, 1.1 + 0.5 * len(self.lanes)), dpi=100, layout="constrained")
        axes = figure.subplots()
        for row, lane in enumerate(self.lanes):
            for bar in lane.bars:
                axes.bar(
                    bar.start, 0.8 * bar.height, bar.end - bar.start, row + 0.4 - 0.8 * bar.height, align="edge",
                    color=COLOURS[bar.kind], hatch=HATCHES[bar.kind], edgecolor="white", linewidth=0,
                )  # fmt: skip
        axes.set(xlim=(0, self.ends), ylim=(len(self.lanes) - 0.5, -0.5), xlabel=self.axis)
        if not self.numbered:
            axes.set_xticks([])
        axes.set_yticks(range(len(self.lanes)), [lane.name for lane in self.lanes])
        axes.spines[["top", "right", "left"]].set_visible(False)
        for kind, meaning in self.meaning:
            axes.bar(-1, 0, color=COLOURS[kind], hatch=HATCHES[kind], edgecolor="white", label=meaning)
        figure.legend(loc="outside upper right", ncols=len(self.meaning), frameon=False, fontsize=9)
        axes.set_title(self.title, loc="left", fontsize=10, color=INK, wrap=True)
        image = io.BytesIO()
        figure.savefig(image, format="png", metadata={"Software": None})
        return image.getvalue()

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        data = {"text/html": self.html(), "image/png": self.png(), "text/plain": str(self)}
        return data, {"image/png": {"alt": self.title}}


def _number(value: float) -> str:
    return f"{value:g}"
