"""An agent run: the task it is, the budget it may spend, and the question it waits with.

The whole conversation is in the step journal, so a new process can go on from it:

    reply 1            what the model said, with its tool calls
    1.0 create_dns     what the first of these tools returned
    approval 1.0 …     what a human said about it, where one had to be asked
"""

import json
from collections.abc import Iterator
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from labkit.task import Task


class BudgetExceededError(Exception):
    """There is not enough left for what comes next. It has not been begun."""


class Amount(BaseModel):
    """How much of everything."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = 0
    """Model calls."""
    tokens: int = 0
    artifact_bytes: int = 0
    """Bytes of tool results."""

    def __add__(self, other: Self) -> Self:
        return type(self)(**{name: getattr(self, name) + getattr(other, name) for name in type(self).model_fields})


class Budget(BaseModel):
    """What a run may spend. It is reserved before it is spent, and settled after."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: Amount = Amount(steps=20, tokens=100_000, artifact_bytes=1_000_000)
    max_seconds: float = 600.0
    """Wall time for the whole run, waits and restarts included: its deadline is made of it."""
    spent: Amount = Amount()
    reserved: Amount = Amount()

    def reserve(self, **amount: int) -> Self:
        """Set this much aside. BudgetExceededError if it is not there.

        What was reserved and never settled counts as spent: a process may have died after it had used it.
        """
        spent, reserved = self.spent + self.reserved, Amount(**amount)
        for name, needed in (spent + reserved).model_dump().items():
            most = getattr(self.limit, name)
            if needed > most:
                raise BudgetExceededError(f"the next step may need {needed} {name} in all; the budget is {most}")
        return self.model_copy(update={"spent": spent, "reserved": reserved})

    def settle(self, **amount: int) -> Self:
        """Count what was used in the place of what was reserved for it."""
        return self.model_copy(update={"spent": self.spent + Amount(**amount), "reserved": Amount()})


class AgentRun(Task):
    """The task of an agent that decides its steps as it goes."""

    kind: ClassVar[str] = "agent_run"

    budget: Budget = Budget()
    question: str | None = None
    """What a human must answer before the run goes on."""

    @property
    def steps(self) -> int:
        """How many model calls and tool calls have ended."""
        return sum(not step.startswith("approval ") for step in self.journal)

    def replies(self) -> list[dict[str, Any]]:
        """What the model has said so far, turn by turn."""
        return [json.loads(text) for step, text in self.journal.items() if step.startswith("reply ")]

    def calls(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The tool calls of the last reply that are not journalled yet, each with the name of its step."""
        replies = self.replies()
        for step, call in tool_steps(len(replies), replies[-1]) if replies else ():
            if step not in self.journal:
                yield step, call

    def messages(self) -> list[dict[str, Any]]:
        """The conversation, as the next model call needs it."""
        said = [{"role": "user", "content": self.user_input}]
        for turn, reply in enumerate(self.replies(), 1):
            said.append(reply)
            for step, call in tool_steps(turn, reply):
                if step in self.journal:
                    said.append({"role": "tool", "tool_call_id": call["id"], "content": self.journal[step]})
        return said


def tool_steps(turn: int, reply: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The tool calls of a reply with the names of their steps. The model's own ids are not used: some models repeat."""
    calls = reply.get("tool_calls") or []
    return [(f"{turn}.{index} {call['function']['name']}", call) for index, call in enumerate(calls)]
