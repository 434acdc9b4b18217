"""The agent state as a document, the patches that change it, and the artifacts beside it."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from labkit import FileStateStore, NotFoundError
from labkit.agent_state import AgentState, Artifact, Fact, StatePatch, apply, excerpt, keep_artifact, load_artifact
from labkit.agent_state.artifacts import CHARACTERS, LINES, ArtifactBody
from labkit.task import IllegalTransitionError, TaskState

DOCUMENT = {
    "goal": "Move the shop to the new cluster",
    "constraints": {"human_in_the_loop": {"required_for_risk_levels": ["write_local", "external_action"]}},
    "budget": {
        "max_steps": 12,
        "max_wall_time_ms": 600000,
        "max_llm_tokens": 90000,
        "max_artifact_bytes_in_context": 4000,
    },
    "plan": ["look around", "move", "look again"],
    "known_facts": [{"key": "service", "value": "shop", "source": "user"}],
    "open_questions": ["In which namespace?"],
    "artifacts": [{"artifact_id": "log_7", "type": "tool_result.logs", "summary": "the old log", "bytes": 51200}],
    "risk_flags": ["budget_pressure"],
}
"""Every key and every type of the form."""
PLAIN = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=5)
TEXT = st.text(max_size=8)
FACTS = st.builds(Fact, key=st.sampled_from("abc"), value=TEXT)
ARTIFACTS = st.builds(Artifact, artifact_id=st.sampled_from("xyz"), summary=TEXT)
STATES = st.builds(
    AgentState,
    goal=TEXT,
    plan=st.tuples(TEXT),
    known_facts=st.lists(FACTS, max_size=4).map(tuple),
    open_questions=st.lists(TEXT, max_size=4).map(tuple),
    artifacts=st.lists(ARTIFACTS, max_size=4).map(tuple),
)
PATCHES = st.builds(
    StatePatch,
    add_facts=st.lists(FACTS, max_size=3).map(tuple),
    replace_plan=st.none() | st.tuples(TEXT),
    close_questions=st.lists(TEXT, max_size=3).map(tuple),
    add_questions=st.lists(TEXT, max_size=3).map(tuple),
    attach_artifacts=st.lists(ARTIFACTS, max_size=3).map(tuple),
    raise_flags=st.lists(TEXT, max_size=3).map(tuple),
)


def state(**changes):
    """The document's state, with changes."""
    return AgentState.model_validate({**DOCUMENT, **changes})


@pytest.mark.parametrize("missing", [*list(DOCUMENT)[1:], "nothing"])
def test_a_document_comes_out_as_it_went_in(missing):
    """Every key and type of the form, in its order; a key that was not given is not invented."""
    given_ = {key: value for key, value in DOCUMENT.items() if key != missing}
    out = AgentState.model_validate(given_).document()
    assert out == given_
    assert [*out] == [*given_]


@given(unknown=st.dictionaries(TEXT.map("x-{}".format), PLAIN, max_size=3), where=st.sampled_from([*DOCUMENT]))
def test_unknown_keys_are_kept_wherever_they_stand(unknown, where):
    """What a newer program has written survives an older one."""
    document = copy.deepcopy(DOCUMENT)
    part = document[where]
    inner = part if isinstance(part, dict) else part[0] if isinstance(part[0], dict) else document
    inner.update(unknown)
    assert AgentState.model_validate(document).document() == document


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"goal": None}, "goal"),
        ({"plan": "look around"}, "plan"),
        ({"known_facts": [{"key": "service"}]}, "known_facts.0.value"),
        ({"known_facts": [{"key": "replicas", "value": 3}]}, "known_facts.0.value"),
        ({"artifacts": [{"artifact_id": "a", "bytes": -1}]}, "artifacts.0.bytes"),
        ({"artifacts": [{"artifact_id": "a", "bytes": "12"}]}, "artifacts.0.bytes"),
        ({"budget": {"max_steps": 1.0}}, "budget.max_steps"),
        ({"constraints": {"human_in_the_loop": []}}, "constraints.human_in_the_loop"),
    ],
)
def test_what_does_not_fit_is_refused_and_not_changed(changes, where):
    """A number is not made of a text, nor a text of a number: the document would come out another."""
    with pytest.raises(ValidationError) as refused:
        state(**changes)
    assert where in [".".join(map(str, error["loc"])) for error in refused.value.errors()]


def test_the_constraints_say_when_a_human_must_agree():
    """By risk level; without constraints, never."""
    assert [state().needs_approval(risk) for risk in ("read", "write_local", "external_action")] == [False, True, True]
    assert not AgentState(goal="look").needs_approval("external_action")


def test_it_moves_as_a_task_does():
    """Pending, running, pending again while it waits, completed for good."""
    done = state().to(TaskState.RUNNING).to(TaskState.PENDING).to(TaskState.RUNNING).to(TaskState.COMPLETED)
    with pytest.raises(IllegalTransitionError):
        done.to(TaskState.RUNNING)


