"""Judges chapter 2: the key of a step, and a task whose work takes effect once. Answers run in children only."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from labkit import FileStateStore, Task, TaskState, ToolTimeoutError, ack, arrange, sweep, tool, trial
from labkit.crash import DidNotSurviveError, Effect, Line, Report, Trial
from labkit.crash.under_test import without_addresses
from labkit.grading.judge.program import Program

STORE = "tasks"
SEPARATORS = ["", *"/:-_.,;|#@+&= \t\n\0'\"", "::", "--", "__", "//", "||", ", ", " - ", "->", '", "', "', '"]
"""What stands between two names in keys that are made by gluing them together."""


def key_survives_restart(program: Program, rng: Random) -> None:
    """A new process makes the keys that the old one made, in whatever order it needs them."""
    steps = [(_word(rng), _word(rng)) for _ in range(5)]

    def run() -> None:
        ack(json.dumps([_text(program["step_key"](*step)) for step in steps]))

    def recover() -> list:
        _salt_hash(program["step_key"])
        keys = [program["step_key"](*step) for step in reversed(steps)]
        return [(isinstance(key, str) and bool(key), _text(key)) for key in reversed(keys)]

    def invariant(seen) -> None:
        before = json.loads(seen.acknowledged[0]) if seen.acknowledged else [key for _, key in seen.state]
        for step, old, (is_key, new) in zip(steps, before, seen.state, strict=True):
            assert is_key, f"step_key returned {new or 'an empty text'}; expected a text"
            assert old == new, f"{_call(step)} returned {_short(old)}; after a restart, {_short(new)}"

    report = sweep(run, recover, invariant, name="step_key")
    problem = report.problem or ""
    assert "NONDETERMINISTIC" not in problem, "Two runs were alike in everything, and step_key returned different keys"
    if problem:
        raise DidNotSurviveError(problem.replace("run ", "step_key ", 1), str(report.problem_line or ""))
    for point in report.broken:
        raise AssertionError(point.broken()[0].reason)
    assert "ACK" in {effect.op for effect in report.effects}, (
        "The keys did not reach the world: step_key changed labkit"
    )


def keys_differ(program: Program, rng: Random) -> None:
    """No two steps share a key, whatever their names."""
    one, two, three = (_word(rng) for _ in range(3))
    plain = [(one, two), (two, one), (one, three), (three, two), (one.upper(), two), (one[::-1], two), (one, f"{two} ")]
    long = [("long" * 60 + one, two), ("long" * 60 + three, two), (one, "long" * 60 + two), (one, "long" * 60 + three)]
    drawn = [(_word(rng), _word(rng)) for _ in range(100)]

    def find_two() -> list | None:
        step_key, first = program["step_key"], {}
        used = _between(_text(step_key(one, two)), one, two)
        glued = [step for separator in [*used, *SEPARATORS] for step in _glued(separator, one, two, three)]
        for step in [*plain, *glued, *long, *drawn]:
            key = _text(step_key(*step))
            if first.setdefault(key, step) != step:
                return [first[key], step, key]
        return None

    seen = trial(find_two)
    assert seen.how == "returned", f"step_key {_did(seen)}"
    assert seen.value is None, "{} and {} return the same key, {}".format(
        *map(_call, seen.value[:2]), _short(seen.value[2])
    )


def skips_completed(program: Program, rng: Random) -> None:
    """A completed task is returned as it is, and nothing is done."""
    task = _task(rng, state=TaskState.COMPLETED, result=f"charged yesterday, receipt {rng.randrange(10**6)}")
    seen = trial(lambda: _facts(_execute(program, task, _charge(5))), lambda: _insert(task))
    assert not seen.world.calls, "The task was completed already, and do_work was called again"
    assert seen.how == "returned", f"The task was completed already, and execute_task_if_not_done {_did(seen)}"
    assert seen.value == _facts(task), (
        f"The task was completed already, and execute_task_if_not_done returned {_words(seen.value)}; expected the task"
    )


def saves_result(program: Program, rng: Random) -> None:
    """The work is done once, with what the user said; its result is saved and returned."""
    task, amount = _task(rng), rng.randrange(1, 10**6)
    seen = trial(lambda: _facts(_execute(program, task, _charge(amount))), lambda: _insert(task))
    assert seen.how == "returned", f"execute_task_if_not_done {_did(seen)}"
    calls = len(seen.world.calls)
    assert calls == 1, f"do_work was called {calls} times; expected once"
    call = seen.world.calls[0]
    given, key = call.arguments["customer"], call.key
    assert given == task.user_input, f"do_work got the user_input {_short(given)}; expected {_short(task.user_input)}"
    assert isinstance(key, str) and key, f"do_work got the key {_short(key)}; expected what step_key returned"
    expected = ["completed", f"charged {task.user_input} {amount} EUR"]
    for what, found in (("the store holds", _stored(seen.files, task)), ("it returned", seen.value)):
        assert found == expected, f"After the work, {what} {_words(found)}; expected {_words(expected)}"


def no_duplicates(program: Program, rng: Random) -> None:
    """The ledger holds one charge per task: wherever a crash came, and after a call without an answer."""
    task = _task(rng)
    other, work = _task(rng, user_input=task.user_input), _charge(rng.randrange(1, 10**6))
    _each_task_has_its_charge(program, task, other, work)

    def insert() -> None:
        _insert(task)

    def insert_and_lose_an_answer() -> None:
        _insert(task)
        arrange(faults={"charge": ["ambiguous"]})

    def run() -> Any:
        try:
            return _facts(_execute(program, task, work))
        except ToolTimeoutError:  # whoever started it starts it again
            return _facts(_execute(program, task, work))

    _assert_survives(sweep(run, run, _ran_once("the key changes at a restart"), insert))
    _an_error_is_let_through(trial(run, insert_and_lose_an_answer))
    invariant = _ran_once("the key changes after a call without an answer")
    _assert_survives(sweep(run, run, invariant, insert_and_lose_an_answer))
    _assert_survives(sweep(run, run, _ran_once("the key changes at the second restart"), insert, depth=2))


def _each_task_has_its_charge(program: Program, task: Task, other: Task, work: Callable) -> None:
    def run() -> None:
        _execute(program, task, work)
        _execute(program, other, work)

    seen = trial(run, lambda: _insert(task, other))
    assert seen.how == "returned", f"execute_task_if_not_done {_did(seen)}"
    ledger = seen.world.ledger
    assert len(ledger) != 1, (
        f"Two tasks with the same wish were executed, and charge ran once: both had the key {_short(ledger[0].key)}"
    )


def _an_error_is_let_through(seen: Trial) -> None:
    happened = "charge acted, its answer was lost, and execute_task_if_not_done"
    assert seen.how == "returned", f"{happened} {_did(seen)}"
    _ran_once("a call without an answer was repeated under a new key")(seen.world)
    state = seen.value[0] if isinstance(seen.value, list) else "completed"
    assert state == "completed", f"{happened} returned {_words(seen.value)}: let the error of do_work through"


def _ran_once(why: str) -> Callable:
    def invariant(seen) -> None:
        count, keys = len(seen.ledger), {str(call.key) for call in seen.ledger}
        times = "twice" if count == 2 else f"{count} times"
        assert count, "charge has never run, though execute_task_if_not_done returned"
        assert count == 1 or keys != {"None"}, f"charge ran {times}: do_work got no key"
        assert count == 1, f"charge ran {times}, under {'two' if len(keys) == 2 else len(keys)} keys: {why}"

    return invariant


def _assert_survives(report: Report) -> None:
    """As the report's own, in words that name the student's lines and leave out those of the store."""
    if report.problem or not report.broken:
        report.assert_survives()
    for point in report.broken:
        outcome = point.broken()[0]
        last = next(filter(_label, reversed(report.effects[: point.k])), None)
        following = next(filter(_label, report.effects[point.k :]), None)
        moment = f"after {_label(last)}" if last else "at the start"
        again = "; the next process was killed as well" if outcome.again else ""
        what = f"Killed {moment}, before {_label(following) if following else 'the end'}{again}: {outcome.reason}"
        raise DidNotSurviveError(
            what, str(last.line) if last and _is_answer(last.line) else "", report.score(), report.timeline()
        )


def _label(effect: Effect) -> str:
    """An effect as the student knows it: of what the store does, only the save itself."""
    if f"{STORE}/" in effect.target:
        return "a save of the task" if effect.op == "replace" else ""
    return f"{effect} in line {effect.line.number}" if _is_answer(effect.line) else ""


def _is_answer(line: Line | None) -> bool:
    return line is not None and line.file.startswith("<answer")


def _word(rng: Random) -> str:
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=5))


def _task(rng: Random, **fields: Any) -> Task:
    wish = f"the bill of customer {rng.randrange(10**6)}"
    return Task(id=f"task-{rng.randrange(10**9)}", **{"user_input": wish, **fields})


def _charge(amount: int) -> Callable[[str, str], str]:
    """Work with an effect in the world."""
    return lambda user_input, key: tool("charge", key=key, customer=user_input, amount=amount)


def _insert(*tasks: Task) -> None:
    for task in tasks:
        FileStateStore(STORE).insert(task)


def _execute(program: Program, task: Task, work: Callable[[str, str], str]) -> Any:
    return program["execute_task_if_not_done"](task.id, FileStateStore(STORE), work)


def _facts(task: Any) -> Any:
    """What counts of a task; anything else as text."""
    return [str(task.state), task.result] if isinstance(task, Task) else repr(task)


def _stored(files: dict, task: Task) -> list:
    """What counts of the stored task, read from its file: the answer's process is not asked."""
    record = json.loads(files[f"{STORE}/task/{task.id}.json"])["record"]
    return [record["state"], record["result"]]


