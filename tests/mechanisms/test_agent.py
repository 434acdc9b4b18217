"""What the agent promises: it goes on from any point, does nothing twice, stops in time and within its budget."""

import json
from dataclasses import replace
from functools import partial

import pytest
import whole_agent
from rest import rest_is_long

from labkit import (
    FileStateStore,
    NotFoundError,
    PostgresStateStore,
    TaskState,
    VersionConflictError,
    World,
    arrange,
    ask,
    attach,
    llm,
    sweep,
)
from labkit.agent import Agent
from labkit.agent.run import AgentRun, Amount, Budget
from labkit.agent.tools import Risk
from labkit.backoff import Policy
from labkit.context import Window, count_tokens
from labkit.course import stories
from labkit.crash import DidNotSurviveError
from labkit.llm import Turn
from labkit.world import WorldClock, current

LIMITS = {"budget": Budget(max_seconds=3600), "limit": 180.0}


@pytest.fixture
def world():
    """A new world, whose model follows the disk story."""
    before = current()
    yield attach(World())
    attach(before)


@pytest.fixture
def agent(world, tmp_path):  # noqa: ARG001 - the world must be there first
    """Makes an agent for a story, on one store; options replace what it is made of."""

    def make(story=stories.DISK, turns=None, faults=(), **options):
        clock = WorldClock()
        llm.use(story.turns if turns is None else turns, faults)
        store = FileStateStore(tmp_path, clock)
        return Agent(llm.client(clock), story.tools, store, clock, **{**LIMITS, **options})

    return make


def asked(world):
    """The requests that the model has had."""
    return [call for call in world.calls if call.tool == "model"]


def test_it_does_what_the_model_says_and_returns_its_last_words(agent, world):
    """Calls and results alternate until the model calls for no tool; every turn is journalled."""
    one = agent()
    one.start(stories.DISK.goal, "run-1")
    done = one.resume("run-1")
    assert (done.state, done.result) == (TaskState.COMPLETED, stories.DISK.turns[-1].content)
    assert list(done.journal) == ["reply 1", "1.0 check_disk", "reply 2", "2.0 clean_logs", "reply 3"]
    assert [call.tool for call in world.ledger] == ["clean_logs"]
    assert [message["role"] for message in done.messages()] == ["user", *["assistant", "tool"] * 2, "assistant"]


def test_a_completed_run_is_returned_as_it_is(agent, world):
    """To resume it asks nobody and does nothing."""
    one = agent()
    one.start(stories.DISK.goal, "run-1")
    done = one.resume("run-1")
    before = world.to_json()
    assert one.resume("run-1") == done
    assert world.to_json() == before


def test_every_tool_gets_a_key_of_its_run_and_step(agent, world):
    """Two turns that use one tool are two steps, and two runs are two runs."""
    turns = (*[Turn(calls=(("clean_logs", {}),))] * 2, Turn("done"))
    one = agent(turns=turns)
    for run_id in ("run-1", "run-2"):
        one.start("twice", run_id)
        one.resume(run_id)
    assert len(world.ledger) == len({call.key for call in world.ledger}) == 4


def test_several_calls_in_one_reply_are_several_steps(agent):
    """They run in their order, each journalled by itself, and the model is told all results."""
    one = agent(turns=(Turn(calls=(("check_disk", {}), ("clean_logs", {}))), Turn("done")))
    one.start("both", "run-1")
    done = one.resume("run-1")
    assert list(done.journal) == ["reply 1", "1.0 check_disk", "1.1 clean_logs", "reply 2"]
    ids = [call["id"] for call in done.replies()[0]["tool_calls"]]
    assert [message["tool_call_id"] for message in done.messages() if message["role"] == "tool"] == ids


