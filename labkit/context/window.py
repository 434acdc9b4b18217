"""The context of an agent run: its conversation as an agent state, and the slice of it that fits the model's window."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labkit.agent.run import AgentRun, tool_steps
from labkit.agent_state import AgentState, Artifact, Fact, excerpt
from labkit.context.selection import select_context
from labkit.context.slices import ContextSlice
from labkit.context.tokens import count_tokens

LARGE = 500
"""Bytes above which a result is an artifact."""
WRAPPING = 16
"""Tokens that a provider adds around a single message."""


@dataclass(frozen=True)
class Window:
    """What an agent's model is told, in place of the whole conversation: `Agent(…, context=Window(…))`."""

    tokens: int
    """All that fits into the model's window."""
    answer: int
    """The share of it that is reserved for the answer: the agent's `reply_tokens`."""
    tools: int = 0
    """The share that the descriptions of the tools take."""
    count: Callable[[str], int] = count_tokens
    select: Callable[..., ContextSlice] = select_context

    def __call__(self, run: AgentRun) -> list[dict[str, Any]]:
        """One message with the slice for the next turn. ContextTooSmall if there is no room for the least of it."""
        state = state_of(run)
        budget = self.tokens - self.answer - self.tools - WRAPPING
        return [{"role": "user", "content": self.select(state, state.plan[-1], budget, self.count).render()}]


def state_of(run: AgentRun) -> AgentState:
    """An agent run as an agent state: each call and its result are one fact, or one artifact if the result is large.

    The plan is the turns so far, and the one to come. An artifact belongs to the turn that is the first to read it; the
    whole result stays in the run's journal.
    """
    items = [
        _item(f"turn {turn + 1}", step, call["function"], run.journal[step])
        for turn, reply in enumerate(run.replies(), 1)
        for step, call in tool_steps(turn, reply)
        if step in run.journal
    ]
    return AgentState(
        id=run.id,
        state=run.state,
        goal=run.user_input,
        plan=tuple(f"turn {turn}" for turn in range(1, len(run.replies()) + 2)),
        known_facts=tuple(item for item in items if isinstance(item, Fact)),
        open_questions=(run.question,) if run.question else (),
        artifacts=tuple(item for item in items if isinstance(item, Artifact)),
    )


def _item(turn: str, step: str, function: dict[str, str], result: str) -> Fact | Artifact:
    call = f"{function['name']}({function['arguments']})"
    size = len(result.encode())
    if size <= LARGE:
        return Fact(key=call, value=result, source="tool")
    return Artifact(artifact_id=step, type="tool_result", summary=call, bytes=size, step=turn, excerpt=excerpt(result))
