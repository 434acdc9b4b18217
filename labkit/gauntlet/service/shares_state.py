"""The row of chapter 12: agents share the state of an order, and whoever comes goes on."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from labkit.crash import Observation, Report, sweep
from labkit.crash.race.api import race
from labkit.crash.race.report import RaceReport
from labkit.gauntlet.parts import Parts
from labkit.gauntlet.service import sharing
from labkit.gauntlet.service.schemas import ask, create, rows

ORDERS = 16
PLAN = ["create_dns", "deploy_container"]
NOTE = "only at night"
FILL = "INSERT INTO states VALUES (%s, 'deploy', 'order-1', 1, %s)"
STORED = "SELECT owner, version, state FROM {}states ORDER BY owner"


def shares_state(parts: Parts) -> Iterator[Report | RaceReport]:
    """A plan that agents share; answers get lost, a human writes into the state, and another team has one like it.

    Then those who come at the same moment: two agents, and an agent beside a human.
    """
    run = partial(_share, parts)
    yield sweep(run, run, _all_done, partial(create, "states"), name="a shared plan")
    two = {who: partial(_alone, parts) for who in "AB"}
    yield race(two, _done_once, _begun, limit=ORDERS, name="two agents")
    beside = {"agent": partial(_alone, parts), "human": partial(sharing.note, parts, NOTE)}
    yield race(beside, partial(_done_once, noted=True), _begun, limit=ORDERS, name="an agent and a human")


def _share(parts: Parts) -> dict[str, Any]:
    for owner in (sharing.OURS, sharing.OTHERS):
        sharing.begin(parts, PLAN, owner)
    steps = {tool: partial(sharing.act, tool) for tool in reversed(PLAN)}
    steps[PLAN[0]] = partial(_with_note, parts, steps[PLAN[0]])
    state = sharing.go_on(parts, steps, save=sharing.LOST, read=sharing.BROKEN)
    return {"state": state, "stranger": sharing.may_read(parts, sharing.STRANGERS)}


def _with_note(parts: Parts, act: Callable[[str], str], key: str) -> str:
    """While the first step is done, a human writes into the state: what the agent has read is stale."""
    sharing.note(parts, NOTE)
    return act(key)


def _all_done(seen: Observation) -> None:
    assert not seen.state["stranger"], "a team that has no such task has read the state of another"
    acted = [call.tool for call in seen.ledger]
    assert acted == PLAN, f"the plan is {', '.join(PLAN)}; done was {', '.join(acted) or 'nothing'}"
    (other, theirs), (_, ours) = [(version, state) for _, version, state in rows(STORED.format("states."))]
    assert (other, theirs["done"]) == (1, {}), f"the state of another team has version {other} now: {theirs}"
    assert ours.get("note") == NOTE, "what a human had written into the state is gone"
    assert [*sorted(ours["done"])] == sorted(PLAN), f"stored as done is {', '.join(ours['done']) or 'nothing'}"
    assert seen.state["state"] == ours, f"go_on returned {seen.state['state']}, and stored is {ours}"


def _begun() -> None:
    create("states", apart=False)
    ask("states", FILL, sharing.OURS, json.dumps(sharing.new(PLAN[:1])))


def _alone(parts: Parts) -> dict[str, Any]:
    return sharing.go_on(parts, {tool: partial(sharing.act, tool) for tool in PLAN})


def _done_once(seen: Observation, *, noted: bool = False) -> None:
    acted = [call.tool for call in seen.ledger]
    raised = [end.raised for end in seen.workers.values() if end.raised]
    assert not raised, f"two came at once, and one of them raised {raised[0]}"
    assert acted == PLAN[:1], f"two came at once, and the step was done {len(acted)} times"
    ((_, _, state),) = rows(STORED.format(""))
    assert [*state["done"]] == PLAN[:1], f"two came at once, and stored as done is {state['done']}"
    assert not noted or state.get("note") == NOTE, "what a human wrote meanwhile is gone"