def _words(facts: Any) -> str:
    return f"a {facts[0]} task with the result {facts[1]!r}" if isinstance(facts, list) else f"{facts}, not a task"


def _text(key: object) -> str:
    """A key as text, without asking it."""
    return str.__str__(key) if isinstance(key, str) else without_addresses(repr(key))


def _salt_hash(answer: Callable) -> None:
    """Give an answer the `hash` of another process: for text it differs in each, and the children here share one."""
    salted = lambda thing: hash(thing if isinstance(thing, int | float) else ("salt", thing))  # noqa: E731
    getattr(answer, "__globals__", {}).setdefault("hash", salted)


def _between(key: str, *names: str) -> list[str]:
    """What stands between two names in a key that holds both as they are."""
    found = []
    for left, right in (names, names[::-1]):
        start, end = key.find(left), key.rfind(right)
        if -1 < start < end:
            found.append(key[start + len(left) : end])
    return found


def _glued(separator: str, one: str, two: str, three: str) -> list[tuple[str, str]]:
    """Steps that get one key if names are glued together with this separator, escaped by a backslash or not."""
    return [
        (f"{one}{separator}{two}", three),
        (one, f"{two}{separator}{three}"),
        (f"{one}\\", f"{two}{separator}{three}"),
        (f"{one}{separator}{two}\\", three),
        (f"{two}{separator}{three}", one),
        (three, f"{one}{separator}{two}"),
    ]


def _call(step: Any) -> str:
    return "step_key({}, {})".format(*map(_short, step))


def _short(thing: Any) -> str:
    text = repr(thing)
    return text if len(text) <= 50 else f"{text[:30]}…{text[-15:]}"


def _did(seen) -> str:
    """How a trial went, as the predicate of a sentence."""
    return f"{seen.failure}{f' at {seen.line}' if _is_answer(seen.line) else ''}"
