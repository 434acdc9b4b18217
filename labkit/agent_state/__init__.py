"""An agent's state as a document that patches change; the run that it belongs to is in `labkit.agent.run`.

document.py     AgentState: goal, plan, facts, questions and artifacts
patch.py        StatePatch: what changes between two steps
artifacts.py    large results, stored beside the state
"""

from labkit.agent.run import AgentRun, Amount, Budget, BudgetExceededError, tool_steps
from labkit.agent_state.artifacts import ArtifactBody, excerpt, keep_artifact, load_artifact
from labkit.agent_state.document import (
    AgentState,
    Artifact,
    Constraints,
    Fact,
    HumanInTheLoop,
    Limits,
    Part,
)
from labkit.agent_state.patch import StatePatch, apply

__all__ = [
    "AgentRun",
    "AgentState",
    "Amount",
    "Artifact",
    "ArtifactBody",
    "Budget",
    "BudgetExceededError",
    "Constraints",
    "Fact",
    "HumanInTheLoop",
    "Limits",
    "Part",
    "StatePatch",
    "apply",
    "excerpt",
    "keep_artifact",
    "load_artifact",
    "tool_steps",
]
