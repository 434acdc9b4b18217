"""A busy day of one process, of chapters 2 and 3: names that look alike, work that fails, calls that try again."""

from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import Any

from labkit import world
from labkit.clock import SystemClock
from labkit.crash import trial
from labkit.files import FileStateStore
from labkit.gauntlet.busy_tasks import TEXTS, brief
from labkit.gauntlet.parts import Parts
from labkit.grading.judge.survival import did
from labkit.task import Task, TaskState

ALIKE = (
    ("caf\u00e9", "cafe\u0301"), ("\ufb01le", "file"), ("A", "a"), ("07", "7"), ("a ", "a"), ("a\n", "a"),
    ("a  b", "a b"), ("+7", "7"), ("true", "True"), ("None", ""), ('"a"', "a"), ("\\n", "\n"), ("ab", "ba"),
)  # fmt: skip
"""Names that are two, whatever they look like."""
SIGNS = ["", *"/:-_. |,\0\x1f", "::", "__"]
"""What may stand between two names that are glued together."""
DELAYS = [1, 2, 4, 8, 16, 32, 60]
VALUES = (None, 0, "", [], "done")
MOST = 50
"""Calls of one piece of work in one life: more is without end."""


def keys_differ(parts: Parts) -> None:
    """Hundreds of steps, some with names that look alike or are glued together to the same."""
    names = _names()
    seen = trial(lambda: [parts["step_key"](*step) for step in names])
    assert seen.how == "returned", f"{len(names)} steps were taken, each under its key, and step_key {did(seen)}"
    first: dict[str, tuple[str, str]] = {}
    for step, key in zip(names, seen.value, strict=True):
        other = first.setdefault(str(key), step)
        assert other == step, f"The steps {other!r} and {step!r} have one key, {key!r}: one of them would not act"


def _names() -> list[tuple[str, str]]:
    glued = [step for sign in SIGNS for step in ((f"a{sign}b", "c"), ("a", f"b{sign}c"))]
    alike = [step for pair in ALIKE for name in pair for step in ((f"of {name}.", "c"), ("a", name))]
    return list(
        dict.fromkeys(
            [
                *glued,
                *(step[::-1] for step in glued),
                *alike,
                *((f"task-{n // 20}", f"step {n % 20}") for n in range(300)),
            ]
        )
    )


def errors_get_out(parts: Parts) -> None:
    """Work fails in one life and works in the next: its error comes out, and what is saved is what it returned."""
    seen = trial(partial(_fail_and_work, parts))
    assert seen.how == "returned", f"do_work raised an error, and execute_task_if_not_done {did(seen)}"
    for text, (calls, told, between, after) in zip(TEXTS, seen.value, strict=True):
        what = "do_work raised ConnectionError each time, and execute_task_if_not_done"
        assert calls <= MOST, f"{what} called it {calls} times"
        assert told == "ConnectionError", f"{what} {told}; expected that error"
        assert between != TaskState.COMPLETED, f"{what} completed the task"
        expected = [TaskState.COMPLETED, text]
        assert after == expected, (
            f"The wish was {brief(text)}, do_work returned it the next time, and the store holds {brief(after)}"
        )


def _fail_and_work(parts: Parts) -> list[Any]:
    told, store = [], FileStateStore("tasks")
    for number, text in enumerate(TEXTS):
        task = store.insert(Task(id=f"work-{number}", user_input=text))
        told.append(_two_lives(parts, store, task.id))
    return told


def _two_lives(parts: Parts, store: FileStateStore, task_id: str) -> list[Any]:
    calls = 0

    def fail(user_input: str, key: str) -> str:  # noqa: ARG001 - an answer may name them
        nonlocal calls
        calls += 1
        if calls > MOST:
            raise KeyboardInterrupt
        raise ConnectionError("out of reach")

    try:
        parts["execute_task_if_not_done"](task_id, store, fail)
        came = "returned as if nothing had been"
    except BaseException as error:  # noqa: BLE001 - its name is what counts
        came = type(error).__name__
    between = store.get(Task, task_id).state
    parts["execute_task_if_not_done"](task_id, store, lambda user_input, key: user_input)
    after = store.get(Task, task_id)
    return [calls, came, between, [after.state, after.result]]


def calls_try_again(parts: Parts) -> None:
    """Several calls in one process: any value is a success, and each call begins with the first delay."""
    seen = trial(partial(_call_all, parts))
    assert seen.how == "returned", f"Something was called under execute_with_retry, which {did(seen)}"
    slept, returned, stopped = seen.value
    for name, attempts, same in stopped:
        what = (
            f"A call raised an error that is worth another attempt, and then {name}, which is not. execute_with_retry"
        )
        assert same, f"{what} made {attempts} attempts, and did not raise that error itself"
    for number, delays in enumerate(slept):
        which = "A later call" if number else "A call"
        right = len(delays) == len(DELAYS) and all(abs(a - b) < 1e-6 for a, b in zip(delays, DELAYS, strict=True))
        shown = ", ".join(f"{delay:g}" for delay in delays) or "never"
        assert right, f"{which} failed {len(delays) + 1} times, and slept {shown}; expected 1, 2, 4, … 60"
    for value, (attempts, same) in zip(VALUES, returned, strict=True):
        assert attempts == 1, f"A call returned {value!r}, and came {attempts} times: any value is a success"
        assert same, f"A call returned {value!r}, and execute_with_retry something else"


def _call_all(parts: Parts) -> list[Any]:
    execute, clock, returned = parts["execute_with_retry"], SystemClock(), []
    slept = [_sleeps(execute, clock) for _ in range(2)]
    for value in VALUES:
        came: list[Any] = []
        got = execute(lambda came=came, value=value: came.append(value) or value, 3, lambda _error: True)
        returned.append([len(came), got is value])
    stopped = [_stops(execute, error) for error in (ValueError("no"), KeyboardInterrupt())]
    return [slept, returned, stopped]


def _stops(execute: Any, last: BaseException) -> list[Any]:
    """The type of the last error, how many attempts came, and whether that error came out."""
    left, raised = [again := ConnectionError("again"), last], None

    def fail() -> None:
        raise left.pop(0) if left else LookupError("once more")

    try:
        execute(fail, 5, lambda error: error is again)
    except BaseException as error:  # noqa: BLE001 - which one it is counts
        raised = error
    return [type(last).__name__, 2 - len(left), raised is last]


def _sleeps(execute: Any, clock: SystemClock) -> list[float]:
    moments: list[float] = []

    def fail() -> None:
        moments.append(clock.monotonic())
        raise world.ToolTimeoutError("no answer")

    with suppress(world.ToolTimeoutError):
        execute(fail, len(DELAYS) + 1, lambda _error: True)
    return [after - before for before, after in pairwise(moments)]
