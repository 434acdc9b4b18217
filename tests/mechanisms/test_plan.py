"""What the agent promises: it goes on where it stopped, whatever killed it, and repeats at most the step in flight."""

import pytest

from labkit.crash import DidNotSurviveError, sweep
from labkit.files import FileStateStore
from labkit.plan import resume, resume_all
from labkit.store import NotFoundError, VersionConflictError
from labkit.task import Task, TaskState
from labkit.world import ack, tool

PLAN = ["create_dns", "issue_certificate", "deploy_container"]


@pytest.fixture
def store(tmp_path):
    """A store in an empty folder."""
    return FileStateStore(tmp_path)


@pytest.fixture
def ran():
    """The names of the steps that ran."""
    return []


@pytest.fixture
def steps(ran):
    """Three steps that note that they ran."""
    return {name: lambda name=name: ran.append(name) or f"{name} done" for name in PLAN}


def stored(store, *, state=TaskState.RUNNING, done=0, name="t"):
    """A task in the store in this state, with its first `done` steps in the journal."""
    task = store.save(store.insert(Task(id=name, user_input="deploy")).to(TaskState.RUNNING))
    for step in PLAN[:done]:
        task = store.save(task.finished(step, f"{step} done"))
    return task if state is TaskState.RUNNING else store.save(task.to(state))


@pytest.mark.parametrize("state", [TaskState.PENDING, TaskState.RUNNING, TaskState.FAILED])
@pytest.mark.parametrize("done", [0, 1, 2, 3])
def test_only_what_the_journal_lacks_runs_and_in_order(store, steps, ran, state, done):
    """Wherever the task stands, the rest of its steps run once each, and the result is that of all of them."""
    stored(store, state=state, done=done)
    task = resume("t", store, steps)
    assert ran == PLAN[done:]
    assert task == store.get(Task, "t")
    assert (task.state, task.error) == ("completed", None)
    assert task.result == "create_dns done; issue_certificate done; deploy_container done"
    assert list(task.journal) == PLAN


def test_a_completed_task_is_returned_and_nothing_runs(store, steps, ran):
    """To resume twice is to resume once."""
    stored(store)
    first = resume("t", store, steps)
    ran.clear()
    assert resume("t", store, steps) == first == store.get(Task, "t")
    assert ran == []


def test_a_task_that_does_not_exist_is_an_error(store, steps, ran):
    """A wrong id is said, not started as a new task."""
    with pytest.raises(NotFoundError, match="there is no task t"):
        resume("t", store, steps)
    assert ran == []


def test_each_step_is_stored_before_the_next_one_begins(store):
    """Whoever looks into the store while a step runs sees every step before it."""
    stored(store)
    seen = {name: lambda name=name: ",".join(store.get(Task, "t").journal) for name in PLAN}
    task = resume("t", store, seen)
    assert list(task.journal.values()) == ["", "create_dns", "create_dns,issue_certificate"]


def test_a_step_that_fails_is_tried_again_and_the_ones_before_it_are_not(store, steps, ran):
    """An error in a step reaches the caller; what was done by then stays done."""
    stored(store)

    def fail():
        raise RuntimeError("the certificate authority is down")

    with pytest.raises(RuntimeError, match="authority"):
        resume("t", store, {**steps, "issue_certificate": fail})
    left = store.get(Task, "t")
    assert (left.state, list(left.journal)) == ("running", ["create_dns"])
    assert resume("t", store, steps).state == "completed"
    assert ran == PLAN


def test_a_step_without_a_result_is_refused_and_not_journalled(store, steps):
    """A journal that could not be read at the next start is never written."""
    stored(store)
    with pytest.raises(ValueError, match="valid string"):
        resume("t", store, {**steps, "issue_certificate": lambda: None})
    assert list(store.get(Task, "t").journal) == ["create_dns"]


def test_of_two_who_resume_one_task_the_slower_one_is_told(store, steps):
    """Two agents on one task do not overwrite each other's journal."""
    stored(store)

    def overtaken():
        task = store.get(Task, "t")
        store.save(task.finished("create_dns", "by another"))
        return "by me"

    with pytest.raises(VersionConflictError):
        resume("t", store, {**steps, "create_dns": overtaken})
    assert store.get(Task, "t").journal == {"create_dns": "by another"}


def test_every_running_task_is_resumed_and_no_other(store, steps):
    """A start resumes what was left running; what waits, failed or is completed is left as it is."""
    for state in TaskState:
        for number in range(2):
            stored(store, state=state, name=f"{state} {number}")
    others = {name: store.get(Task, name) for name in ("pending 0", "failed 1", "completed 0")}
    assert [task.id for task in resume_all(store, steps)] == ["running 0", "running 1"]
    assert store.list_by_state(Task, TaskState.RUNNING) == []
    assert [task.id for task in store.list_by_state(Task, "completed") if task.journal] == ["running 0", "running 1"]
    assert {name: store.get(Task, name) for name in others} == others


