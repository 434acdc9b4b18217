"""The meter of a model's window: what `select_context` fills it with, token by token."""

from collections.abc import Mapping
from dataclasses import replace

from labkit.agent_state import AgentState
from labkit.context import ContextTooSmall, count_tokens, select_context
from labkit.learner.pieces.play import Control, play
from labkit.learner.pieces.view import Bar, Lane, View

SIZES = (100, 250, 500, 800, 2000)
MEANING = (("good", "shown to the model"), ("bad", "does not fit"), ("plain", "free"))


def window_meter(states: Mapping[str, AgentState], step: str) -> None:
    """Show what is in the window at this step of one of the states: choose the state, and the room there is."""
    play(
        lambda name, room: view(states[name], step, room),
        Control("scene", tuple(states), next(iter(states))),
        Control("room in tokens", SIZES, 800),
    )


def view(state: AgentState, step: str, room: int) -> View:
    """The window, and what is left out of it."""
    try:
        chosen = select_context(state, step, room, count_tokens)
    except ContextTooSmall as error:
        need = Lane("goal, step, questions", (Bar(0, room, f"{error}", "bad"),))
        return View(f"Nothing can be shown: {error}", (need,), "tokens", room, MEANING)
    bare = replace(chosen, facts=(), artifacts=())
    used = [count_tokens(each.render()) for each in (bare, replace(bare, facts=chosen.facts), chosen)]
    parts = {"goal, step, questions": (0, used[0]), "facts": (used[0], used[1]), "artifacts": (used[1], used[2])}
    lanes = [
        Lane(name, (Bar(start, end, f"{end - start} tokens", "good"),) if end > start else ())
        for name, (start, end) in parts.items()
    ]
    free = Lane("free", (Bar(used[2], room, f"{room - used[2]} tokens"),) if room > used[2] else ())
    shown = f"{len(chosen.facts)} of {len(state.known_facts)} facts, {len(chosen.artifacts)} of {len(state.artifacts)}"
    return View(f"{used[2]} of {room} tokens: {shown} artifacts", (*lanes, free), "tokens", room, MEANING)
