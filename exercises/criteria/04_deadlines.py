"""Judges chapter 4: what a step may take, and a run that ends by its task's deadline. Answers run in children only.

The steps are tools of two minutes. Each tells the world how many seconds it was given, and the world has the clock.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from labkit import Deadline, DeadlineExceeded, FakeClock, FileStateStore, SystemClock, Task, TaskState, world
from labkit.crash import DidNotSurviveError, Trial, sweep, trial
from labkit.crash.zygote.explore import DOWNTIME
from labkit.grading.judge.program import Program

STEPS = ["create_dns", "issue_certificate", "deploy_container", "configure_monitoring", "notify"]
EACH = 120
"""Seconds that each of them takes."""
STORE = "tasks"
PLENTY = 4000
"""Seconds in which everything can be done."""
MACHINE = SystemClock()
GOES_ON = (TaskState.PENDING, TaskState.RUNNING)


@dataclass(frozen=True)
class OddClock(SystemClock):
    """A machine's clock whose wall time is `days` ahead, and set back by `hours` while the first step runs."""

    days: int = 0
    hours: int = 0

    def now(self) -> datetime:
        """Wall time, as somebody set it."""
        hours = self.hours if world.WorldClock().monotonic() >= EACH else 0
        return super().now() + timedelta(days=self.days, hours=-hours)


def run_deadline(program: Program, rng: Random) -> None:
    """With enough time all is done; with too little the run ends by its deadline, whatever happens to wall time."""
    plan, task = rng.sample(STEPS, 3), _task(rng, PLENTY)
    seen = _run(program, task, plan, _limit(rng))
    ran = [call.tool for call in seen.calls]
    plenty = f"With {PLENTY} s for {len(plan)} steps of {EACH} s,"
    assert seen.how == "returned", f"{plenty} run_steps {seen.did}"
    assert ran == plan, (
        f"{plenty} run_steps ran {', '.join(ran) or 'nothing'}; expected {', '.join(plan)}. The task is {seen.state}"
    )
    assert seen.is_stored(TaskState.COMPLETED), (
        f"{plenty} the task in the store is {seen.state}; expected a completed one"
    )
    other = "The clock that run_steps was given shows another day than the machine's: ask that clock, and no other."
    back = f"Wall time was set back by an hour at {EACH} s, and run_steps went by it."
    for clock, why in (OddClock(), ""), (OddClock(days=3), other), (OddClock(hours=1), back):
        plan, seconds = rng.sample(STEPS, 4), rng.randint(250, 350)
        seen = _run(program, _task(rng, seconds, days=clock.days), plan, _limit(rng), clock)
        said = f"Ended at {seen.ended:g} s, deadline {seconds} s"
        last = [
            f"{call.tool} began at {_second(call):g} s, and was given {call.arguments.get('given')} s"
            for call in seen.calls
        ]
        assert seen.ended <= seconds, f"{said}. {why or ''.join(last[-1:])}"
        assert seen.calls, f"{said}, and no step began: run_steps {seen.did}. {why}"


def operation_deadline(program: Program, rng: Random) -> None:
    """Each step gets its limit, or what is left if that is less."""
    pairs = [(rng.randint(1, 50), 60), (rng.randint(100, 500), rng.randint(60, 90)), (0.5, 60), (45, 45)]
    for left, limit in pairs:
        answer, expected = _answer(program, left, limit), min(left, limit)
        assert _is_about(answer, expected), (
            f"With {left:g} s left and a limit of {limit} s, step_timeout {_said(answer)}; expected {expected:g}"
        )
    plan, seconds, limit = rng.sample(STEPS, 4), rng.randint(250, 350), _limit(rng)
    seen = _run(program, _task(rng, seconds), plan, limit)
    for call in seen.calls:
        left, given = seconds - _second(call), call.arguments.get("given")
        assert _is_about(given, min(limit, left)), (
            f"{call.tool} began with {left:g} s left and a limit of {limit} s. "
            f"It was given {given}; expected {min(limit, left):g}"
        )
    began = len(seen.calls)
    assert began > 2, (
        f"{plan[began]} did not begin, with {seconds - seen.ended:g} s left and a limit of {limit} s: "
        f"run_steps {seen.did}"
    )


