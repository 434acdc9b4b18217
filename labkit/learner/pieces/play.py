"""The controls of a piece: radio buttons, by mouse and by keyboard. Each view is there, and CSS shows the one chosen.

So it needs no script, and goes on when the kernel is gone. Where nobody looks on, there is the first view alone.
"""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, NamedTuple

from IPython.display import display

from labkit.crash.report import page
from labkit.learner import state
from labkit.learner.pieces.view import TEMPLATES, View


class Control(NamedTuple):
    """What can be chosen."""

    label: str
    options: Sequence[Any]
    first: Any


class Board:
    """All views of a piece, by what is chosen."""

    def __init__(self, view: Callable[..., View], *controls: Control) -> None:
        self.controls = controls
        choices = product(*(enumerate(each.options) for each in controls))
        self.views = {tuple(at for at, _ in choice): view(*(option for _, option in choice)) for choice in choices}
        self.first = tuple([*each.options].index(each.first) for each in controls)

    def __str__(self) -> str:
        return str(self.views[self.first])

    __repr__ = __str__

    def html(self) -> str:
        """The page."""
        return page.environment(TEMPLATES).get_template("play.html").render(board=self).strip()

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = self.views[self.first]._repr_mimebundle_()
        return {**data, "text/html": self.html()}, metadata


def play(view: Callable[..., View], *controls: Control) -> None:
    """Show the view of what is chosen. Where nobody looks on, that of the first choices."""
    display(Board(view, *controls) if state.is_watched() else view(*(each.first for each in controls)))
