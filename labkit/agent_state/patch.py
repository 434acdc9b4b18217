"""StatePatch: what changes between two steps, as a value of its own. Whoever makes it need not know the whole state."""

from collections.abc import Iterable
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from labkit.agent_state.document import AgentState, Artifact, Fact

T = TypeVar("T")


class StatePatch(BaseModel):
    """A change of an agent state. ValidationError for an operation that there is not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    add_facts: tuple[Fact, ...] = ()
    """A key has one value: a new one takes the old one's place, as the newest fact."""
    replace_plan: tuple[str, ...] | None = None
    """None: the plan stays."""
    close_questions: tuple[str, ...] = ()
    """Those that are not open are passed over."""
    add_questions: tuple[str, ...] = ()
    attach_artifacts: tuple[Artifact, ...] = ()
    """An id names one artifact, and the last one attached counts."""
    raise_flags: tuple[str, ...] = ()


def apply(state: AgentState, patch: StatePatch) -> AgentState:
    """The state with the patch in it. The old one is unchanged, and to apply a patch twice is to apply it once."""
    still_open = [question for question in state.open_questions if question not in patch.close_questions]
    changed = {
        "known_facts": _newest({fact.key: fact for fact in patch.add_facts}, state.known_facts, "key"),
        "plan": patch.replace_plan,
        "open_questions": _with(still_open, patch.add_questions),
        "artifacts": _newest({a.artifact_id: a for a in patch.attach_artifacts}, state.artifacts, "artifact_id"),
        "risk_flags": _with(state.risk_flags, patch.raise_flags),
    }
    update = {name: value for name, value in changed.items() if value not in (None, getattr(state, name))}
    return state.model_copy(update=update)


def _newest(added: dict[str, T], old: Iterable[T], name: str) -> tuple[T, ...]:
    return (*(each for each in old if getattr(each, name) not in added), *added.values())


def _with(old: Iterable[str], added: Iterable[str]) -> tuple[str, ...]:
    """What is there already is not added again."""
    old = tuple(old)
    return (*old, *(each for each in dict.fromkeys(added) if each not in old))