def no_late_start(program: Program, rng: Random) -> None:
    """At the deadline, and after it, no step begins."""
    for left in 0, -rng.randint(1, 500):
        answer = _answer(program, left, 60)
        assert answer == "raised DeadlineExceeded", (
            f"With {left} s left, step_timeout {_said(answer)}; expected DeadlineExceeded"
        )
    plan, fit = rng.sample(STEPS, 4), rng.randint(2, 3)
    seen = _run(program, _task(rng, EACH * fit), plan, _limit(rng))
    late = [call for call in seen.calls if _second(call) >= EACH * fit]
    assert not late, f"{late[0].tool} began at {_second(late[0]):g} s, deadline {EACH * fit} s: then nothing may start"
    assert seen.calls, f"With {EACH * fit} s to go, no step began: run_steps {seen.did}"
    over = rng.randint(1, 500)
    task = _task(rng, EACH, state=TaskState.RUNNING, journal={plan[0]: "done"})
    calls = _run(program, task, plan, _limit(rng), waited=EACH + over).calls
    assert not calls, f"The deadline had passed {over} s before run_steps was called, and it began {calls[0].tool}"


def restart_keeps_deadline(program: Program, rng: Random) -> None:
    """Killed anywhere, the run goes on where it was, and ends by the deadline in its task."""
    plan, seconds, limit = rng.sample(STEPS, 4), rng.randint(370, 450), _limit(rng)
    task = _task(rng, seconds)

    def run() -> None:
        with suppress(Exception):  # what an answer raises is for another case
            _carry_out(program, task, plan, limit)

    def recover() -> None:
        found = FileStateStore(STORE).get(Task, task.id)
        # Told to a process that the answer cannot reach, and before the answer is loaded.
        world.ack(json.dumps([world.WorldClock().monotonic(), found.state, list(found.journal)]))
        if found.state in GOES_ON:
            run()

    def invariant(seen) -> None:
        assert len(seen.acknowledged) == 1, "run_steps acknowledged something: only its caller may"
        (began, state, journal), ended = json.loads(seen.acknowledged[0]), world.WorldClock().monotonic()
        ours = [call for call in seen.calls if call.arguments.get("service") == task.user_input]
        before = [call for call in ours if _second(call) < began]
        _no_step_twice([call.tool for call in before], [call.tool for call in ours[len(before) :]], journal)
        stored = FileStateStore(STORE).get(Task, task.id)
        assert stored.deadline == task.deadline, (
            f"The deadline in the store was {seconds} s, and is {_after_start(stored.deadline)} now"
        )
        assert ended <= max(seconds, began), (
            f"Ended at {ended:g} s, deadline {seconds} s: the process that started at {began:g} s restarted it"
        )
        rest, failed = seconds - began + DOWNTIME, bool(before) and not _was_done(before[-1])
        assert state in GOES_ON or failed or rest <= limit, (
            f"At that moment, {rest:g} s were left, and the task in the store was {state} already"
        )
        for idle, end in (ours == before and state in GOES_ON, began), (stored.state in GOES_ON, ended):
            assert not idle or seconds - end <= limit, (
                f"The process that started at {began:g} s had {seconds - end:g} s left, and began no further step"
            )

    report = sweep(run, recover, invariant, lambda: FileStateStore(STORE).insert(task), name="run_steps")
    for point in report.broken:
        done = [effect for effect in report.effects[: point.k] if effect.op == "tool"]
        moment = f"after {done[-1].target} had run" if done else "before the first step"
        what, where = f"Killed {moment}: {point.broken()[0].reason}", str(done[-1].line or "") if done else ""
        raise DidNotSurviveError(what, where, report.score(), report.timeline())
    report.assert_survives(effects=6)