def test_there_is_no_run_that_was_never_started(agent):
    """The error names it."""
    with pytest.raises(NotFoundError, match="there is no run run-9"):
        agent().resume("run-9")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (("reboot_moon", {}), "error: there is no tool reboot_moon; there are check_disk, clean_logs"),
        (("clean_logs", '{"depth": '), "error: the arguments of clean_logs are not JSON"),
        (("clean_logs", {"depth": 3}), "error: the arguments of clean_logs do not fit: depth: Extra inputs"),
        (("clean_logs", "[]"), "error: the arguments of clean_logs do not fit: : Input should be"),
    ],
)
def test_a_call_that_makes_no_sense_is_told_to_the_model(agent, world, call, told):
    """Nothing happens in the world, the run goes on, and the model can do better."""
    one = agent(turns=(Turn(calls=(call,)), Turn(calls=(("clean_logs", {}),)), Turn("done")))
    one.start("nonsense first", "run-1")
    done = one.resume("run-1")
    assert done.journal[f"1.0 {call[0]}"].startswith(told)
    assert (done.state, [each.tool for each in world.ledger]) == (TaskState.COMPLETED, ["clean_logs"])


def test_what_the_world_refuses_is_told_to_the_model(agent, world):
    """A permanent error is an answer, not a failure of the run."""
    world.faults = {"clean_logs": ["permanent"]}
    one = agent()
    one.start(stories.DISK.goal, "run-1")
    done = one.resume("run-1")
    assert done.state is TaskState.COMPLETED
    assert done.journal["2.0 clean_logs"].startswith("error: clean_logs refuses")
    assert world.ledger == []


@pytest.mark.parametrize("fault", ["transient", "ambiguous"])
def test_a_tool_that_fails_once_is_used_again_under_the_same_key(agent, world, fault):
    """Whether it had acted or not: in the end it has acted once."""
    world.faults = {"clean_logs": [fault]}
    one = agent()
    one.start(stories.DISK.goal, "run-1")
    assert one.resume("run-1").state is TaskState.COMPLETED
    assert len(world.ledger) == 1
    calls = [call for call in world.calls if call.tool == "clean_logs"]
    assert len(calls) == 2
    assert len({call.key for call in calls}) == 1


def test_an_outcome_that_stays_unknown_is_not_told_to_the_model(agent, world):
    """It would try again under another key. The run fails, and a later one repeats the same step with the same key."""
    world.faults = {"clean_logs": ["ambiguous"] * 3}
    one = agent(policy=Policy(max_attempts=3, jitter=None))
    one.start(stories.DISK.goal, "run-1")
    failed = one.resume("run-1")
    assert (failed.state, failed.error.partition(":")[0]) == (TaskState.FAILED, "ToolTimeoutError")
    assert "2.0 clean_logs" not in failed.journal
    assert one.resume("run-1").state is TaskState.COMPLETED
    assert len(world.ledger) == 1


@pytest.mark.parametrize(
    "fault", [llm.rate_limited(), llm.failing(503), llm.CUT, llm.GARBLED, llm.NEVER, llm.dripping(10, 30)]
)
def test_a_model_that_fails_once_is_asked_again(agent, world, fault):
    """Also one that answers garbage, nothing, or in drips; each attempt is charged to the budget."""
    one = agent(faults=[fault], limit=60.0)
    one.start(stories.DISK.goal, "run-1")
    done = one.resume("run-1")
    assert done.state is TaskState.COMPLETED
    assert len(asked(world)) == done.budget.spent.steps == 4


def test_a_wrong_key_is_not_tried_again_and_nothing_is_lost(agent, world):
    """The run says why it failed; with the right key it goes on from there."""
    one = agent(faults=[None, llm.failing(401)])
    one.start(stories.DISK.goal, "run-1")
    failed = one.resume("run-1")
    assert (failed.state, failed.error.partition(":")[0]) == (TaskState.FAILED, "AuthenticationError")
    assert list(failed.journal) == ["reply 1", "1.0 check_disk"]
    assert len(asked(world)) == 2
    assert one.resume("run-1").state is TaskState.COMPLETED
    assert [call.arguments["turn"] for call in asked(world)] == [0, 1, 1, 2]


