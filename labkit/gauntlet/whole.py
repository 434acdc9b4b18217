"""The last run: everything at once. A plan of five steps, with every answer in its place, and all that can go wrong."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from labkit import llm, world
from labkit.course import stories
from labkit.crash import Observation, Report, sweep
from labkit.files import FileStateStore
from labkit.gauntlet import alone, outside, systems, together
from labkit.gauntlet.parts import Parts, arrange, go_on
from labkit.task import Task, TaskState

STEPS = ("bill", "free the disk", "put online", "watch", "record it")
DISK = stories.Story(
    stories.DISK.goal,
    stories.DISK.tools,
    (
        llm.Turn("There is room again.", shown=("clean_logs(",)),
        llm.Turn(calls=(("clean_logs", {}),), shown=("the disk is 95% full",)),
        llm.Turn(calls=(("check_disk", {}),)),
    ),
)
"""The disk's story for a model that remembers nothing: it says what fits to what it is shown."""
FAULTS = {"charge": ["ambiguous"], "clean_logs": ["transient"], "check_disk": ["transient"]}


def everything(parts: Parts) -> Iterator[Report]:
    """A plan by `resume`: a bill, the agent, a saga, steps with a deadline, and a step in the database.

    Answers are lost, the model and the tools fail, the window is small, the time is short, a second worker comes
    twice, and the connections to the database die.
    """
    run = partial(_carry_out, parts)
    yield sweep(run, run, _all_is_well, partial(_setup, parts), name="everything at once")


def _setup(parts: Parts) -> None:
    arrange(DISK, (llm.failing(500), llm.GARBLED, None, llm.late(70)), **FAULTS)()
    parts["TaskFiles"]().save(alone.MOVE)
    for task in (alone.BILL, outside.due("watch-1", 3600)):
        FileStateStore("tasks").insert(task)
    together.make_table()


def _carry_out(parts: Parts) -> dict[str, Any]:
    store = parts["TaskFiles"]()
    does = (
        lambda: alone.pay(parts, second=True).result,
        lambda: go_on(parts, DISK, tokens=400)["result"],
        lambda: systems.Online(parts)({}, None, 0.0),
        lambda: outside.by_deadline(parts, "watch-1", {"watch": partial(_watch, parts)})["state"],
        lambda: together.execute(parts, together.second_worker, together.connections_die)[0],
    )
    if store.get(Task, alone.MOVE.id).state is not TaskState.COMPLETED:
        parts["resume"](alone.MOVE.id, store, dict(zip(STEPS, does, strict=True)))
    done = store.get(Task, alone.MOVE.id)
    world.ack("the shop has moved")
    return {"state": done.state, "journal": done.journal, "row": together.row()}


def _watch(parts: Parts, timeout: float) -> str:
    key = parts["step_key"]("watch-1", "watch")
    return world.tool("configure_monitoring", key=key, timeout=timeout, service="shop")


EXPECTED = ("charge", "clean_logs", *systems.UNDO, "configure_monitoring", "notify")


def _all_is_well(seen: Observation) -> None:
    journal = seen.state["journal"]
    assert seen.state["state"] == TaskState.COMPLETED, f"the plan is {seen.state['state']}"
    assert tuple(journal) == STEPS, f"the journal has {', '.join(journal)}"
    for step, result in zip(
        STEPS, ("charged customer 7 5 EUR", "There is room again.", "completed", "completed", "completed"), strict=True
    ):
        assert journal[step] == result, f"the step {step!r} ended with {journal[step]!r}; expected {result!r}"
    tools = tuple(call.tool for call in seen.ledger)
    assert tools == EXPECTED, f"in the ledger: {', '.join(tools)}; expected {', '.join(EXPECTED)}"
    together.one_winner(seen.acknowledged, seen.state["row"])