def _no_step_twice(before: list[str], after: list[str], journal: list[str]) -> None:
    """Of the steps that ran before a crash, only the one in flight runs again; what is journalled has run."""
    for step in journal:
        assert step in before, f"{step} was journalled as finished, and had never run"
    for step in after:
        assert step not in journal, f"{step} was journalled as finished, and ran again after the restart"
        assert step not in before[:-1], f"{step} had finished before the crash, and ran again"


def saves_failure(program: Program, rng: Random) -> None:
    """A run that fails is saved as failed, with the reason and the journal of what was done; and it is returned."""
    plan = rng.sample(STEPS, 4)
    broken = plan[rng.randint(1, 2)]
    over, refused = "The deadline came between two steps", f"{broken} refused to work"
    runs = {
        "The deadline came while a step ran": (rng.randint(250, 350), {}),
        over: (EACH * rng.randint(1, 2), {}),
        f"No answer came from {broken} in its time": (PLENTY, {broken: ["ambiguous"]}),
        refused: (PLENTY, {broken: ["permanent"]}),
        f"{broken} could not be reached": (PLENTY, {broken: ["transient"]}),
    }
    reasons = {what: _reason_saved(program, rng, plan, what, *run) for what, run in runs.items()}
    assert reasons[over] != reasons[refused], (
        f"{over}; in another run, {refused}. Both times the error is {reasons[over]!r}: that does not say why"
    )


def _reason_saved(
    program: Program, rng: Random, plan: list[str], what: str, seconds: int, faults: Mapping[str, Any]
) -> str:
    """The error of a task that cannot be completed, because of `what` happens."""
    seen = _run(program, _task(rng, seconds), plan, _limit(rng), faults=faults)
    assert seen.how == "returned", f"{what}, and run_steps {seen.did}; expected the failed task"
    assert seen.is_stored(TaskState.FAILED), f"{what}, and the task in the store is {seen.state}; expected a failed one"
    stored, done = seen.stored, [call for call in seen.calls if _was_done(call, faults)]
    assert (stored.error or "").strip(), f"{what}, and the error of the failed task is {stored.error!r}: say why"
    assert list(stored.journal) == [call.tool for call in done], (
        f"{what}. {', '.join(call.tool for call in done) or 'No step'} had been done; "
        f"the journal in the store has {', '.join(stored.journal) or 'nothing'}"
    )
    for call in done:
        answer, kept = world.TOOLS[call.tool].answer.format(**call.arguments), stored.journal[call.tool]
        assert kept == answer, f"{call.tool} returned {answer!r}; the journal has {kept!r}"
    assert seen.value == stored.model_dump(mode="json"), (
        f"{what}. The failed task is in the store, and run_steps {seen.did}; expected that task"
    )
    return stored.error


def _was_done(call: world.Call, faults: Mapping[str, Any] = {}) -> bool:
    """Whether a step had the time that it takes, and came to its end."""
    given = call.arguments.get("given")
    return call.tool not in faults and isinstance(given, int | float) and given >= EACH


def _limit(rng: Random) -> int:
    """More than a step takes."""
    return rng.randint(130, 200)


def _at(seconds: float, days: int = 0) -> datetime:
    """Wall time, so many seconds after the world began."""
    return FakeClock().now() + timedelta(days=days, seconds=seconds)


def _task(rng: Random, seconds: int, days: int = 0, **fields: Any) -> Task:
    """A task that must end so many seconds after the world began; what the user wants is a service's name."""
    name = f"{rng.choice(['shop', 'blog', 'mail', 'wiki'])}-{rng.randrange(10**6)}"
    return Task(
        id=f"task-{rng.randrange(10**6)}",
        user_input=name,
        deadline=_at(seconds, days),
        created_at=_at(0, days),
        **fields,
    )


