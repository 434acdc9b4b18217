"""States that several agents share: who may read them, and who was first when two of them save.

A record's id is owner/agent/task, and the owner comes from who asks. So nobody can name what is somebody else's.
"""

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice, takewhile
from typing import Any, ClassVar

from pydantic import ValidationError

from labkit.agent_state import AgentState, Artifact, artifact_id, keep_artifact, load_artifact
from labkit.store import AlreadyExistsError, NotFoundError, StateStore, VersionConflictError, paged
from labkit.task import LEGAL_TRANSITIONS

NAME = re.compile(r"[a-z0-9_-]{1,64}")
ID = re.compile(rf"{NAME.pattern}/({NAME.pattern})/({NAME.pattern})")
URI = re.compile(rf"state://agents/({NAME.pattern})/tasks/({NAME.pattern})")
FORM = "state://agents/{agent_id}/tasks/{task_id}"
ARTIFACT_FORM = f"{FORM}/artifacts/{{artifact_id}}"
LARGEST, LARGEST_ARTIFACT, LONGEST_STEP = 100_000, 1_000_000, 1_000
"""Characters of a state, as JSON, of an artifact's content, and of the step that it is kept for."""
OURS = {"id", "version", "updated_at", "key"}
"""What a state that was read has beside its document, and no client can set. A version is saved over, never written."""


class SharedState(AgentState):
    """An agent state that belongs to an owner, whose agents take turns with it: also while it waits, or has failed."""

    kind: ClassVar[str] = "shared_state"
    arrows: ClassVar = {
        state: next_ones | {state} if next_ones else next_ones for state, next_ones in LEGAL_TRANSITIONS.items()
    }

    key: str = ""
    """What its steps' keys are made of: shown to whoever reads it, stored nowhere."""


def read_state(store: StateStore, who: str, uri: str) -> SharedState:
    """The state. NotFoundError if `who` has none of this URI: whether somebody else has one cannot be told."""
    state = store.get(SharedState, _id(who, uri))
    if state is None:
        raise NotFoundError(f"there is no {uri} among what is yours: list what there is, or save it as version 0")
    return state


def save_state(store: StateStore, who: str, uri: str, version: int, document: Mapping[str, Any]) -> int:
    """Save over the version that was read, 0 if there was none; returns the new version.

    VersionConflictError if another agent has saved since; NotFoundError for a version of what is not there; ValueError
    if `document` is no agent state, is too large, or may not follow the one that is stored.
    """
    state = _parsed(_id(who, uri), version, document)
    try:
        return (store.save(state) if version else store.insert(state)).version
    except (VersionConflictError, AlreadyExistsError):
        raise VersionConflictError(
            f"stale: version {version} of {uri} is not the newest. Nothing was saved. Read it again, "
            "make your change in what you then read, and save over that version"
        ) from None
    except NotFoundError:
        raise NotFoundError(f"there is no {uri} among what is yours: save it as version 0 first") from None


def list_states(store: StateStore, who: str, *, after: str = "", limit: int = 100) -> list[str]:
    """Up to `limit` URIs of what is theirs, in order; those that follow the URI `after`.

    A record whose id no URI can name was saved by another way, and is passed over.
    """
    named = URI.fullmatch(after)
    begin = f"{_owner(who)}/" + "/".join(named.groups() if named else ())
    theirs = takewhile(lambda each: each.startswith(f"{who}/"), paged(store.list_ids, SharedState, after=begin))
    ids = islice(filter(None, map(ID.fullmatch, theirs)), limit)
    return [FORM.format(agent_id=agent, task_id=task) for agent, task in map(re.Match.groups, ids)]


def keep(store: StateStore, who: str, uri: str, step: str, content: str) -> Artifact:
    """Store a large result of a step for good; returns what the state keeps of it. It can be read once it does."""
    if len(content) > LARGEST_ARTIFACT:
        raise ValueError(f"the content has {len(content)} characters, and {LARGEST_ARTIFACT} is the most: keep parts")
    if len(step) > LONGEST_STEP:
        raise ValueError(f"the step has {len(step)} characters, and {LONGEST_STEP} is the most: it is a name")
    return keep_artifact(store, read_state(store, who, uri).id, step, content)


def read_artifact(store: StateStore, who: str, uri: str, name: str) -> str:
    """The whole content of an artifact that the state names. NotFoundError if it names none, or another task's."""
    state = read_state(store, who, uri)
    for artifact in state.artifacts:
        if artifact.artifact_id == name:
            with suppress(NotFoundError):
                content = load_artifact(store, artifact)
                if name == artifact_id(state.id, artifact.step, content, kind=artifact.type):
                    return content
    raise NotFoundError(f"{uri} has no artifact {name}: see what it names under `artifacts`")


def shown(uri: str, state: SharedState) -> dict[str, Any]:
    """The state as whoever reads it sees it: plain data, with its version and its key.

    Two owners can have one URI each, but no two states have one key: it is a digest of the whole record's id.
    """
    key = hashlib.sha256(state.id.encode()).hexdigest()[:16]
    return {**state.document(), "id": uri, "version": state.version, "key": key}


def _id(who: str, uri: str) -> str:
    named = URI.fullmatch(uri)
    if not named:
        raise ValueError(f"not the URI of a state: {FORM}, each name 1 to 64 of a-z, 0-9, - and _")
    return "/".join([_owner(who), *named.groups()])


def _owner(who: str) -> str:
    if not NAME.fullmatch(who):
        raise ValueError(f"{who!r} cannot own a state: an owner's name is 1 to 64 of a-z, 0-9, - and _")
    return who


def _parsed(record_id: str, version: int, document: Mapping[str, Any]) -> SharedState:
    if not isinstance(document, Mapping):
        raise ValueError("not an agent state: it is an object of JSON, with a goal")  # noqa: TRY004 - as all refusals
    if not 0 <= version < 2**53:
        raise ValueError(f"{version} is no version: it is what was read, or 0 for what is new")
    given = {key: value for key, value in document.items() if key not in OURS}
    try:
        state = SharedState.model_validate({**given, "id": record_id, "version": version})
        size = len(state.model_dump_json())
    except (ValidationError, TypeError, ValueError) as error:
        raise ValueError(f"not an agent state: {first(error)}") from None
    if size > LARGEST:
        raise ValueError(f"the state has {size} characters, and {LARGEST} is the most: keep large results as artifacts")
    return state


def first(error: Exception) -> str:
    """What is wrong first, and how much more is."""
    if not isinstance(error, ValidationError):
        return str(error)
    first, *more = error.errors()
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}" + (f", and {len(more)} more" if more else "")
