"""An agent's state as a document that patches change.

document.py     AgentState: goal, plan, facts, questions and artifacts
patch.py        StatePatch: what changes between two steps
artifacts.py    large results, stored beside the state

AgentRun and Budget belong to `labkit.agent`; they can be imported from here, too, because chapters do it.
"""

from labkit.agent.run import AgentRun, Budget
from labkit.agent_state.artifacts import ArtifactBody, artifact_id, excerpt, keep_artifact, load_artifact
from labkit.agent_state.document import AgentState, Artifact, Constraints, Fact, HumanInTheLoop, Limits, Part
from labkit.agent_state.patch import StatePatch, apply

__all__ = [
    "AgentRun", "AgentState", "Artifact", "ArtifactBody", "Budget", "Constraints", "Fact", "HumanInTheLoop",
    "Limits", "Part", "StatePatch", "apply", "artifact_id", "excerpt", "keep_artifact", "load_artifact",
]  # fmt: skip
