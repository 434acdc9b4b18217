"""Large results: stored beside the state, which keeps an id, a summary, the size and the first lines.

The artifact is stored first and named in the state after. A crash in between leaves an artifact that no state names,
and the next process finds it under the same id; it never leaves an id in a state that names nothing.
"""

import hashlib
import json
from contextlib import suppress
from datetime import datetime
from typing import ClassVar, NoReturn, Self

from pydantic import BaseModel, ConfigDict

from labkit.agent_state.document import Artifact
from labkit.clock import EPOCH
from labkit.store import AlreadyExistsError, NotFoundError, StateStore
from labkit.task import IllegalTransitionError

LINES, CHARACTERS = 20, 2000
"""Of an excerpt."""


class ArtifactBody(BaseModel):
    """A large result, whole, as it is stored. It never changes: its id is made of its content."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str] = "artifact"

    id: str
    state: str = "stored"
    content: str
    updated_at: datetime = EPOCH
    version: int = 0

    may_follow: ClassVar[tuple[str, ...]] = ()

    def check_follows(self, stored: Self) -> NoReturn:
        """Raise IllegalTransitionError, always."""
        raise IllegalTransitionError(f"artifact {stored.id} is written once: store another")


def keep_artifact(
    store: StateStore, run_id: str, step: str, content: str, *, kind: str = "tool_result", summary: str = ""
) -> Artifact:
    """Store a large result, for good, and return what the state keeps of it.

    The same content of the same step has the same id, so a process that comes after a crash stores it no second time.
    """
    made = artifact_id(run_id, step, content, kind=kind)
    with suppress(AlreadyExistsError):
        store.insert(ArtifactBody(id=made, content=content))
    size = len(content.encode(errors="surrogatepass"))
    return Artifact(
        artifact_id=made, type=kind, summary=summary or step, bytes=size, step=step, excerpt=excerpt(content)
    )


def artifact_id(run_id: str, step: str, content: str, *, kind: str) -> str:
    """The id under which `keep_artifact` stores this: it names the run, so no other run can have made it."""
    digest = hashlib.sha256(json.dumps([run_id, step, content]).encode()).hexdigest()[:16]
    return f"{kind.rpartition('.')[2]}_{digest}"


def load_artifact(store: StateStore, artifact: Artifact) -> str:
    """The whole content. NotFoundError if the store does not have it."""
    body = store.get(ArtifactBody, artifact.artifact_id)
    if body is None:
        raise NotFoundError(f"there is no artifact {artifact.artifact_id}")
    return body.content


def excerpt(content: str) -> str:
    """The first lines: at most 20, and 2,000 characters."""
    return "\n".join(content[:CHARACTERS].split("\n")[:LINES])
