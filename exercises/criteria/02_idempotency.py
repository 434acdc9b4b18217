"""Judges chapter 2: the key of a step, and a task whose work takes effect once. Answers run in children only."""

import ast
import json
import math
import os
import subprocess
import sys
import time
import traceback
import unicodedata
from asyncio import CancelledError
from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import chain, islice, product, zip_longest
from random import Random
from typing import Any
from urllib.parse import quote

from labkit import FileStateStore, Task, TaskState, ToolTimeoutError, ack, arrange, sweep, tool, trial
from labkit.crash import DidNotSurviveError, Effect, Line, Report
from labkit.crash.pickling import pickled
from labkit.crash.under_test import lines_under_test, without_addresses
from labkit.grading.judge.calls import salt_hash
from labkit.grading.judge.differences import quoted_apart
from labkit.grading.judge.program import Program
from labkit.grading.judge.survival import assert_survives, counterexample, did, theirs
from labkit.world import ToolError, ToolUnavailableError

STORE, LETTERS = "tasks", "abcdefghijklmnopqrstuvwxyz"
SEPARATORS = ["", *"/:-_.,;|#@+&= \t\n\0'\"\\%\x1f", "::", "--", "__", "//", "||", ", ", " - ", "->", '", "', "', '"]
"""What stands between two names in keys that are made by gluing them together."""
ALIKE = [
    ("caf\u00e9", "cafe\u0301"), ("\ufb01le", "file"), ("stra\u00dfe", "strasse"), ("\u212a", "K"), ("\u2163", "IV"),
    ("\uff11", "1"), ("x\u00b2", "x2"), ("\u03c2", "\u03c3"), ("\uac00", "\u1100\u1161"), ("\u017f", "s"),
    ("\u0436", "\u0448"), ("\u0436", ""), ("\u5de5", "\u529b"), ("\U0001f4b3", "\U0001f4b0"), ("\u00e9", "e"),
    ("a\u200db", "ab"), ("a\u00adb", "ab"), ("\ufeffa", "a"), ("a\u00a0b", "a b"), ("a\u2028b", "a\nb"),
    ("a\r\nb", "a\nb"), ("a\tb", "a b"), ("a  b", "a b"), ("a ", "a"), (" a", "a"), ("a\n", "a"), ("a\x01b", "ab"),
    ("A", "a"), ("07", "7"), ("+7", "7"), ("7.0", "7"), ("1_0", "10"), ("1e1", "10"), ("\u0663", "3"), ("true", "True"),
    ('"a"', "a"), ("'a'", "a"), ("%2F", "/"), ("a+b", "a b"), ("&amp;", "&"), ("\\n", "\n"), ("\\u0061", "a"),
    ("a//b", "a/b"), ("a/./b", "a/b"), ("a/../b", "b"), ("a/", "a"), ("a-b", "a_b"), ("a b", "ab"), ("aab", "ab"),
    ("ab", "ba"), ("a.", "a"), ("a#b", "a"), ("a?b", "a"), ("a:b", "a"), ("None", ""),
]  # fmt: skip
"""Names that are two, and become one where text is normalised, folded, trimmed, parsed or cleaned."""
ESCAPED = [
    (escaped, sign)
    for sign in ("\u00e9", "\u0436", "\U0001f4b3")
    for escaped in (
        *(sign.encode("ascii", errors).decode() for errors in ("xmlcharrefreplace", "backslashreplace", "namereplace")),
        *(sign.encode(codec).decode("ascii") for codec in ("utf-7", "punycode")),
        *(quote(sign), json.dumps(sign)[1:-1], sign.encode().hex(), str([*sign.encode()]), str(ord(sign))),
        *(sign.encode().decode("latin-1"), b2a_qp(sign.encode()).decode(), b64encode(sign.encode()).decode()),
    )
]  # fmt: skip
"""The same for signs that are written out in one of the ways in which that is done."""
BITS = 62
"""The exercise asks for 64 in a digest; the measure may err by some."""
TEXTS = [
    "", " two  spaces ", "None", "null", "\n", "two\nlines\n", "three\r\nlines\rof others", "'\"",
    "\\n {} %s", "Error: nothing was done",
    "[1, 2]", "\u0441\u0447\u0451\u0442", "\u4ed8\u6b3e", "\U0001f4b3 cafe\u0301 caf\u00e9 \ufb01le",
]  # fmt: skip
"""What a user may say, and what work may return."""
RESTART = 400 * 86_400
"""Virtual seconds between two calls: it may be another day, month and year."""
TRIES = 50
"""How often one call may try again: more counts as without end."""

