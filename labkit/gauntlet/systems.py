"""The run of chapter 6: three systems that change together, by a tool of the agent that is a saga."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from labkit import llm, world
from labkit.agent.tools import AgentTool, Risk
from labkit.course import stories
from labkit.crash import Observation, Report, sweep, trial
from labkit.gauntlet.busy_sagas import sagas_end_well
from labkit.gauntlet.parts import Parts, arrange, go_on
from labkit.grading.judge.survival import did
from labkit.task import TaskState

UNDO = {"create_dns": "delete_dns", "issue_certificate": "revoke_certificate", "deploy_container": "remove_container"}
NEEDS = {"create_dns": (), "issue_certificate": ("create_dns",), "deploy_container": ("issue_certificate",)}
LISTED = ("deploy_container", "create_dns", "issue_certificate")


def compensates(parts: Parts) -> Iterator[Report]:
    """The agent has one tool, which is a saga of three systems. A step refuses, and so does a compensation."""
    story = _story(parts)
    again = partial(go_on, parts, story)
    refuses = {"deploy_container": ["permanent"]}
    seen = trial(again, arrange(story, **refuses))
    assert seen.how == "returned", f"The last step of the saga refused, and the agent {did(seen)}"
    _all_or_nothing("compensated", [], Observation(seen.value, [], seen.world.ledger, seen.world.calls))
    setup = arrange(story, issue_certificate=["none", "permanent"])
    yield sweep(again, again, partial(_all_or_nothing, None, None), setup, name="a step that refuses after the restart")
    told = partial(_all_or_nothing, "parked", ["issue_certificate"])
    setup = arrange(story, **refuses, revoke_certificate=["permanent"])
    alone = partial(_saga_alone, parts)
    yield sweep(alone, alone, told, setup, name="a compensation that refuses")
    sagas_end_well(parts)


def _saga_alone(parts: Parts) -> dict[str, Any]:
    return {"state": TaskState.COMPLETED, "said": Online(parts)({}, None, 0.0)}


def _story(parts: Parts) -> stories.Story:
    tool = AgentTool("put_online", "Put the shop online, or leave nothing", stories.Nothing, Online(parts), Risk.READ)
    turns = (llm.Turn(calls=(("put_online", {}),)), llm.Turn("I have done what could be done."))
    return stories.Story("Put the shop online.", (tool,), turns)


class Online:
    """A tool that runs a saga."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def __call__(self, _arguments: dict[str, Any], _key: str | None, _timeout: float) -> str:
        """Its outcome, in a word."""
        parts = self.parts
        steps = [parts["Step"](n, partial(_act, n), partial(_act, UNDO[n]), NEEDS[n]) for n in LISTED]
        return str(parts["run_saga"]("saga-1", steps, parts["Log"]()))


def _act(name: str, key: str) -> str:
    return world.tool(name, key=key, service="shop")


def _all_or_nothing(state: str | None, left: list[str] | None, seen: Observation) -> None:
    there = sorted(call.tool for call in world.standing(seen.ledger))
    assert seen.state["state"] == TaskState.COMPLETED, f"the run is {seen.state['state']}: {seen.state['error']}"
    told = seen.state["said"]
    if state is None:
        assert there in ([], sorted(UNDO)), f"now {', '.join(there)} is in the world: half of it"
        state, left = ("completed", list(UNDO)) if there else ("compensated", [])
    assert there == sorted(left), f"now {', '.join(there) or 'nothing'} is in the world; expected {left or 'nothing'}"
    assert told == state, f"run_saga returned {told!r}; expected {state!r}"
    tools = [call.tool for call in seen.ledger]
    for name, needs in NEEDS.items():
        for need in needs:
            early = {UNDO[name], UNDO[need]} <= {*tools} and tools.index(UNDO[need]) < tools.index(UNDO[name])
            assert not early, f"{UNDO[need]} ran before {UNDO[name]}, and {name} requires {need}"
    for name in {call.tool for call in seen.ledger}:
        count = sum(call.tool == name for call in seen.ledger)
        assert count == 1, f"{name} acted {count} times"
