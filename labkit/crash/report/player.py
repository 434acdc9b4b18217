"""A slider over the crash points of a sweep: what a crash there leaves, and what the restart makes of it."""

from collections.abc import Callable
from functools import cache

import ipywidgets
from IPython.display import display

from labkit.crash.report.findings import Findings
from labkit.crash.report.replay import Replay


def player(report: Findings, replay: Callable[[int, str], Replay]) -> ipywidgets.Widget:
    """The widget. Each point is run again, for real, when it is first looked at."""
    if not report.points:
        raise ValueError(f"there is nothing to play: {report.problem}")
    first = report.broken[0].k if report.broken else 0
    point = ipywidgets.IntSlider(first, 0, len(report.points) - 1, description="crash point", continuous_update=False)
    model = ipywidgets.ToggleButtons(options=report.models)
    view = ipywidgets.Output()
    cached = cache(replay)

    def show(_: object = None) -> None:
        view.clear_output(wait=True)
        with view:
            try:
                display(cached(point.value, model.value))
            except ValueError:
                print(f"At crash point {point.value} everything is durable: a {model.value} loses nothing.")

    for control in (point, model):
        control.observe(show, "value")
    show()
    return ipywidgets.VBox([ipywidgets.HBox([point, *([model] if len(report.models) > 1 else [])]), view])


def play(report: Findings, replay: Callable[[int, str], Replay]) -> None:
    """Show the player below the cell."""
    display(player(report, replay))
