"""The runs of chapters 3 and 4: a model and tools that fail, and too little time."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import Any

from labkit import llm, world
from labkit.agent.tools import AgentTool, Risk
from labkit.backoff import Policy
from labkit.clock import FakeClock, SystemClock
from labkit.course import stories
from labkit.crash import Observation, Report, sweep, trial
from labkit.files import FileStateStore
from labkit.gauntlet.busy_calls import calls_try_again
from labkit.gauntlet.busy_plans import plans_end
from labkit.gauntlet.parts import LIMIT, Parts, agent, arrange, go_on, patient
from labkit.grading.judge.survival import did
from labkit.task import Task, TaskState

DISK = stories.DISK
SECONDS = 300
"""From the start of a run to its deadline."""
PLAN = ("create_dns", "issue_certificate", "deploy_container", "notify")
BAD_MODEL = (llm.failing(500), llm.failing(503), llm.rate_limited(), None, llm.GARBLED, llm.CUT, None)


def retries(parts: Parts) -> Iterator[Report]:
    """The model and a tool fail for a while, and the agent gets through. One that fails for good is given up."""
    again, fallen = partial(go_on, parts, DISK), ["transient", "transient"]
    setup = arrange(DISK, BAD_MODEL, check_disk=fallen, clean_logs=fallen)
    yield sweep(again, again, _got_through, setup, name="a model and tools that fail")
    waits = [_fails_for_good(parts, llm.failing(500), 10, seed) for seed in (7, 8)]
    assert waits[0] != waits[1], "two agents failed together, and came again at the same moments"
    _fails_for_good(parts, llm.failing(401), 1)
    seen = trial(partial(go_on, parts, QUIET), arrange(QUIET))
    asked = [call.tool for call in seen.world.calls].count("check_disk")
    assert asked == 1, f"A tool answered with an empty text, and was used {asked} times: that is an answer"
    calls_try_again(parts)


def _fails_for_good(parts: Parts, fault: llm.Fault, expected: int, seed: int = 7) -> list[float]:
    """The delays between the requests. There must be as many requests as the policy and the error allow."""
    run = partial(go_on, parts, DISK, policy=Policy(max_attempts=10), retry=patient(parts, seed))
    seen = trial(run, arrange(DISK, (fault,) * 40))
    times = [call.minute * 60 for call in seen.world.calls if call.tool == "model"]
    happened = f"Every request was answered with {fault.status}, and the model was asked {len(times)} times"
    assert seen.how == "returned", f"{happened}; then the agent {did(seen)}"
    assert len(times) == expected, f"{happened}; expected {expected} of at most 10"
    slept = [after - before for before, after in pairwise(times)]
    for number, seconds in enumerate(slept):
        most = min(60, 2**number)
        assert seconds <= most + 1e-6, f"{happened}; delay {number + 1} was {seconds:g} s, expected at most {most} s"
    assert not slept or any(slept), f"{happened}, with no delay between them"
    assert seen.world.elapsed() - times[-1] < 1e-6, f"{happened}, and then the agent slept once more"
    assert seen.value["state"] == TaskState.FAILED, f"{happened}, and the run is {seen.value['state']}"
    assert str(fault.status) in seen.value["error"], f"{happened}; the run's error is {seen.value['error']}"
    return slept


def _look(_arguments: dict[str, Any], _key: str | None, _timeout: float) -> str:
    world.tool("check_disk")
    return ""


QUIET = stories.Story(
    "Look whether anybody complains.",
    (AgentTool("complaints", "What users say", stories.Nothing, _look, Risk.READ),),
    (llm.Turn(calls=(("complaints", {}),)), llm.Turn("Nobody does.")),
)


def _got_through(seen: Observation) -> None:
    assert seen.state["state"] == TaskState.COMPLETED, f"the run is {seen.state['state']}: {seen.state['error']}"
    assert [call.tool for call in seen.ledger] == ["clean_logs"], f"in the ledger: {[c.tool for c in seen.ledger]}"


def run_deadline(parts: Parts) -> Iterator[Report]:
    """The model falls silent, and the deadline of the run is near. So it is for a fixed plan by `run_steps`."""
    again = partial(go_on, parts, DISK, seconds=SECONDS)
    yield sweep(again, again, _in_time, partial(_silent, parts), name="a model that falls silent")
    run, setup = partial(_run_steps, parts), FileStateStore("tasks").insert
    yield sweep(run, run, _only_in_flight, partial(setup, due("late-1", SECONDS)), name="a plan that is too long")
    for what, faults, state in (
        ("There was time for the whole plan", {}, TaskState.COMPLETED),
        ("A step refused to work", {"deploy_container": ["permanent"]}, TaskState.FAILED),
    ):
        seen = trial(run, partial(_enough_time, faults))
        became = seen.value["state"] if seen.how == "returned" else did(seen)
        assert became == state, f"{what}, and the task became {became}; expected {state}"
    plans_end(parts)


def _silent(parts: Parts) -> None:
    """The run is stored before anything is swept, so that its deadline is the same at every crash point."""
    arrange(DISK, (None, *[llm.NEVER] * 20))()
    agent(parts, DISK, seconds=SECONDS).start(DISK.goal, "run-1")


def _enough_time(faults: Mapping[str, list[str]]) -> None:
    world.arrange(faults=faults)
    FileStateStore("tasks").insert(due("late-1", 4000))


def _only_in_flight(seen: Observation) -> None:
    _in_time(seen)
    tools = [call.tool for call in seen.calls]
    twice = [name for name in PLAN if tools.count(name) > 1]
    assert len(twice) < 2, f"{twice[0]} had finished before, and ran again"


def step_deadline(parts: Parts) -> Iterator[Report]:
    """Each step of the plan is given its limit, or what is left if that is less."""
    setup = partial(FileStateStore("tasks").insert, due("late-1", SECONDS))
    yield sweep(partial(_run_steps, parts), partial(_run_steps, parts), _given, setup, name="what each step is given")


def due(task_id: str, seconds: float) -> Task:
    """A task with a deadline, so many seconds after the world began."""
    now = FakeClock().now()
    return Task(id=task_id, user_input="shop", created_at=now, deadline=now + timedelta(seconds=seconds))


def _run_steps(parts: Parts) -> dict[str, Any]:
    world.ack(f"{world.WorldClock().monotonic()}")
    return by_deadline(parts, "late-1", {name: partial(_step, name) for name in PLAN})


def by_deadline(parts: Parts, task_id: str, steps: Mapping[str, Callable[[float], str]]) -> dict[str, Any]:
    """Carry a task out by `run_steps`, unless that was done."""
    clock = SystemClock()
    store = FileStateStore("tasks", clock)
    task = store.get(Task, task_id)
    if task.state in {TaskState.PENDING, TaskState.RUNNING}:
        parts["run_steps"](task, steps, store, clock, LIMIT)
    task = store.get(Task, task_id)
    return {"state": task.state, "error": task.error}


def _step(name: str, timeout: float) -> str:
    return world.tool(name, timeout=timeout, service="shop", given=timeout)


def _in_time(seen: Observation) -> None:
    """Nothing began at the deadline or after it, and whoever was alive then ended by it."""
    ended, late = world.WorldClock().monotonic(), [call for call in seen.calls if call.minute * 60 >= SECONDS]
    assert not late, f"{late[0].tool} was asked at {late[0].minute * 60:g} s, and the deadline was {SECONDS} s"
    started = max([float(label) for label in seen.acknowledged if label[:1].isdigit()], default=0)
    assert ended <= max(SECONDS + 60, started), f"ended at {ended:g} s, and the deadline was {SECONDS} s"
    assert seen.state["state"] in {TaskState.COMPLETED, TaskState.FAILED}, f"the run is {seen.state['state']}"
    assert seen.calls, "nothing was begun"


def _given(seen: Observation) -> None:
    ended = world.WorldClock().monotonic()
    assert ended >= SECONDS, f"the run ended with {SECONDS - ended:g} s left, and with steps to do"
    for call in seen.calls:
        left, given = SECONDS - call.minute * 60, call.arguments["given"]
        assert abs(given - min(LIMIT, left)) < 1e-6, f"{call.tool} began with {left:g} s left, and was given {given:g}"
    assert seen.calls, "nothing was begun"
