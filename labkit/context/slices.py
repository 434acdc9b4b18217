"""ContextSlice: what the model is shown of a state, and how it is written.

What seldom changes stands above what changes often, and everything keeps the order of the state: a provider's prompt
cache is of use as far as two requests begin with the same bytes. Every item is whole lines, so that its tokens can be
counted by themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from labkit.agent_state import Artifact, Fact


@dataclass(frozen=True)
class ContextSlice:
    """The part of a state that the model sees at one step."""

    goal: str
    current_step: str
    open_questions: Sequence[str] = ()
    facts: Sequence[Fact] = ()
    artifacts: Sequence[Artifact] = ()
    """Each with as much of its excerpt as is shown."""
    left_out: str = ""
    """What is not shown, in words."""

    def render(self) -> str:
        """The text that the model reads. Its tokens are what counts against the budget."""
        shown = ["Facts:\n", *map(lines, self.facts), "Artifacts:\n", *map(lines, self.artifacts)]
        asked = ["Open questions:\n", *map(_item, self.open_questions)]
        left_out = [f"Left out: {self.left_out}\n"] if self.left_out else []
        return "".join([f"Goal: {self.goal}\n", *shown, *asked, *left_out, f"Current step: {self.current_step}\n"])


def lines(item: Fact | Artifact) -> str:
    """A fact or an artifact as the model reads it.

    A tool call and its result are one item, so neither is shown without the other.
    """
    if isinstance(item, Fact):
        return _item(f"{item.key}: {item.value}" + (f" ({item.source})" if item.source else ""))
    head = f"{item.summary} ({item.bytes} bytes, {item.artifact_id})"
    return _item(f"{head}, from its beginning:\n{item.excerpt}" if item.excerpt else head)


def _item(text: str) -> str:
    """What follows the first line is indented, so that it cannot pass for a line of ours."""
    return "- " + text.replace("\n", "\n  ") + "\n"