def _step(service: str, name: str, timeout: Any) -> str:
    number = isinstance(timeout, int | float)
    given = timeout if number else f"{timeout!r}, not a number"
    return world.tool(name, timeout=timeout if number else 0, service=service, given=given)


def _carry_out(program: Program, task: Task, plan: list[str], limit: int, clock: SystemClock = MACHINE) -> Any:
    store = FileStateStore(STORE, clock)
    steps = {name: partial(_step, task.user_input, name) for name in plan}
    return program["run_steps"](store.get(Task, task.id), steps, store, clock, limit)


class Seen:
    """How run_steps did with a task: what the world remembers, and what is on the disk."""

    def __init__(self, seen: Trial, task: Task) -> None:
        self.how, self.value, self.ended, self.did = seen.how, seen.value, seen.world.elapsed(), _did(seen)
        self.calls = [call for call in seen.world.calls if call.arguments.get("service") == task.user_input]
        """Of the steps. Whatever else an answer calls has not this name, which was drawn."""
        try:
            record = json.loads(seen.files[f"{STORE}/task/{task.id}.json"])["record"]
            self.stored = Task.model_validate(record)
        except (KeyError, TypeError, ValueError):
            self.stored = None

    def is_stored(self, state: TaskState) -> bool:
        """Whether the store has the task in this state."""
        return self.stored is not None and self.stored.state is state

    @property
    def state(self) -> str:
        """What became of the task, in words."""
        if self.stored is None:
            return "gone"
        return f"{self.stored.state} ({self.stored.error})" if self.stored.error else str(self.stored.state)


def _run(
    program: Program,
    task: Task,
    plan: list[str],
    limit: int,
    clock: SystemClock = MACHINE,
    faults: Mapping[str, Any] = {},
    waited: float = 0,
) -> Seen:
    """Store the task, and call run_steps, `waited` seconds after the world began."""

    def setup() -> None:
        world.arrange(faults=faults)
        FileStateStore(STORE, clock).insert(task)
        world.WorldClock().sleep(waited)

    def run() -> Any:
        returned = _carry_out(program, task, plan, limit, clock)
        return returned if isinstance(returned, Task) else repr(returned)

    return Seen(trial(run, setup), task)


def _answer(program: Program, left: float, limit: float) -> Any:
    """What step_timeout answers with so many seconds left and such a limit: a number, or else what it did in words."""

    def ask() -> Any:
        try:
            given = program["step_timeout"](Deadline.after(left, FakeClock()), limit)
        except DeadlineExceeded:
            return "raised DeadlineExceeded"
        except Exception as error:  # noqa: BLE001 - what it means is for the case to say
            own = " of its own, not that of the given cell" if type(error).__name__ == "DeadlineExceeded" else ""
            return f"raised {type(error).__name__}{own}: {error}"
        return given if isinstance(given, int | float) else f"returned {given!r}"

    seen = trial(ask)
    assert seen.how == "returned", f"With {left:g} s left and a limit of {limit} s, step_timeout {_did(seen)}"
    return seen.value


def _said(answer: Any) -> str:
    return f"returned {answer:g}" if isinstance(answer, int | float) else str(answer)


def _is_about(given: Any, expected: float) -> bool:
    return isinstance(given, int | float) and abs(given - expected) < 1e-6


def _second(call: world.Call) -> float:
    """When a tool was asked."""
    return round(call.minute * 60, 6)


def _after_start(at: datetime | None) -> str:
    return "gone" if at is None else f"{(at - FakeClock().now()).total_seconds():g} s"


def _brief(value: Any) -> str:
    return f"a {value['state']} task" if isinstance(value, dict) and "state" in value else str(value)


def _did(seen: Trial) -> str:
    """How a trial went, as the predicate of a sentence."""
    if seen.how == "returned":
        return f"returned {_brief(seen.value)}"
    at = f" at {seen.line}" if seen.line and seen.line.file.startswith("<answer") else ""
    return f"{seen.failure}{at}"