def test_a_stored_state_is_the_same_document(tmp_path):
    """With the id and the task state under which it is stored; the store's own marks are not part of it."""
    store = FileStateStore(tmp_path)
    stored = store.save(store.insert(state(own={"deep": [1]})).to(TaskState.RUNNING))
    again = store.get(AgentState, "run")
    assert again == stored
    assert again.document() == {**DOCUMENT, "own": {"deep": [1]}, "id": "run", "state": "running"}


# Patches


def test_each_operation_does_what_it_says():
    """Facts, plan, questions, artifacts and flags; what the patch does not name stays."""
    log = Artifact(artifact_id="log_8", bytes=3)
    patch = StatePatch(
        add_facts=(Fact(key="namespace", value="blue", source="human"),),
        replace_plan=("move to blue",),
        close_questions=("In which namespace?",),
        add_questions=("At what time?",),
        attach_artifacts=(log,),
        raise_flags=("late",),
    )
    after = apply(state(), patch)
    assert [fact.key for fact in after.known_facts] == ["service", "namespace"]
    assert (after.plan, after.open_questions) == (("move to blue",), ("At what time?",))
    assert [artifact.artifact_id for artifact in after.artifacts] == ["log_7", "log_8"]
    assert after.risk_flags == ("budget_pressure", "late")
    assert apply(state(), StatePatch()) == state()
    assert apply(state(), StatePatch(replace_plan=())).plan == ()


def test_a_key_has_one_value_and_the_newest_counts():
    """A new value takes the old one's place, as the newest fact; of two in one patch, the last counts."""
    facts = [Fact(key=key, value="old") for key in "ab"]
    patch = StatePatch(add_facts=(Fact(key="a", value="new"), Fact(key="a", value="newer")))
    after = apply(AgentState(goal="", known_facts=facts), patch)
    assert [(fact.key, fact.value) for fact in after.known_facts] == [("b", "old"), ("a", "newer")]


@given(STATES, PATCHES)
def test_a_patch_changes_nothing_that_was(before, patch):
    """The old state is what it was, in every part."""
    copied = before.model_dump_json()
    apply(before, patch)
    assert before.model_dump_json() == copied


@given(STATES, PATCHES)
def test_to_apply_a_patch_twice_is_to_apply_it_once(before, patch):
    """So whoever does not know whether it was saved may apply it again."""
    once = apply(before, patch)
    assert apply(once, patch) == once


@given(STATES, PATCHES)
def test_nothing_is_lost_but_what_the_patch_takes(before, patch):
    """Every old fact, question and artifact is there, or the patch has replaced or closed it; duplicates as well."""
    after = apply(before, patch)
    new = {fact.key for fact in patch.add_facts}
    assert [f for f in before.known_facts if f.key not in new] == [f for f in after.known_facts if f.key not in new]
    still = [question for question in before.open_questions if question not in patch.close_questions]
    assert [*after.open_questions[: len(still)]] == still
    assert {artifact.artifact_id for artifact in before.artifacts} <= {a.artifact_id for a in after.artifacts}


def test_an_operation_that_there_is_not_is_refused():
    """A misspelt one would be lost without a word."""
    with pytest.raises(ValidationError, match="add_fact"):
        StatePatch(add_fact=[{"key": "a", "value": "b"}])


def test_unknown_keys_survive_a_patch():
    """In the state, and in what the patch brings."""
    patch = StatePatch.model_validate({"add_facts": [{"key": "a", "value": "b", "sure": 0.5}]})
    after = apply(state(own=[1]), patch).document()
    assert (after["own"], after["known_facts"][-1]["sure"]) == ([1], 0.5)


# Artifacts


def test_a_large_result_is_stored_whole_and_the_state_keeps_little(tmp_path):
    """Id, summary, size and the first lines."""
    store, content = FileStateStore(tmp_path), "\n".join(f"строка {n}" for n in range(1000))
    kept = keep_artifact(store, "run-1", "look", content, kind="tool_result.logs", summary="the log")
    assert (kept.type, kept.summary, kept.step) == ("tool_result.logs", "the log", "look")
    assert kept.bytes == len(content.encode())
    assert kept.excerpt == content[: len(kept.excerpt)]
    assert kept.excerpt.count("\n") == LINES - 1
    assert load_artifact(store, kept) == content


def test_the_same_result_of_the_same_step_is_stored_once(tmp_path):
    """So a process that comes after a crash finds what is there; another step or run has an id of its own."""
    store = FileStateStore(tmp_path)
    ids = [keep_artifact(store, *where, "x").artifact_id for where in [("r", "a"), ("r", "a"), ("r", "b"), ("q", "a")]]
    assert ids[0] == ids[1]
    assert sorted(set(ids)) == store.list_ids(ArtifactBody)
    assert len(set(ids)) == 3


def test_what_is_gone_is_said_to_be_gone(tmp_path):
    """An id that names nothing is an error, never an empty text."""
    with pytest.raises(NotFoundError, match="there is no artifact log_9"):
        load_artifact(FileStateStore(tmp_path), Artifact(artifact_id="log_9"))


@given(st.text())
def test_an_excerpt_is_short_and_from_the_beginning(content):
    """Whatever the content."""
    short = excerpt(content * 100)
    assert (content * 100).startswith(short)
    assert len(short) <= CHARACTERS
    assert short.count("\n") < LINES
