"""The runs of chapters 1 and 2: the agent's state in files, its plan after a restart, its effects once."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from labkit import world
from labkit.course import stories
from labkit.crash import Observation, Report, sweep, trial
from labkit.files import FileStateStore
from labkit.gauntlet.busy_calls import errors_get_out, keys_differ
from labkit.gauntlet.busy_tasks import damage_is_reported, plans_go_on, tasks_come_back
from labkit.gauntlet.parts import Parts, arrange, go_on
from labkit.grading.judge.calls import salt_hash
from labkit.grading.judge.survival import did
from labkit.store import StoreError
from labkit.task import IllegalTransitionError, Task, TaskState

DISK = stories.DISK
DAMAGES = {"cut off": lambda data: data[: len(data) // 2], "emptied": lambda _data: b""}
BILL = Task(id="bill-1", user_input="customer 7", created_at="2000-01-01T00:00:00Z")
MOVE = Task(id="move-1", user_input="move the shop", created_at="2000-01-01T00:00:00Z")


def persists(parts: Parts) -> Iterator[Report]:
    """The agent frees the disk, and every save of it goes through `save_task`. The power is cut, too."""
    again = partial(go_on, parts, DISK)
    yield sweep(again, again, _lost_nothing, arrange(DISK), power=True, name="the agent on its files")
    for what, damage in DAMAGES.items():
        seen = trial(again, partial(_begin_and_damage, parts, damage))
        then = f"was {seen.value['state']}" if seen.how == "returned" else did(seen)
        assert seen.error == "CorruptState", (
            f"The file of an agent was {what}. After the restart, the agent {then}; expected CorruptState"
        )
    tasks_come_back(parts)
    damage_is_reported(parts)


def _begin_and_damage(parts: Parts, damage: Any) -> None:
    arrange(DISK)()
    go_on(parts, DISK)
    path = Path("run-1.json")
    path.write_bytes(damage(path.read_bytes()))


def _lost_nothing(seen: Observation) -> None:
    """The run is completed, and no saved reply of the model was asked for again."""
    assert seen.state["state"] == TaskState.COMPLETED, f"the run is {seen.state['state']}: {seen.state['error']}"
    turns = [call.arguments["turn"] for call in seen.calls if call.tool == "model"]
    assert turns == sorted(turns), f"a reply that was saved was asked for again: turns {turns}"
    assert len(turns) <= len(DISK.turns) + 1, f"more than one reply was asked for again: turns {turns}"
    assert [call.tool for call in seen.ledger] == ["clean_logs"], f"in the ledger: {[c.tool for c in seen.ledger]}"


def resumes(parts: Parts) -> Iterator[Report]:
    """A plan of three steps by `resume`: one is the agent, and two are tools that repeat whatever they are told."""

    def setup() -> None:
        arrange(DISK)()
        parts["TaskFiles"]().save(MOVE)

    run = partial(_carry_out, parts)
    yield sweep(run, run, _only_in_flight, setup, name="the plan")
    plans_go_on(parts)


def _carry_out(parts: Parts) -> dict[str, Any]:
    store = parts["TaskFiles"]()
    before = store.get(Task, MOVE.id)
    steps = {
        "create_dns": partial(world.tool, "create_dns", service="shop"),
        "free the disk": lambda: go_on(parts, DISK)["result"],
        "notify": partial(world.tool, "notify", service="shop"),
    }
    if before.state is not TaskState.COMPLETED:  # what is completed is the matter of another run
        parts["resume"](MOVE.id, store, steps)
    after = store.get(Task, MOVE.id)
    return {"before": list(before.journal), "after": list(after.journal), "state": after.state}


def _only_in_flight(seen: Observation) -> None:
    tools, order = [call.tool for call in seen.ledger], ["create_dns", "clean_logs", "notify"]
    for tool, step in zip(order, ("create_dns", "free the disk", "notify"), strict=True):
        count = tools.count(tool)
        assert count, f"after the restart, {step} has never run, and the plan is {seen.state['state']}"
        assert count < 3, f"{step} ran {count} times"
        assert count == 1 or step not in seen.state["before"], f"{step} was journalled as finished, and ran again"
    twice = [tool for tool in order if tools.count(tool) > 1]
    assert len(twice) < 2, f"{twice[0]} had finished before, and ran again"
    assert [tool for n, tool in enumerate(tools) if tool not in tools[:n]] == order, f"the steps ran as {tools}"
    assert seen.state["state"] == TaskState.COMPLETED, f"after the restart, the plan is {seen.state['state']}"


def idempotent(parts: Parts) -> Iterator[Report]:
    """A bill by `execute_task_if_not_done` and the agent's tools, all under `step_key`.

    An answer is lost, and a second worker takes the bill while the first one is at it.
    """

    def setup() -> None:
        arrange(DISK, charge=["ambiguous"], clean_logs=["ambiguous"])()
        FileStateStore("tasks").insert(BILL)

    run, again = (partial(_bill_and_clean, parts, restarted=restarted) for restarted in (False, True))
    yield sweep(run, again, _once, setup, name="the bill and the agent")
    keys_differ(parts)
    errors_get_out(parts)


def _bill_and_clean(parts: Parts, *, restarted: bool) -> dict[str, Any]:
    if restarted:  # `hash` of a text differs in each process, but not in those of the crash lab, which are forks
        salt_hash(parts["step_key"], "another process")
    bills = [pay(parts, second=True), pay(parts, second=False)]  # the second finds it completed, and does nothing
    parts["resume"](BILL.id, FileStateStore("tasks"), {"charge": partial(_charge, BILL.user_input, "another key")})
    return {**go_on(parts, DISK), "bills": [[bill.state, bill.result] for bill in bills]}


def pay(parts: Parts, *, second: bool) -> Task:
    """Execute the bill; whoever started it starts it again after an error.

    With `second`, another worker takes it while the first one is at it.
    """

    def work(customer: str, key: str) -> str:
        nonlocal second
        if second:
            second = False
            pay(parts, second=False)
        return _charge(customer, key)

    for _ in range(4):
        with suppress(StoreError, IllegalTransitionError, world.ToolTimeoutError):
            done = parts["execute_task_if_not_done"](BILL.id, FileStateStore("tasks"), work)
            if not isinstance(done, Task):
                raise TypeError(f"execute_task_if_not_done returned {done!r}; expected a Task")
            return done
    raise TimeoutError("the bill was executed four times, and is not done")


def _charge(customer: str, key: str) -> str:
    return world.tool("charge", key=key, customer=customer, amount=5)


def _once(seen: Observation) -> None:
    tools = [call.tool for call in seen.ledger]
    for tool in ("charge", "clean_logs"):
        keys = {str(call.key) for call in seen.ledger if call.tool == tool}
        assert tool in tools, f"{tool} has never run"
        assert tools.count(tool) == 1, f"{tool} ran {tools.count(tool)} times, under {len(keys)} keys"
    for told in seen.state["bills"]:
        expected = ["completed", "charged customer 7 5 EUR"]
        assert told == expected, f"execute_task_if_not_done returned {told}; expected a task that is {expected}"
    assert seen.state["state"] == TaskState.COMPLETED, f"the run is {seen.state['state']}: {seen.state['error']}"