def test_without_a_network_the_run_fails_and_says_so(agent, world, monkeypatch):
    """A server that is not there is tried as often as the policy says, in virtual time."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    one = agent(policy=Policy(max_attempts=3, jitter=None))
    one.start(stories.DISK.goal, "run-1")
    failed = one.resume("run-1")
    assert (failed.state, failed.error) == (TaskState.FAILED, "APIConnectionError: Connection error.")
    assert world.elapsed() == 1 + 2


def test_the_run_ends_by_its_deadline(agent, world):
    """Attempts, delays and tools together; what was done before is kept."""
    one = agent(faults=[None, *[llm.NEVER] * 9], budget=Budget(max_seconds=300), limit=100.0)
    one.start(stories.DISK.goal, "run-1")
    failed = one.resume("run-1")
    assert failed.state is TaskState.FAILED
    assert world.elapsed() <= 300
    assert list(failed.journal) == ["reply 1", "1.0 check_disk"]


def test_a_restart_does_not_move_the_deadline(agent, world):
    """It is stored when the run starts; a process that comes too late begins nothing."""
    one = agent(budget=Budget(max_seconds=300))
    started = one.start(stories.DISK.goal, "run-1")
    world.sleep(301)
    failed = one.resume("run-1")
    assert failed.error.startswith("DeadlineExceeded")
    assert failed.deadline == started.deadline
    assert world.calls == []


@pytest.mark.parametrize(
    ("limit", "message", "done"),
    [
        (Amount(steps=2, tokens=100_000, artifact_bytes=10**6), "3 steps in all; the budget is 2", 4),
        (Amount(steps=20, tokens=1500, artifact_bytes=10**6), "tokens in all; the budget is 1500", 2),
        (Amount(steps=20, tokens=100_000, artifact_bytes=9_999), "10000 artifact_bytes in all; the budget is 9999", 1),
    ],
)
def test_an_exhausted_budget_ends_the_run_before_it_is_overdrawn(agent, limit, message, done):
    """What does not fit is not begun; the state says why, and holds what was done."""
    one = agent(budget=Budget(limit=limit), reply_tokens=1000 if limit.tokens > 2000 else 1300)
    one.start(stories.DISK.goal, "run-1")
    failed = one.resume("run-1")
    assert failed.error.startswith("BudgetExceededError")
    assert message in failed.error
    assert len(failed.journal) == done
    spent, most = failed.budget.spent, failed.budget.limit
    assert all(getattr(spent, name) <= getattr(most, name) for name in Amount.model_fields)


def test_a_result_that_is_too_long_is_cut(agent):
    """The model is told what fits, in whole characters."""
    tool = stories.DISK.tools[0]
    story = stories.Story("", (type(tool)(tool.name, "", tool.parameters, lambda *_: "é" * 100),), ())
    one = agent(story, turns=(Turn(calls=(("check_disk", {}),)), Turn("done")), result_bytes=9)
    one.start("much", "run-1")
    done = one.resume("run-1")
    assert done.journal["1.0 check_disk"] == "é" * 4
    assert done.budget.spent.artifact_bytes == 9


def test_a_risky_step_waits_for_a_human_across_restarts(agent, world):
    """The question is in the store, no process waits for the answer, and the step runs only after it."""
    one = agent(approve=frozenset({Risk.WRITE_LOCAL}))
    one.start(stories.DISK.goal, "run-1")
    waiting = one.resume("run-1")
    assert (waiting.state, waiting.question) == (TaskState.PENDING, "May I use clean_logs with {}?")
    assert one.resume("run-1") == waiting
    assert one.resume_all() == world.ledger == []
    one.answer("run-1", approved=True)
    assert [run.state for run in one.resume_all()] == [TaskState.COMPLETED]
    assert len(world.ledger) == 1


@pytest.mark.parametrize("place", ["files", "postgres"])
def test_more_running_runs_than_a_page_are_all_resumed(agent, place, request):
    """The limit of a list is not the limit of a restart, and a run that stays running is met once."""
    one = agent(turns=[Turn("It is done.", shown=("disk",))])
    if place == "postgres":
        one = replace(one, store=PostgresStateStore(request.getfixturevalue("engine"), one.clock))
    names = [f"{number:03}" for number in range(130)]
    for name in names:
        run = one.start(stories.DISK.goal, name)
        one.store.save(run.to(TaskState.RUNNING).model_copy(update={"question": None if int(name) % 2 else "May I?"}))
    resumed = one.resume_all()
    assert [run.id for run in resumed] == names
    assert [run.state for run in resumed] == [TaskState.RUNNING, TaskState.COMPLETED] * 65


def test_what_a_human_declines_is_not_done(agent, world):
    """The model is told, and the run goes on."""
    one = agent(approve=frozenset(Risk))
    one.start(stories.DISK.goal, "run-1")
    for approved in (True, False):
        assert one.resume("run-1").question
        one.answer("run-1", approved=approved)
    done = one.resume("run-1")
    assert (done.state, done.journal["2.0 clean_logs"]) == (TaskState.COMPLETED, "a human has declined this")
    assert world.ledger == []
    with pytest.raises(ValueError, match="the run run-1 has asked nothing"):
        one.answer("run-1", approved=True)


def test_a_tool_without_a_key_is_asked_what_became_of_it(agent, world):
    """Through run_once: an attempt that died is not repeated if the tool says that it has acted."""
    world.arrange(kinds={"notify": "asked"}, faults={"notify": ["ambiguous"]})
    notify = stories.DEPLOY.tools[-1]
    by_asking = type(notify)(
        notify.name, "", notify.parameters, notify.use, unknown=lambda arguments: world.ask("notify", arguments)
    )
    story = stories.Story("", (by_asking,), ())
    one = agent(story, turns=(Turn(calls=(("notify", {"service": "shop"}),)), Turn("done")))
    one.start("tell", "run-1")
    done = one.resume("run-1")
    assert (done.state, done.journal["1.0 notify"]) == (TaskState.COMPLETED, "team told that shop is live")
    assert len(world.ledger) == 1


def test_two_workers_cannot_both_go_on(agent):
    """The one who was second is told so, and the state is the first one's."""
    one = agent()
    one.start(stories.DISK.goal, "run-1")

    def meanwhile(*_):
        run = one.store.get(AgentRun, "run-1")
        one.store.save(run.model_copy(update={"result": "mine"}))
        return "the disk is full"

    tools = [replace(tool, use=meanwhile) for tool in one.tools]
    with pytest.raises(VersionConflictError):
        replace(one, tools=tools).resume("run-1")
    assert one.store.get(AgentRun, "run-1").result == "mine"