OFTEN = 12
"""How many calls fail, one after the other, for one of the tasks."""


class NoAnswerError(Exception):
    """An error that cannot be made again from its text."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"{host}:{port} gave no answer")


ERRORS: list[Callable[[], BaseException]] = [
    lambda: ToolTimeoutError("charge: no answer came in time"), lambda: ToolUnavailableError("charge is out of reach"),
    lambda: ToolError("charge: the card has expired"), lambda: ValueError("not an amount"), TimeoutError,
    lambda: ConnectionResetError(104, "connection reset"), lambda: OSError(28, "no space left"), KeyboardInterrupt,
    lambda: KeyError("amount"), lambda: RuntimeError("charge failed"), lambda: NoAnswerError("bank", 443),
    lambda: SystemExit("stop"), GeneratorExit, CancelledError,
]  # fmt: skip
"""What do_work may raise: for a while, for ever, and with nobody to know whether it acted."""
FRESH = "import json, pickle, sys; print('\\n' + json.dumps(pickle.load(sys.stdin.buffer)()))"


def key_survives_restart(program: Program, rng: Random) -> None:
    """A new process makes the keys that the old one made, in whatever order it needs them."""
    same = _word(rng)
    steps = [*((_word(rng), _word(rng)) for _ in range(5)), (same, same)]

    def make() -> list:
        keys = [program["step_key"](*("".join([*name]) for name in step)) for step in reversed(steps)]
        return [(isinstance(key, str) and bool(key), _text(key)) for key in reversed(keys)]

    def run() -> None:
        ack(json.dumps([_text(program["step_key"](*step)) for step in steps]))

    def invariant(seen) -> None:
        _keys_are_kept(steps, json.loads(seen.acknowledged[0]) if seen.acknowledged else [], seen.state)

    def recover() -> list:
        salt_hash(program["step_key"], "another process")
        time.sleep(RESTART)
        return make()

    report = sweep(run, recover, invariant, name="step_key")
    alike = "NONDETERMINISTIC" not in (report.problem or "")
    assert alike, "It was called twice in the same circumstances, and step_key returned different keys"
    if told := counterexample(report, "step_key"):
        raise DidNotSurviveError(told.what, str(told.line or ""))
    assert "ACK" in {effect.op for effect in report.effects}, (
        "The keys did not reach the world: step_key changed labkit"
    )
    code, seed = pickled(make), rng.randrange(1, 10**6)
    if _may_hash(program):
        now, later = _asked_anew(trial(lambda: [make(), _in_a_new_python(code, seed)]))
        _keys_are_kept(steps, [key for _, key in now], later)


def _keys_are_kept(steps: list, before: list[str], after: list) -> None:
    for step, old, (is_key, new) in zip(steps, before or [key for _, key in after], after, strict=True):
        assert is_key, f"step_key returned {new or 'an empty text'}; expected a text"
        where, one, other = quoted_apart(old, new)
        if old != new and len(one + other) > 90:  # a sweep tells 160 characters
            start = next(n for n, (mine, theirs) in enumerate(zip_longest(old, new)) if mine != theirs)
            where, one, other = f" from character {start + 1} on", ascii(old[start:][:24]), ascii(new[start:][:24])
        assert old == new, f"{_call(step)} returned{where} {one}; after a restart, {other}"


def keys_differ(program: Program, rng: Random) -> None:
    """No two steps share a key, whatever their names: names to be mixed up, and digests too short for many steps."""
    one, two, three = (_word(rng) for _ in range(3))
    few = [(one, two), (two, one), (one, three), (three, two), (one, one), (two, two), (one[::-1], two)]
    texts, long = _constants(program)
    tokens = texts[:6]
    seen = trial(lambda: _find_two(program["step_key"], few))
    assert seen.how == "returned", f"step_key {did(seen)}"
    pure = seen.effects == ["RETURN"]  # one that keeps its keys in files is asked for fewer: a trial has few effects

    def find_two() -> list | None:
        step_key = program["step_key"]
        used = _between(_text(step_key(one, two)), one, two)
        mixed = _mixed([*used, *texts, *SEPARATORS], one, two, three)
        if not pure:
            return _find_two(step_key, islice(chain(few, mixed), 300))
        alike = _alike(one, two, three, "long" * long)
        return _find_two(step_key, chain(few, mixed, alike, _small(tokens))) or _too_short(step_key, rng)

    seen = seen if seen.value else trial(find_two)
    assert seen.how == "returned", f"step_key {did(seen)}"
    assert not isinstance(seen.value, int), f"The keys of step_key have about {seen.value} bits; expected 64 at least"
    assert seen.value is None, "{} and {} return the same key, {}".format(
        *_calls(*seen.value[:2]), _short(seen.value[2])
    )


def skips_completed(program: Program, rng: Random) -> None:
    """A completed task is returned as it is, and nothing is done, whatever its result is."""
    results = [f"charged yesterday, receipt {rng.randrange(10**6)}", *rng.sample(TEXTS, 3), ""]
    tasks = [_task(rng, state=TaskState.COMPLETED, result=result, journal={"old": "step"}) for result in results]
    seen = trial(lambda: [_facts(_execute(program, task, _charge(5))) for task in tasks], lambda: _insert(*tasks))
    assert not seen.world.calls, "The task was completed already, and do_work was called again"
    assert seen.how == "returned", f"The task was completed already, and execute_task_if_not_done {did(seen)}"
    for task, found in zip(tasks, seen.value, strict=True):
        assert found == _facts(task), (
            f"The task was completed already, and execute_task_if_not_done returned {_words(found)}; expected the task"
        )
        stored = _stored(seen.files, task)
        assert stored == _facts(task), f"The task was completed already, and now the store holds {_words(stored)}"


def saves_result(program: Program, rng: Random) -> None:
    """The work is done once, with what the user said; its result, and nothing else, is saved and returned."""
    wishes = [f"the bill of customer {rng.randrange(10**6)}", *rng.sample(TEXTS, len(TEXTS))]
    work = [
        (_task(rng, user_input=wish), result)
        for wish, result in zip(wishes, [None, *reversed(wishes[1:])], strict=True)
    ]

    def run() -> list:
        return [_facts(_execute(program, task, _charge(n, result))) for n, (task, result) in enumerate(work)]

    seen = trial(run, lambda: _insert(*(task for task, _ in work)))
    assert seen.how == "returned", f"execute_task_if_not_done {did(seen)}"
    for n, (task, result) in enumerate(work):
        calls = [call for call in seen.world.calls if call.arguments["amount"] == n]
        assert len(calls) == 1, f"do_work was called {len(calls)} times; expected once"
        given, key = calls[0].arguments["customer"], calls[0].key
        where, one, other = quoted_apart(given, task.user_input)
        assert given == task.user_input, f"do_work got the user_input{where} {one}; expected {other}"
        assert isinstance(key, str) and key, f"do_work got the key {_short(key)}; expected what step_key returned"
        expected = ["completed", f"charged {task.user_input} {n} EUR" if result is None else result]
        for what, found in (("the store holds", _stored(seen.files, task)), ("it returned", seen.value[n])):
            _is_result(f"After the work, {what}", found, expected)
    for lives in _tasks_with_errors(program, rng):
        _nothing_is_made_up(lives)


def no_duplicates(program: Program, rng: Random) -> None:
    """The ledger holds one charge per task: wherever a crash came, and after a call without an answer."""
    amount = rng.randrange(1, 10**6)
    task = _task(rng, user_input=f"the bill of customer {rng.randrange(10**6)}\r\nand of their neighbour\r")
    other, work = _task(rng, user_input=task.user_input), _charge(amount)
    expected = ["completed", f"charged {task.user_input} {amount} EUR"]

    survives = partial(_assert_survives, expected)

    def run() -> Any:
        return _facts(_execute(program, task, work))

    def run_twice() -> Any:
        try:
            return run()
        except ToolTimeoutError:  # whoever started it starts it again
            return run()

    def work_and_die(user_input: str, key: str) -> None:
        work(user_input, key)
        raise KeyboardInterrupt

    def insert() -> None:
        _insert(task)

    def insert_and_die() -> None:
        insert()
        with suppress(KeyboardInterrupt):
            _execute(program, task, work_and_die)
        time.sleep(RESTART)

    def insert_and_lose_an_answer() -> None:
        insert()
        arrange(faults={"charge": ["ambiguous"]})

    _each_task_has_its_charge(program, task, other, work)
    survives(run, "the key changes at a restart", insert)
    for lives in _tasks_with_errors(program, rng):
        _errors_are_let_through(lives)
    if _may_hash(program):
        _a_new_python_has_the_key(program, task, rng.randrange(1, 10**6))
    survives(run_twice, "the key changes after a call without an answer", insert_and_lose_an_answer)
    survives(run, "the key changes at the second restart", insert_and_die)


def _each_task_has_its_charge(program: Program, task: Task, other: Task, work: Callable) -> None:
    def run() -> None:
        _execute(program, task, work)
        _execute(program, other, work)

    seen = trial(run, lambda: _insert(task, other))
    assert seen.how == "returned", f"execute_task_if_not_done {did(seen)}"
    keys, many = {call.key for call in seen.world.calls}, len(seen.world.calls)
    why = f"both had the key {_short(*keys)}" if many > 1 and len(keys) == 1 else "do_work was not called for both"
    assert len(seen.world.ledger) != 1, f"Two tasks with the same wish were executed, and charge ran once: {why}"


def _tasks_with_errors(program: Program, rng: Random) -> list[list[dict]]:
    """For each error a task and its calls: do_work raises it always, then another one at first; then it works."""
    plans, often = [], rng.randrange(len(ERRORS))
    for error in range(len(ERRORS)):
        failing = [(error, TRIES)] * (OFTEN if error == often else 1)
        lives = [*failing, (rng.randrange(len(ERRORS)), 1), (error, 0), (error, TRIES)]
        plans.append((_task(rng), f"charged, receipt {rng.randrange(10**6)}", lives))

    def run() -> list:
        kept: list = []  # what is kept has an address of its own
        told = []
        for task, result, lives in plans:
            told.append([])
            for error, times in lives:
                time.sleep(RESTART)
                told[-1].append(_life(program, task, result, ERRORS[error], times, kept))
                if told[-1][-1]["calls"] > TRIES:
                    return told
        return told

    seen = trial(run, lambda: _insert(*(task for task, *_ in plans)))
    assert seen.how == "returned", f"do_work raised an error, and execute_task_if_not_done {did(seen)}"
    return seen.value


def _life(program: Program, task: Task, result: str, error: Callable, times: int, kept: list) -> dict:
    """One call, whose do_work raises at its first `times` calls: what was done, and what came of it."""
    keys: list[str] = []
    raised: list = [None]
    cause = OSError(111, "the bank is down") if times % 2 == 0 else None

    def do_work(user_input: str, key: str) -> str:  # noqa: ARG001
        keys.append(_text(key))
        raised[0] = error() if len(keys) <= times else None
        if raised[0] is not None:
            raise raised[0] from cause
        return result

    kept.append(do_work)
    told = {"error": "", "line": [], "same": False, "result": result}
    try:
        told["returned"] = _facts(_execute(program, task, do_work))
    except BaseException as caught:  # noqa: BLE001 - whatever comes out is what is looked at
        told["error"] = _error(caught)
        told["same"] = raised[0] is not None and told["error"] == _error(raised[0])
        if caught is raised[0] and _named(caught.__cause__) != _named(cause):
            told["same"] = False
            told["error"] += f", with {_named(caught.__cause__)} as its cause"
        told["line"] = lines_under_test(reversed(list(traceback.walk_tb(caught.__traceback__))))
    stored = FileStateStore(STORE).get(Task, task.id)
    work_error = "" if raised[0] is None else _error(raised[0])
    return {**told, "calls": len(keys), "keys": keys, "raised": work_error, "stored": _facts(stored)}


def _nothing_is_made_up(lives: list[dict]) -> None:
    """What is completed has the result that do_work returned."""
    raised = ""
    for life in lives:
        _has_an_end(life)
        raised = life["raised"] or raised
        state, result = life["stored"]
        assert state != "completed" or result == life["result"], (
            f"do_work raised {raised}, and the store holds {_words(life['stored'])}: do_work never returned that"
        )


def _errors_are_let_through(lives: list[dict]) -> None:
    """An error comes out as it is; the next call goes on, under the same key."""
    happened, done = "", False
    for life in lives:
        _has_an_end(life)
        happened = f"do_work raised {life['raised']}, and " if life["raised"] else happened
        again = "" if life["raised"] or not happened else "the next call of "
        line = Line.first(life["line"])
        came = f"raised {life['error']}{f' at {line}' if line else ''}" if life["error"] else ""
        came = came or f"returned {_words(life['returned'])}"
        what = f"{happened}{again}execute_task_if_not_done {came}"
        if life["raised"]:
            assert life["same"], f"{what}: let the error of do_work through"
            assert life["stored"][0] != "completed", f"{happened}the store holds {_words(life['stored'])}"
        else:
            assert life["calls"] or done, f"{what}, and did not call do_work again: it must go on"
            assert life.get("returned") == life["stored"] == ["completed", life["result"]], f"{what}: it must go on"
            assert not (done and life["calls"]), "The task was completed already, and do_work was called again"
            done = True
    keys = sorted({key for life in lives for key in life["keys"]})
    where, one, other = quoted_apart(*keys[:2]) if len(keys) > 1 else ("", "", "")
    assert len(keys) == 1, (
        f"do_work raised {lives[0]['raised']}, and was called again under another key,{where} {one} "
        f"and {other}: a call without an answer was repeated under a new key"
    )


def _has_an_end(life: dict) -> None:
    raised = f"do_work raised an error each time, and one call of execute_task_if_not_done called it {TRIES} times"
    assert life["calls"] <= TRIES, f"{raised}: let the error of do_work through"


def _a_new_python_has_the_key(program: Program, task: Task, seed: int) -> None:
    """The hash of a text is another in each Python: no key may come of it."""
    error = ERRORS[0]

    def go_on() -> dict:
        return _life(program, task, "charged", error, 0, [])

    code = pickled(go_on)

    def live() -> list:
        return [_life(program, task, "charged", error, TRIES, []), _in_a_new_python(code, seed)]

    (*_, before), after = (life["keys"] or [""] for life in _asked_anew(trial(live, lambda: _insert(task))))
    assert after[0] in ("", before), (
        f"do_work was called under two keys, {_short(before)} and {_short(after[0])}: the key changes at a restart"
    )


def _may_hash(program: Program) -> bool:
    """Whether something in the answers may have to do with the hash of a text. To start a Python takes long."""
    nodes = [node for tree in _trees(program) for node in ast.walk(tree)]
    names = " ".join(getattr(node, "id", "") or getattr(node, "attr", "") for node in nodes).replace("hashlib", "")
    return "hash" in names or "set" in names or any(isinstance(node, ast.Set | ast.SetComp) for node in nodes)


def _in_a_new_python(code: bytes, seed: int) -> Any:
    """In a child: what a pickled function returns in another Python, where texts have other hashes."""
    command, places = [sys.executable, "-P", "-c", FRESH], os.pathsep.join(filter(None, sys.path))
    environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": places}
    done = subprocess.run(command, input=code, capture_output=True, env=environment, check=False)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else "no answer"


def _asked_anew(seen) -> list:
    """What an answer did here and in another Python. RuntimeError, so that nothing is judged, if there was none."""
    if seen.how != "returned" or seen.value[1] == "no answer":
        raise RuntimeError("no other Python could be asked")
    return seen.value


def _ran_once(why: str, expected: list) -> Callable:
    """One charge, whatever was killed, and what it returned is the result."""

    def invariant(seen) -> None:
        count, keys = len(seen.ledger), {str(call.key) for call in seen.ledger}
        times = "twice" if count == 2 else f"{count} times"
        assert count, "charge has never run, though execute_task_if_not_done returned"
        assert count == 1 or keys != {"None"}, f"charge ran {times}: do_work got no key"
        assert count == 1, f"charge ran {times}, under {'two' if len(keys) == 2 else len(keys)} keys: {why}"
        _is_result("after the restart, it returned", seen.state, expected)

    return invariant


def _assert_survives(expected: list, run: Callable, why: str, setup: Callable) -> None:
    report = sweep(run, run, _ran_once(why, expected), setup, name="execute_task_if_not_done")
    assert_survives(report, moment=_moment)


def _moment(report: Report, k: int) -> tuple[str, Line | None]:
    """A crash point, in words that leave out what the store does."""
    last = next(filter(_label, reversed(report.effects[:k])), None)
    following = next(filter(_label, report.effects[k:]), None)
    after = f"after {_label(last)}" if last else "at the start"
    return f"{after}, before {_label(following) if following else 'the end'}", last and last.line


def _label(effect: Effect) -> str:
    """An effect as the student knows it: of what the store does, only the save itself."""
    if f"{STORE}/" in effect.target:
        return "a save of the task" if effect.op == "replace" else ""
    return f"{effect} in line {effect.line.number}" if theirs(effect.line) else ""


def _word(rng: Random) -> str:
    return "".join(rng.choices(LETTERS, k=5))


def _task(rng: Random, **fields: Any) -> Task:
    wish = f"the bill of customer {rng.randrange(10**6)}"
    return Task(id=f"task-{rng.randrange(10**9)}", **{"user_input": wish, **fields})


def _charge(amount: int, result: str | None = None) -> Callable[[str, str], str]:
    """Work with an effect in the world. It returns this result, or what the tool says."""

    def do_work(user_input: str, key: str) -> str:
        said = tool("charge", key=key, customer=user_input, amount=amount)
        return said if result is None else result

    return do_work


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


def _is_result(what: str, found: Any, expected: list) -> None:
    """AssertionError that says what is found, unless it is a task with this state and result."""
    if isinstance(found, list) and found != expected and found[0] == expected[0]:
        where, one, other = quoted_apart(found[1], expected[1])
        raise AssertionError(f"{what} a {found[0]} task with the result{where} {one}; expected the result {other}")
    assert found == expected, f"{what} {_words(found)}; expected {_words(expected)}"


def _words(facts: Any) -> str:
    return f"a {facts[0]} task with the result {facts[1]!r}" if isinstance(facts, list) else f"{facts}, not a task"


def _text(key: object) -> str:
    """A key as text, without asking it."""
    return str.__str__(key) if isinstance(key, str) else without_addresses(repr(key))


def _between(key: str, *names: str) -> list[str]:
    """What stands between two names in a key that holds both as they are."""
    found = []
    for left, right in (names, names[::-1]):
        start, end = key.find(left), key.rfind(right)
        if -1 < start < end:
            found.append(key[start + len(left) : end])
    return found


def _find_two(step_key: Callable, steps: Any) -> list | None:
    """Two of these steps that get one key, and the key."""
    first: dict = {}
    for step in steps:
        key = _text(step_key(*step))
        if first.setdefault(key, step) != step:
            return [first[key], step, key]
    return None


def _trees(program: Program) -> list[ast.Module]:
    return [ast.parse(source.text) for source in program.sources if source.file.startswith("<answer")]


def _constants(program: Program) -> tuple[list[str], int]:
    """The short texts in the answers, the shortest first, and how long a name is longer than any number in them."""
    values = [node.value for tree in _trees(program) for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    texts = {v.decode("latin-1") if isinstance(v, bytes) else v for v in values if isinstance(v, str | bytes)}
    numbers = [value for value in values if isinstance(value, int) and value < 5000]
    return sorted(filter(None, (t for t in texts if len(t) <= 12)), key=lambda t: (len(t), t)), max([60, *numbers])


def _mixed(separators: list[str], one: str, two: str, three: str) -> Iterator[tuple[str, str]]:
    """Steps that get one key if names are glued, escaped by half, trimmed or filled up with one of these."""
    for s in separators:
        yield from [(f"{one}{s}{two}", three), (one, f"{two}{s}{three}"), (f"{one}\\", f"{two}{s}{three}")]
        yield from [(f"{one}{s}{two}\\", three), (f"{two}{s}{three}", one), (three, f"{one}{s}{two}")]
        yield from [(f"{one}{s}{s}{two}", three), (f"{one}{s}", two), (f"{s}{one}", two), (one, f"{two}{s}")]


def _alike(one: str, two: str, three: str, long: str) -> Iterator[tuple[str, str]]:
    """Names that look alike, long ones, what a path leaves out, and lengths of which nothing says where they end."""
    yield from product([".", "..", one], repeat=2)
    a, many = one[0], one[0] * 11
    yield from [("1", many + two), (many, two), (a, f"{many[1:]}{two}1"), (a, f"2{two}"), (f"{a}1", two)]
    yield from [(a, many + a), (many, a + a)]
    for pair in (*ALIKE, *ESCAPED):
        for name in pair:
            yield from [(one, two + name + three), (one + name + three, two), (one, name), (name, two)]
    yield from [(long + one, two), (long + three, two), (one, long + two), (one, long + three)]
    yield from [(one + long, two), (three + long, two)]


def _small(tokens: list[str]) -> Iterator[tuple[str, str]]:
    """All pairs of small names made of these texts, such as an answer may put between two names or before a text."""
    for first in tokens:
        names = ["".join(w) for size in (1, 2, 3) for w in product(sorted({first, "a", "\\"}), repeat=size)]
        yield from product(names, names)
    names = ["".join(word) for size in (1, 2) for word in product([*tokens, "a"], repeat=size)]
    yield from product(names, names)


def _too_short(step_key: Callable, rng: Random) -> list | int | None:
    """Where one name decides too little of the key: two steps that get one, or if that takes too long, its bits."""
    fixed = "".join(rng.choices(LETTERS, k=40))
    for make in (lambda name: (fixed, name), lambda name: (name, fixed)):
        places: dict[int, set] = {}
        for _ in range(1500):
            for place, char in enumerate(_text(step_key(*make("".join(rng.choices(LETTERS, k=40)))))):
                places.setdefault(place, set()).add(char)
        bits = sum(math.log2(len(seen)) for seen in places.values())
        if bits < BITS:
            enough = min(int(5 * 2 ** (bits / 2)), 400_000)  # of n keys with b bits two are alike if n² is 25 · 2^b
            found = _find_two(step_key, (make(f"step {rng.getrandbits(64):x}") for _ in range(enough)))
            return found or (round(bits) if bits > 28 else None)  # a counter has fewer, and no two alike
    return None


def _error(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _named(cause: BaseException | None) -> str:
    return "nothing" if cause is None else _error(cause)


def _call(step: Any, form: Callable = repr) -> str:
    return "step_key({}, {})".format(*(_short(name, form) for name in step))


def _calls(one: Any, other: Any) -> list[str]:
    """Two calls, in texts that nobody takes for the same: of signs that look like others, their numbers."""
    calls = _call(one), _call(other)
    alike = any(unicodedata.normalize("NFKC", call) != call for call in calls)
    return [_call(step, ascii) for step in (one, other)] if alike else [*calls]


def _short(thing: Any, form: Callable = repr) -> str:
    text = form(thing)
    return text if len(text) <= 50 else f"{text[:30]}…{text[-15:]}"
