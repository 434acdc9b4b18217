"""What a task promises: the arrows between its states, and that it is a value."""

from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from labkit.task import IllegalTransitionError, Task, TaskState, new_task_id

LEGAL = {
    ("pending", "running"),
    ("pending", "failed"),
    ("running", "running"),
    ("running", "pending"),
    ("running", "completed"),
    ("running", "failed"),
    ("failed", "pending"),
}
"""As in the design: written down a second time, so that a slip in the code is seen."""
MOVES = list(product(TaskState, TaskState))
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def task(state="pending", **fields):
    """A task in any state."""
    return Task(id="t", user_input="deploy the service", state=state, **fields)


@pytest.mark.parametrize(("old", "new"), [move for move in MOVES if move in LEGAL])
def test_every_legal_transition_is_made(old, new):
    """A task moves along every arrow, and takes its result or its error with it."""
    moved = task(old).to(new, result="r", error="e")
    assert (moved.state, moved.result, moved.error) == (new, "r", "e")


@pytest.mark.parametrize(("old", "new"), [move for move in MOVES if move not in LEGAL])
def test_every_other_transition_is_refused(old, new):
    """Where there is no arrow, the error names the task and both states."""
    with pytest.raises(IllegalTransitionError, match=rf"task t: {old} → {new}"):
        task(old).to(new)


def test_completed_is_final():
    """Nothing replaces a completed task, not even itself."""
    for state in TaskState:
        with pytest.raises(IllegalTransitionError):
            task(state).check_follows(task("completed"))


def test_a_state_that_does_not_exist_is_refused():
    """A misspelled state is an error where it is written, not a state nobody lists."""
    with pytest.raises(ValueError, match="runing"):
        task().to("runing")
    with pytest.raises(ValidationError):
        task("runing")


@pytest.mark.parametrize("state", TaskState)
def test_a_change_leaves_the_task_it_came_from_as_it_was(state):
    """Tasks are values: whoever holds one sees no change made elsewhere."""
    old = task("running", journal={"a": "1"})
    before = old.model_copy(deep=True)
    old.finished("b", "2")
    if ("running", state) in LEGAL:
        old.to(state, result="r")
    assert old == before


def test_a_field_cannot_be_assigned():
    """A state changes by `to` or not at all."""
    with pytest.raises(ValidationError, match="frozen"):
        task().state = TaskState.COMPLETED


@given(st.dictionaries(TEXT, TEXT))
def test_the_journal_keeps_every_step_in_the_order_they_finished(steps):
    """What is done, and in which order, is there to resume from."""
    done = task("running")
    for step, result in steps.items():
        done = done.finished(step, result)
    assert list(done.journal.items()) == list(steps.items())


@given(TEXT, TEXT, st.dictionaries(TEXT, TEXT))
def test_a_task_is_the_same_after_a_trip_through_json(user_input, result, journal):
    """Nothing of a task is lost on the way to a store and back."""
    sent = task("completed", result=result, journal=journal, deadline=datetime(2026, 1, 1, tzinfo=UTC))
    sent = sent.model_copy(update={"user_input": user_input})
    back = Task.model_validate_json(sent.model_dump_json())
    assert back == sent
    assert list(back.journal) == list(sent.journal)


@pytest.mark.parametrize(
    "wrong", [{"id": ""}, {"id": 5}, {"user_input": None}, {"journal": {"a": None}}, {"colour": "red"}]
)
def test_what_is_no_task_is_refused(wrong):
    """A wrong or unknown field is an error, never dropped in silence."""
    with pytest.raises(ValidationError):
        Task(**{"user_input": "x", **wrong})


def test_a_new_task_waits_and_was_never_stored():
    """A task begins pending, with nothing done, at version 0."""
    fresh = Task(user_input="x")
    assert (fresh.state, fresh.version, fresh.journal, fresh.result, fresh.error) == ("pending", 0, {}, None, None)
    assert fresh.created_at.tzinfo is fresh.updated_at.tzinfo is UTC


def test_an_id_is_64_bits_of_the_systems_own_chance(monkeypatch):
    """Ids come from `secrets`: two processes that share a seed, or a moment, still draw different ones."""
    draws = iter(["one", "two"])
    asked = []
    monkeypatch.setattr("labkit.task.secrets.token_hex", lambda count: asked.append(count) or next(draws))
    assert [new_task_id(), Task(user_input="x").id] == ["task-one", "task-two"]
    assert asked == [8, 8]