def test_the_models_are_told_the_tools_as_openai_wants_it():
    """Name, description and a JSON schema of the arguments."""
    told = [tool.schema() for tool in stories.DEPLOY.tools]
    assert [each["function"]["name"] for each in told] == [tool.name for tool in stories.DEPLOY.tools]
    assert told[0]["type"] == "function"
    assert told[0]["function"]["parameters"]["required"] == ["service"]
    assert json.loads(json.dumps(told)) == told


# With a window

IN_ANY_ORDER = (
    Turn("shop is live", shown=("certificate for shop", "team told")),
    Turn(calls=(("notify", {"service": "shop"}),), shown=("certificate for shop",)),
    Turn(calls=(("issue_certificate", {"service": "shop"}),)),
)
"""A model that remembers nothing: what it says follows from what it is shown."""


def test_with_a_window_the_model_is_shown_what_fits(agent, world):
    """One message with each call and its result, and never more than the window less the answer's share."""
    window = Window(400, answer=100)
    one = agent(stories.DEPLOY, IN_ANY_ORDER, context=window, reply_tokens=100)
    one.start("Put the shop online.", "run-1")
    done = one.resume("run-1")
    assert (done.state, done.result) == (TaskState.COMPLETED, "shop is live")
    assert [call.tool for call in world.ledger] == ["issue_certificate", "notify"]
    (message,) = window(done)
    assert '- issue_certificate({"service": "shop"}): certificate for shop.example.com (tool)\n' in message["content"]
    assert count_tokens(message["content"]) <= 400 - 100


