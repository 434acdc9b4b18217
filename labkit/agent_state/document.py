"""AgentState: the contract of an agent run, as one document that people and programs can read.

Whatever a document holds comes out as it went in: keys that are not known here are kept, and none is added. The
record's own `id`, `state` and `version` stand beside them; `document` leaves those out that a store has made.
"""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, StrictInt, model_serializer

from labkit.clock import EPOCH
from labkit.task import LEGAL_TRANSITIONS, Moving, TaskState

Count = Annotated[StrictInt, Field(ge=0)]


class Part(BaseModel):
    """A part of the document. It is a value: every change makes a new one."""

    model_config = ConfigDict(frozen=True, extra="allow")
    always: ClassVar[frozenset[str]] = frozenset()
    """Fields that are dumped although nobody has set them."""

    @model_serializer(mode="wrap")
    def _as_given(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in whole(self).items() if key in self.model_fields_set | self.always}


class HumanInTheLoop(Part):
    """When a human must agree."""

    required_for_risk_levels: tuple[str, ...] = ()


class Constraints(Part):
    """What the agent must not do by itself."""

    human_in_the_loop: HumanInTheLoop = HumanInTheLoop()


class Limits(Part):
    """What the run may use; None: no limit."""

    max_steps: Count | None = None
    max_wall_time_ms: Count | None = None
    max_llm_tokens: Count | None = None
    max_artifact_bytes_in_context: Count | None = None
    """Bytes of all excerpts in one context slice."""


class Fact(Part):
    """Something that the run knows, and who said so."""

    key: str
    value: str
    source: str = ""


class Artifact(Part):
    """A large result, which is stored beside the state: see `keep_artifact`."""

    artifact_id: str
    type: str = ""
    summary: str = ""
    bytes: Count = 0
    step: str = ""
    """The step that has made it."""
    excerpt: str = ""
    """Its first lines."""


class AgentState(Part, Moving):
    """All that a run knows, wants and waits for. A record: its `state` moves as a task's does."""

    kind: ClassVar[str] = "agent_state"
    arrows: ClassVar = LEGAL_TRANSITIONS
    always = frozenset({"id", "state"})

    id: str = Field(default="run", min_length=1)
    state: TaskState = TaskState.PENDING
    goal: str
    constraints: Constraints = Constraints()
    budget: Limits = Limits()
    plan: tuple[str, ...] = ()
    known_facts: tuple[Fact, ...] = ()
    """From the oldest to the newest."""
    open_questions: tuple[str, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    risk_flags: tuple[str, ...] = ()
    updated_at: datetime = EPOCH
    version: int = 0

    def to(self, state: TaskState) -> Self:
        """This run in another task state; IllegalTransitionError if there is no arrow to it."""
        changed = self.model_copy(update={"state": TaskState(state)})
        changed.check_follows(self)
        return changed

    def needs_approval(self, risk: str) -> bool:
        """Whether a human must agree to an action of this risk level."""
        return risk in self.constraints.human_in_the_loop.required_for_risk_levels

    def document(self) -> dict[str, Any]:
        """The document as it was given, with what patches have changed: plain data, without the store's own marks."""
        given = self.model_dump(mode="json", exclude={"updated_at", "version"})
        return {key: value for key, value in given.items() if key in self.model_fields_set}
