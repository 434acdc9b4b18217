"""A busy day of one process, of chapter 4: plans with deadlines, some half done, some with a step that fails."""

from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

from labkit.clock import SystemClock
from labkit.crash import trial
from labkit.files import FileStateStore
from labkit.gauntlet.busy_tasks import TEXTS, brief
from labkit.gauntlet.parts import LIMIT, Parts
from labkit.grading.judge.survival import did
from labkit.task import Task, TaskState

STEPS = ("create_dns", "deploy_container", "notify")
EACH = 120
"""Seconds that each of them takes."""


class Plan(NamedTuple):
    """A task with a deadline, and what happens to it."""

    what: str
    seconds: float = 4000
    """From its making to its deadline."""
    done: tuple[str, ...] = ()
    """What its journal holds before."""
    fails: str = ""
    error: type[Exception] = ConnectionError
    waited: float = 0
    """Seconds before it is carried out."""
    ran: tuple[str, ...] = STEPS
    """The steps that must begin."""
    state: TaskState = TaskState.COMPLETED


FAILED = TaskState.FAILED
PLANS = (
    Plan("There was time for all"),
    Plan("The deadline came during the third step", EACH * 2.5, state=FAILED),
    Plan("A step was in the journal", done=STEPS[1:2], ran=STEPS[::2]),
    Plan("All steps were in the journal", done=STEPS, ran=()),
    Plan("The deadline had passed", EACH, waited=EACH + 1, ran=(), state=FAILED),
    Plan("The first step raised KeyError", fails=STEPS[0], error=KeyError, ran=STEPS[:1], state=FAILED),
    Plan("The second step raised TimeoutError", fails=STEPS[1], error=TimeoutError, ran=STEPS[:2], state=FAILED),
    Plan("The last step raised ValueError", fails=STEPS[2], error=ValueError, state=FAILED),
    Plan("There was time for all once more"),
)


def plans_end(parts: Parts) -> None:
    """One plan after another: each ends by its deadline, with what was done in its journal, and says why it failed."""
    seen = trial(partial(_carry_out_all, parts))
    assert seen.how == "returned", f"Plans were carried out in one process, and run_steps {did(seen)}"
    for plan, (ran, journal, state, error, seconds) in zip(PLANS, seen.value, strict=True):
        what = f"{plan.what}, and run_steps"
        assert tuple(ran) == plan.ran, f"{what} ran {', '.join(ran) or 'nothing'}; expected {plan.ran or 'nothing'}"
        assert state == plan.state, f"{what} left a {state} task; expected a {plan.state} one"
        assert seconds <= max(plan.seconds, plan.waited), f"{what} ended after {seconds:g} s of {plan.seconds:g} s"
        for name, text in zip(STEPS, TEXTS, strict=False):
            kept = "" if name in plan.done else text
            assert journal.get(name, kept) == kept, f"{what} kept {brief(journal[name])} of {name}, not {brief(kept)}"
        assert state != FAILED or plan.fails in (error or ""), f"{what} saved the error {error!r}: which step failed?"


def _carry_out_all(parts: Parts) -> list[Any]:
    told, clock = [], SystemClock()
    store = FileStateStore("tasks", clock)
    for number, plan in enumerate(PLANS):
        start, ran = clock.monotonic(), []
        task = Task(
            id=f"plan-{number}",
            user_input="shop",
            state=TaskState.RUNNING if plan.done else TaskState.PENDING,
            journal=dict.fromkeys(plan.done, ""),
            deadline=clock.now() + timedelta(seconds=plan.seconds),
        )
        store.insert(task)
        clock.sleep(plan.waited)
        steps = {name: partial(_step, plan, ran, name, text) for name, text in zip(STEPS, TEXTS, strict=False)}
        parts["run_steps"](store.get(Task, task.id), steps, store, clock, LIMIT)
        after = store.get(Task, task.id)
        told.append([ran, after.journal, after.state, after.error, round(clock.monotonic() - start, 3)])
    return told


def _step(plan: Plan, ran: list[str], name: str, text: str, timeout: float) -> str:
    ran.append(name)
    SystemClock().sleep(min(EACH, timeout))
    if timeout < EACH:
        raise TimeoutError("no answer came in time")
    if name == plan.fails:
        raise plan.error("it did not work")
    return text