def test_a_window_that_is_too_small_fails_the_run_and_says_so(agent, world):
    """Nothing is asked; with a larger window the run goes on."""
    small = agent(stories.DEPLOY, IN_ANY_ORDER, context=Window(120, answer=100), reply_tokens=100)
    small.start("Put the shop online.", "run-1")
    failed = small.resume("run-1")
    assert failed.error.startswith("ContextTooSmall: the goal, the current step and the open questions need")
    assert world.calls == []
    assert replace(small, context=Window(400, answer=100)).resume("run-1").state is TaskState.COMPLETED


# Under the crash lab


@pytest.mark.long
def test_an_agent_with_a_window_survives_every_crash_point():
    """What it shows is made of what is stored, so a new process shows the same."""

    def new():
        clock = WorldClock()
        tools = stories.DEPLOY.tools
        window = Window(1500, answer=100, count=len)  # each of many processes would read the vocabulary first
        return Agent(llm.client(clock), tools, FileStateStore("runs", clock), clock, context=window, **LIMITS)

    def setup():
        llm.use(IN_ANY_ORDER)
        new().start("Put the shop online.", "run-1")

    def run():
        return new().resume("run-1").result

    def invariant(seen):
        assert seen.state == "shop is live"
        assert [call.tool for call in seen.ledger] == ["issue_certificate", "notify"]

    sweep(run, run, invariant, setup).assert_survives(effects=20)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "new_store"), rest_is_long([("DISK", whole_agent.in_postgres), ("DEPLOY", whole_agent.in_files)], 1)
)
def test_a_crash_loses_and_repeats_no_effect_and_no_saved_reply(name, new_store):
    """Killed at every crash point: see `whole_agent.invariant`. `make long` kills twice."""
    whole_agent.assert_survives(name, 1, new_store)


@pytest.mark.long
@pytest.mark.slow
def test_a_tool_without_a_key_survives_crashes_by_being_asked():
    """A restart waits until the lease of the dead attempt is over, and asks the tool before it is used again."""
    notify = stories.DEPLOY.tools[-1]
    asked = replace(notify, unknown=lambda arguments: ask("notify", **arguments))
    turns = (Turn(calls=(("notify", {"service": "shop"}),)), Turn("done"))
    story = stories.Story("tell the team", (asked,), turns)

    def setup():
        arrange(kinds={"notify": "asked"})
        whole_agent.begin(story, whole_agent.in_files)

    go_on = partial(whole_agent.go_on, story, whole_agent.in_files)
    report = sweep(go_on, go_on, partial(whole_agent.invariant, story, 1), setup)
    report.assert_survives(effects=20)


def test_a_request_that_the_crash_lab_cannot_see_is_no_proof():
    """A client made elsewhere passes the effects by: the sweep says so, and does not call it survived."""

    def run():
        from openai import OpenAI

        url = f"http://127.0.0.1:{current().port}/v1"
        OpenAI(base_url=url, api_key="x").chat.completions.create(model="m", messages=[{"role": "user", "content": ""}])

    report = sweep(run, run, lambda seen: None)
    with pytest.raises(DidNotSurviveError, match="the model was asked 1 times, and the crash lab saw 0 of them"):
        report.assert_survives(effects=0)
