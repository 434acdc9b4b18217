"""A saga's board: what is in the world when it dies at a crash point, and what after the restart."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from labkit.crash import sweep
from labkit.learner.pieces.play import Control, play
from labkit.learner.pieces.view import Bar, Lane, View
from labkit.world import standing

MEANING = (("good", "all is there"), ("bad", "a part is there"))


def saga_board(run: Callable[[], Any], setup: Callable[[], Any], names: Sequence[str], first: int = 0) -> None:
    """Show which effects of these tools are in the world: choose where `run` dies. It is run again after the crash."""
    died = sweep(run, _nothing, _fine, setup, name="died")
    back = sweep(run, run, _fine, setup, name="restarted")

    @cache
    def view(point: int) -> View:
        left, after = ([call.tool for call in standing(each.replay(point).ledger)] for each in (died, back))
        return board(f"Killed {died.moment(point)}", left, after, names)

    play(view, Control("crash point", range(len(died.points)), first))


def board(where: str, left: Sequence[str], after: Sequence[str], names: Sequence[str]) -> View:
    """One crash point: what is there at death on the left, after the restart on the right."""
    lanes = tuple(Lane(name, (*_there(name, 0, left, names), *_there(name, 1, after, names))) for name in names)
    return View(
        f"{where}: {_said(left, names)}; after the restart: {_said(after, names)}",
        lanes,
        AXIS,
        2,
        MEANING,
        numbered=False,
    )


AXIS = "left: when it died; right: after the restart"


def _there(name: str, at: int, left: Sequence[str], names: Sequence[str]) -> list[Bar]:
    words = ("there when it died", "there after the restart")[at]
    return [Bar(at + 0.05, at + 0.95, words, "good" if {*left} >= {*names} else "bad")] if name in left else []


def _said(left: Sequence[str], names: Sequence[str]) -> str:
    return f"{len({*left} & {*names})} of {len(names)} in the world"


def _nothing() -> None:
    """A restart that does nothing: the world stays as the crash left it."""


def _fine(_: object) -> None:
    """Nothing is asked of it: it is looked at."""