def test_more_running_tasks_than_a_page_are_all_resumed(store):
    """The limit of a list is not the limit of a restart."""
    names = [f"{number:03}" for number in range(101)]
    for name in names:
        stored(store, name=name)
    assert [task.id for task in resume_all(store, {})] == names


# Crash points

STEPS = {name: lambda name=name: tool(name, service="shop") for name in PLAN}


def opened():
    """The store in the sandbox."""
    return FileStateStore("state")


def run_one():
    """Resume the task and tell the user."""
    resume("t", opened(), STEPS)
    ack("deployed")


def restart_one():
    """What a new process finds in the journal, and the task after it was resumed."""
    found = opened().get(Task, "t")
    return {"found": list(found.journal), "task": resume("t", opened(), STEPS)}


def check_effects(o, before=0):
    """Fail unless every step had its effect, in order, and none twice but the one in flight."""
    task, found = o.state["task"], o.state["found"]
    assert (task["state"], list(task["journal"])) == ("completed", PLAN), f"the task is {task}"
    if o.acknowledged:
        assert found == PLAN, "acknowledged, but a step was lost"
    seen = [call.tool for call in o.ledger]
    assert list(dict.fromkeys(seen)) == PLAN[before:], f"the effects were {seen}"
    for step in PLAN[before:]:
        in_flight = [step] == PLAN[len(found) : len(found) + 1]
        assert seen.count(step) in ({1, 2} if in_flight else {1}), f"{step} ran {seen.count(step)} times"
    assert all(call.arguments == {"service": "shop"} for call in o.ledger)


@pytest.mark.parametrize("state", [TaskState.PENDING, TaskState.RUNNING, TaskState.FAILED])
@pytest.mark.parametrize("done", [0, 2])
def test_no_crash_point_loses_a_step_or_repeats_a_journalled_one(state, done):
    """Killed anywhere, the agent goes on: only the step in flight may repeat, and no step is left out."""

    def setup():
        stored(opened(), state=state, done=done)

    def invariant(o):
        check_effects(o, before=done)

    report = sweep(run_one, restart_one, invariant, setup)
    report.assert_survives(effects=5 * (len(PLAN) - done))
    assert [effect.target for effect in report.effects if effect.op == "tool"] == PLAN[done:]


def test_the_step_in_flight_repeats():
    """The gap that is left for chapter 2 is really there: "no step runs twice" does not survive."""

    def invariant(o):
        seen = [call.tool for call in o.ledger]
        assert len(seen) == len(set(seen)), "a step ran twice"

    with pytest.raises(DidNotSurviveError, match="a step ran twice"):
        sweep(run_one, restart_one, invariant, lambda: stored(opened())).assert_survives()


def test_a_completed_task_has_no_effect_at_any_crash_point():
    """Resuming what is done does nothing at all: no tool is called, and no file is written."""

    def setup():
        stored(opened(), state=TaskState.COMPLETED, done=3)

    def invariant(o):
        assert o.ledger == []
        assert o.state["task"]["version"] == 6

    report = sweep(run_one, restart_one, invariant, setup)
    report.assert_survives(effects=0)
    assert [str(effect) for effect in report.effects] == ["ACK deployed", "RETURN"]


def test_no_crash_point_breaks_the_resuming_of_all_tasks():
    """Killed anywhere while several tasks are resumed, the next start completes all, and repeats one step at most."""
    done = {"a": 0, "b": 2, "c": 3}

    def setup():
        for name, count in done.items():
            stored(opened(), name=name, done=count)
        stored(opened(), name="waits", state=TaskState.PENDING)

    def run():
        resume_all(opened(), STEPS)
        ack("all deployed")

    def recover():
        found = {name: list(opened().get(Task, name).journal) for name in done}
        resume_all(opened(), STEPS)
        return {"found": found, **{name: opened().get(Task, name) for name in [*done, "waits"]}}

    def invariant(o):
        assert [o.state[name]["state"] for name in done] == ["completed"] * 3
        assert [list(o.state[name]["journal"]) for name in done] == [PLAN] * 3
        assert (o.state["waits"]["state"], o.state["waits"]["journal"]) == ("pending", {})
        in_flight = next((PLAN[len(found)] for found in o.state["found"].values() if len(found) < 3), None)
        for number, step in enumerate(PLAN):
            ran = sum(call.tool == step for call in o.ledger)
            needed = sum(count <= number for count in done.values())
            assert ran in {needed, needed + (step == in_flight)}, f"{step} ran {ran} times for {needed} tasks"

    sweep(run, recover, invariant, setup).assert_survives(effects=20)
