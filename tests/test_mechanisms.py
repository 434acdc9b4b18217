"""Every mechanism of labkit dies twice: in its run, and in the recovery. No pair of crash points breaks it."""

import os

import pytest

from labkit import FileStateStore, Task, TaskState, ack, resume, resume_all, tool, write_atomically
from labkit.crash import Observation, sweep

PLAN = ["create_dns", "deploy_container"]
STEPS = {name: lambda name=name: tool(name, service="shop") for name in PLAN}


def insert_task() -> None:
    FileStateStore("tasks").insert(Task(id="a", user_input="deploy"))


def start_task() -> dict:
    """Save the task as running, unless it is already."""
    store = FileStateStore("tasks")
    task = store.get(Task, "a")
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    ack("running")
    return {"state": task.state, "version": task.version}


def is_running(seen: Observation) -> None:
    assert seen.state == {"state": "running", "version": 2}


def write_one_of_two() -> str:
    """Write over what is there, whichever it is; the last writer wins."""
    data = b"old" if os.path.exists("file") and open("file", "rb").read() == b"new" else b"new"  # noqa: SIM115
    write_atomically("file", data)
    return open("file").read()


def is_whole(seen: Observation) -> None:
    assert seen.state in ("old", "new")


def deploy() -> dict:
    task = resume("a", FileStateStore("tasks"), STEPS)
    ack("deployed")
    return {"state": task.state, "journal": list(task.journal)}


def deploy_all() -> dict:
    store = FileStateStore("tasks")
    if store.get(Task, "a").state is TaskState.PENDING:
        store.save(store.get(Task, "a").to(TaskState.RUNNING))
    resume_all(store, STEPS)
    task = store.get(Task, "a")
    return {"state": task.state, "journal": list(task.journal)}


def is_deployed(seen: Observation) -> None:
    """Two crashes repeat at most two steps: those that were in flight."""
    ran = [call.tool for call in seen.ledger]
    assert seen.state == {"state": "completed", "journal": PLAN}
    assert set(ran) == set(PLAN), "a step was lost"
    assert len(ran) - len(PLAN) <= 2, "more than the steps in flight were repeated"


MECHANISMS = {
    "write_atomically": (write_one_of_two, is_whole, lambda: write_atomically("file", b"old")),
    "FileStateStore.save": (start_task, is_running, insert_task),
    "resume": (deploy, is_deployed, insert_task),
    "resume_all": (deploy_all, is_deployed, insert_task),
}


@pytest.mark.parametrize(("run", "invariant", "setup"), MECHANISMS.values(), ids=MECHANISMS)
def test_two_crashes_do_not_break_it(run, invariant, setup):
    """Killed at every crash point, and again at every crash point of each recovery; and with the power cut."""
    report = sweep(run, run, invariant, setup, power=True, depth=2)
    report.assert_survives(effects=5)
    assert any(outcome.again for point in report.points for outcome in point.outcomes)
