"""The whole agent under the crash lab: the real client, real HTTP, real files, and the stories of the course."""

from collections.abc import Callable
from functools import partial
from typing import Any

from labkit import FileStateStore, SystemClock, TaskState, ack, database, llm, sweep
from labkit.agent import Agent
from labkit.agent.run import Budget
from labkit.course import stories
from labkit.crash import Observation
from labkit.postgres import PostgresStateStore
from labkit.store import StateStore

NewStore = Callable[[SystemClock], StateStore]


def in_files(clock: SystemClock) -> StateStore:
    """A store in the sandbox."""
    return FileStateStore("runs", clock)


def in_postgres(clock: SystemClock) -> StateStore:
    """A store in the sweep's database."""
    return PostgresStateStore(database.engine(), clock)


def agent(story: stories.Story, new_store: NewStore) -> Agent:
    """An agent in a child of the crash lab, where the machine's clock is the world's."""
    clock, budget = SystemClock(), Budget(max_seconds=3600)
    return Agent(llm.client(clock, scripted=True), story.tools, new_store(clock), clock, budget=budget, limit=180)


def begin(story: stories.Story, new_store: NewStore) -> None:
    """Write the script, and store a run."""
    llm.use(story.turns)
    agent(story, new_store).start(story.goal, "run-1")


def go_on(story: stories.Story, new_store: NewStore) -> dict[str, Any]:
    """Resume the run, and tell the user when it is done."""
    done = agent(story, new_store).resume("run-1")
    ack("done")
    return {"state": done.state, "journal": done.journal, "steps": done.budget.spent.steps}


def invariant(story: stories.Story, crashes: int, seen: Observation) -> None:
    """No effect is lost or repeated, and no saved reply is asked for again.

    Each crash repeats at most the model call whose reply was not saved yet, and the repeat is paid for.
    """
    plan = [call for turn in story.turns for call, _ in turn.calls]
    used = [call.tool for call in seen.ledger]
    assert used == [call for call in plan if call != "check_disk"], f"in the ledger: {used}"  # that one only reads
    assert seen.state["state"] == TaskState.COMPLETED
    assert [step.partition(" ")[2] for step in seen.state["journal"] if not step.startswith("reply")] == plan
    turns = [call.arguments["turn"] for call in seen.calls if call.tool == "model"]
    assert turns == sorted(turns), f"a saved reply was asked for again: {turns}"
    assert set(turns) == set(range(len(story.turns)))
    assert len(turns) - len(story.turns) <= crashes, f"more than one model call was repeated by a crash: {turns}"
    paid = seen.state["steps"]
    assert len(turns) <= paid <= len(story.turns) + crashes, f"{len(turns)} calls, {paid} paid for"


def assert_survives(name: str, depth: int, new_store: NewStore = in_files) -> None:
    """Sweep the story of this name; AssertionError with the smallest counterexample."""
    story = getattr(stories, name)
    again, setup = partial(go_on, story, new_store), partial(begin, story, new_store)
    report = sweep(again, again, partial(invariant, story, depth), setup, depth=depth, name=name)
    report.assert_survives(effects=5 * len(story.turns))
    labels = [str(effect) for effect in report.effects]
    assert labels.count("POST chat/completions") == labels.count("reply 200") == len(story.turns)
