"""The run of chapter 7: a window that is too small for all that the agent has read, and a state that patches change."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from labkit import llm, world
from labkit.agent.tools import AgentTool, Risk
from labkit.agent_state import AgentState, Fact, StatePatch
from labkit.course import stories
from labkit.crash import Observation, Report, sweep, trial
from labkit.files import FileStateStore
from labkit.gauntlet.busy_states import patches_add_up, windows_fit
from labkit.gauntlet.parts import Parts, arrange, go_on, strict, thirds
from labkit.grading.judge.survival import did
from labkit.task import TaskState


def context(parts: Parts) -> Iterator[Report]:
    """A window of a few hundred tokens, a log that is larger, and a fact that must not be lost.

    A state changes by `apply`: the agent asks a human, and the answer comes as a patch.
    """
    again = partial(go_on, parts, LOOK, tokens=700)
    yield sweep(again, again, _into_blue, arrange(LOOK), name="a small window")
    seen = trial(partial(go_on, parts, LOOK, tokens=260), arrange(LOOK))
    assert seen.how == "returned", f"The window was too small for the goal, and the agent {did(seen)}"
    assert "ContextTooSmall" in f"{seen.value['error']}", (
        f"The window was too small for the goal, and the run is {seen.value['state']}: {seen.value['error']}"
    )
    run = partial(_live, parts)
    yield sweep(run, run, _as_the_human_said, _ask, name="a human's answer")
    patches_add_up(parts)
    windows_fit(parts)


def _told(name: str, description: str, text: str) -> AgentTool:
    return AgentTool(name, description, stories.Nothing, lambda _arguments, _key, _timeout: text, Risk.READ)


def _deploy(namespace: str) -> tuple[tuple[str, dict[str, str]], ...]:
    return (("deploy_container", {"service": "shop", "namespace": namespace}),)


class Place(stories.Service):
    """Where to act."""

    namespace: str


READS = {
    "read_settings": "namespace: blue",
    "read_routes": "; ".join(f"route {n} to {n % 5}" for n in range(30)),
    "read_log": "\n".join(f"second {n:4}: request {n * 7919 % 10007} failed" for n in range(250)),
    "read_team": "the team is awake",
}
LOOK = stories.Story(
    "Put the shop online, in the namespace of the settings. " * 3,
    (
        *(_told(name, f"What {name[5:]} there are", text) for name, text in READS.items()),
        stories.world_tool("deploy_container", "Start the service", Place, Risk.EXTERNAL_ACTION),
    ),
    (
        llm.Turn("The shop is live.", shown=("container shop is up",)),
        llm.Turn(calls=tuple((name, {}) for name in READS), hidden=("read_team",)),
        llm.Turn(calls=_deploy("blue"), shown=("namespace: blue", "in the namespace of the settings")),
        llm.Turn(calls=_deploy("default")),
    ),
)


def _into_blue(seen: Observation) -> None:
    assert seen.state["state"] == TaskState.COMPLETED, f"the run is {seen.state['state']}: {seen.state['error']}"
    where = [call.arguments["namespace"] for call in seen.ledger]
    assert where == ["blue"], f"the shop was deployed into {', '.join(where) or 'nothing'}; the settings say blue"


DECIDE, ROOM = "deploy the shop into its namespace", 160
KNOWN = AgentState(
    id="state-1",
    state=TaskState.RUNNING,
    goal="Put the shop online.",
    plan=(DECIDE,),
    known_facts=(
        Fact(key="namespace", value="blue", source="user"),
        *(Fact(key=f"report {n}", value="all is quiet " * (1 + 30 * (n == 3))) for n in range(6)),
    ),
    open_questions=(f"May I {DECIDE}?",),
    risk_flags=("production",),
)
SAYS = StatePatch(
    add_facts=(Fact(key="namespace", value="green", source="human"), Fact(key="approved", value="yes")),
    close_questions=KNOWN.open_questions,
    raise_flags=("production", "frozen"),
)


def _ask() -> None:
    FileStateStore("states").insert(KNOWN)


def _live(parts: Parts) -> dict[str, Any]:
    """The human's answer comes, and then the step: what is shown decides where to."""
    store = FileStateStore("states")
    now = store.get(AgentState, "state-1")
    if now.open_questions:
        now = store.save(parts["apply"](now, SAYS))
    if now.plan:
        text = strict(parts)(now, DECIDE, ROOM, thirds).render()
        told = [fact.value for fact in now.known_facts if fact.key == "namespace" and fact.value in text]
        result = world.tool("deploy_container", key="deploy", service="shop", namespace=",".join(told) or "default")
        done = StatePatch(add_facts=(Fact(key="deploy", value=result, source="tool"),), replace_plan=())
        now = store.save(parts["apply"](now, done))
    return now.document()


def _as_the_human_said(seen: Observation) -> None:
    where = [call.arguments["namespace"] for call in seen.ledger]
    assert where == ["green"], f"the shop was deployed into {', '.join(where) or 'nothing'}; the human said green"
    left: Mapping[str, Any] = seen.state
    keys = ["report 0", "report 1", "report 2", "report 3", "report 4", "report 5", "namespace", "approved", "deploy"]
    assert [fact["key"] for fact in left["known_facts"]] == keys, f"the facts are {left['known_facts']}"
    for part, expected in (("plan", []), ("open_questions", []), ("risk_flags", ["production", "frozen"])):
        assert list(left.get(part, [])) == expected, f"{part} of the state is {left.get(part)}; expected {expected}"
    assert left["goal"] == KNOWN.goal, f"the goal of the state is {left['goal']}"
