"""Judges chapter 6: the order of undoing, and a saga that is killed everywhere. Answers run in children only."""

import json
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, NamedTuple

from labkit import arrange, standing, sweep, tool, trial
from labkit.crash import DidNotSurviveError, Effect, Line, Report, Trial
from labkit.grading.judge.program import Program

UNDO = {"create_dns": "delete_dns", "issue_certificate": "revoke_certificate", "deploy_container": "remove_container"}
NEEDS = {"create_dns": (), "issue_certificate": ("create_dns",), "deploy_container": ("issue_certificate",)}
NEVER = ["ambiguous"] * 100
"""An answer that never comes: the tool acts all the same."""


class Saga(NamedTuple):
    """What the judge lets run: an id, a service, and the order in which the steps are listed."""

    name: str
    service: str
    listed: tuple[str, ...]


def undo_order(program: Program, rng: Random) -> None:
    """Whatever was done and however the steps are listed, dependents come first."""
    one, two, three, four = rng.sample(["dns", "disk", "queue", "cache", "proxy", "mail", "vault"], 4)
    chain = {one: (), two: (one,), three: (two,), four: (three,)}
    fork = {one: (), two: (one,), three: (one,), four: (three,)}
    diamond = {one: (), two: (one,), three: (one,), four: (two, three)}
    asked = [([one, two], chain), ([one, two, three, four], chain), ([four, two, one], diamond), ([one, four], chain)]
    asked += [([one, two, three, four], graph) for graph in (fork, diamond)] + [([three], chain), ([], chain)]
    questions = [
        (rng.sample(done, len(done)), {name: graph[name] for name in listed})
        for done, graph in asked
        for listed in (list(graph), list(graph)[::-1], rng.sample(list(graph), len(graph)))
    ]
    seen = trial(partial(_all_orders, program, questions))
    assert seen.how == "returned", f"undo_order {_did(seen)}"
    for (done, graph), told in zip(questions, seen.value, strict=True):
        _is_undo_order(f"undo_order({done}, …)", done, graph, told)


def crash_goes_on(program: Program, rng: Random) -> None:
    """Nothing fails but the process: the saga is completed, and nothing is undone."""
    saga = _saga(rng)
    _acts_in_order(_trial(program, saga))
    _sagas_have_keys_of_their_own(program, saga, _saga(rng))

    def invariant(seen) -> None:
        undone = [call.tool for call in seen.calls if call.tool in UNDO.values()]
        assert not undone, f"no step had failed, and {undone[0]} was called: a crash is no failure"
        _once(seen)
        missing = [name for name in UNDO if name not in _left(seen)]
        assert not missing, f"after the restart, {missing[0]} was never done"
        assert seen.state == "completed", f"after the restart, run_saga returned {seen.state!r}; expected 'completed'"

    _assert_survives(sweep(*_twice(program, saga), invariant, _world({}), name="run_saga"), effects=4)


def undoes_once(program: Program, rng: Random) -> None:
    """Whichever step fails, and wherever the process dies: nothing is left, and nothing is undone twice."""
    saga = _saga(rng)
    for failing in UNDO:
        seen = _trial(program, saga, {failing: ["permanent"]})
        _fair(seen)
        _undone_in_order(seen, failing)
        _nothing_left(f"{failing} refused")(_seen(seen))
    seen = _trial(program, saga, {"deploy_container": NEVER})
    _fair(seen)
    _nothing_left("deploy_container acted, its answer was lost")(_seen(seen))
    for faults, what in (
        ({"deploy_container": ["permanent"]}, "deploy_container had refused"),
        ({"deploy_container": ["transient"]}, "deploy_container had failed"),
        ({"issue_certificate": ["permanent"]}, "issue_certificate had refused"),
    ):
        _assert_survives(
            sweep(*_twice(program, saga), _all_or_nothing(what), _world(faults), name="run_saga"), effects=4
        )


def intent_first(program: Program, rng: Random) -> None:
    """A step that has acted may refuse after the restart; the log knows that it may have acted."""
    saga = _saga(rng)

    def known(seen) -> None:
        unknown = [name for name in _left(seen) if name not in seen.state]
        assert not unknown, f"{unknown[0]} has acted, and the log does not know it"

    look = lambda: json.dumps(program["Log"]().read(saga.name))  # noqa: E731
    _assert_survives(sweep(partial(_run, program, saga), look, known, _world({}), name="run_saga"), effects=4)
    for name in rng.sample(list(UNDO), 2):
        faults = {name: ["none", "permanent"]}
        what = f"{name} refused after the restart"
        report = sweep(*_twice(program, saga), _all_or_nothing(what), _world(faults), name="run_saga")
        _assert_survives(report, effects=4)


def parks(program: Program, rng: Random) -> None:
    """One compensation refuses for ever: the others are done, and whoever asks is told."""
    saga = _saga(rng)
    for stuck in ("create_dns", "issue_certificate"):
        faults = {"deploy_container": ["permanent"], UNDO[stuck]: ["permanent"]}

        def invariant(seen, stuck=stuck) -> None:
            _once(seen)
            others = [name for name in _left(seen) if name != stuck]
            assert not others, f"{UNDO[stuck]} refused, and {UNDO[others[0]]} was never done"
            assert seen.state == "parked", (
                f"{UNDO[stuck]} refused, {stuck} is left, and run_saga returned {seen.state!r}; expected 'parked'"
            )

        seen = _trial(program, saga, faults)
        assert seen.how == "returned", f"{UNDO[stuck]} refused, and run_saga {_did(seen)}: catch the error, go on"
        invariant(_seen(seen))
    _assert_survives(sweep(*_twice(program, saga), invariant, _world(faults), name="run_saga"), effects=4)


def _all_orders(program: Program, questions: list) -> list:
    """In a child: the order for each question, or how the answer failed."""
    told = []
    for done, graph in questions:
        steps = [program["Step"](name, print, print, needs) for name, needs in graph.items()]
        try:
            told.append(list(program["undo_order"](list(done), steps)))
        except Exception as error:  # noqa: BLE001 - it is the verdict
            told.append(f"raised {type(error).__name__}: {error}")
    return told


def _is_undo_order(call: str, done: list[str], graph: dict[str, tuple[str, ...]], order: Any) -> None:
    assert isinstance(order, list), f"{call} {order}"
    told = f"{call} returned {order}"
    for name in done:
        assert order.count(name) == 1, f"{told}: {name} is there {order.count(name)} times; expected once"
    strange = [name for name in order if name not in done]
    assert not strange, f"{told}: {strange[0]} was not done"
    for place, name in enumerate(order):
        early = [need for need in _all_needs(name, graph) if need in order[:place]]
        assert not early, f"{told}: {early[0]} is undone before {name}, which requires it{_over(name, early[0], graph)}"


def _all_needs(name: str, graph: dict) -> list[str]:
    return [other for need in graph[name] for other in (need, *_all_needs(need, graph))]


def _over(name: str, need: str, graph: dict) -> str:
    return "" if need in graph[name] else f" through {graph[name][0]}"


def _saga(rng: Random) -> Saga:
    service = rng.choice(["shop", "blog", "wiki", "mail", "chat"])
    return Saga(f"saga-{rng.randrange(10**6)}", f"{service}-{rng.randrange(10**6)}", tuple(rng.sample(list(UNDO), 3)))


def _run(program: Program, saga: Saga) -> Any:
    """In a child: run the saga, or go on with it."""
    use = lambda name, key: tool(name, key=key, service=saga.service)  # noqa: E731
    steps = [program["Step"](n, partial(use, n), partial(use, UNDO[n]), NEEDS[n]) for n in saga.listed]
    told = program["run_saga"](saga.name, steps, program["Log"]())
    return told if told is None or isinstance(told, bool | int | float | str) else repr(told)


def _world(faults: dict[str, list[str]]) -> Callable[[], None]:
    return partial(arrange, faults=faults)


def _twice(program: Program, saga: Saga) -> tuple[Callable, Callable]:
    """What is run, and what is run after the crash: the same."""
    return partial(_run, program, saga), partial(_run, program, saga)


def _trial(program: Program, saga: Saga, faults: dict[str, list[str]] | None = None) -> Trial:
    return trial(partial(_run, program, saga), _world(faults or {}))


class Seen(NamedTuple):
    """What a trial left, in the form in which an invariant sees it."""

    state: Any
    ledger: list
    calls: list


def _seen(seen: Trial) -> Seen:
    return Seen(seen.value, seen.world.ledger, seen.world.calls)


def _left(seen) -> list[str]:
    return [call.tool for call in standing(seen.ledger)]


def _once(seen) -> None:
    """Each effect once, and under keys that say what they are for."""
    used: dict[Any, str] = {}
    for call in seen.calls:
        assert call.key is not None, f"{call.tool} got no key"
        other = used.setdefault(call.key, call.tool)
        assert other == call.tool, f"{call.tool} got the key of {other}"
    for name in {call.tool for call in seen.ledger}:
        keys = {str(call.key) for call in seen.ledger if call.tool == name}
        assert len(keys) == 1, f"{name} ran {len(keys)} times, under {len(keys)} keys: the key changes at a restart"


def _fair(seen: Trial) -> None:
    """What the answer raised is a verdict, and so are its keys."""
    _once(_seen(seen))
    assert seen.how == "returned", f"A step failed, and run_saga {_did(seen)}: catch the error, and undo"


def _acts_in_order(seen: Trial) -> None:
    _once(_seen(seen))
    assert seen.how == "returned", f"Nothing failed, and run_saga {_did(seen)}"
    ran = [call.tool for call in seen.world.ledger]
    assert ran == list(UNDO), f"Nothing failed, and the steps ran in the order {ran}; expected {list(UNDO)}"
    assert seen.value == "completed", f"All steps were done, and run_saga returned {seen.value!r}; expected 'completed'"


def _sagas_have_keys_of_their_own(program: Program, saga: Saga, other: Saga) -> None:
    def run() -> None:
        _run(program, saga)
        _run(program, other)

    keys: dict[Any, str] = {}
    for call in trial(run).world.calls:
        service = keys.setdefault(call.key, call.arguments["service"])
        assert service == call.arguments["service"], (
            f"Two sagas called {call.tool} under one key, {str(call.key)[:50]!r}"
        )


def _undone_in_order(seen: Trial, failing: str) -> None:
    tools = [call.tool for call in seen.world.ledger]
    undone = [name for name in UNDO if UNDO[name] in tools]
    for name in undone:
        for need in NEEDS[name]:
            late = need in undone and tools.index(UNDO[need]) < tools.index(UNDO[name])
            assert not late, f"{failing} refused, and {UNDO[need]} ran before {UNDO[name]}: {name} requires {need}"


def _nothing_left(what: str) -> Callable:
    def invariant(seen) -> None:
        _once(seen)
        left = _left(seen)
        assert not left, f"{what}, and run_saga left {left[0]} in the world: it returned {seen.state!r}"
        assert seen.state == "compensated", f"{what}, nothing is left, and run_saga returned {seen.state!r}"

    return invariant


def _all_or_nothing(what: str) -> Callable:
    """Killed before it had turned back, a saga may go on and be completed; otherwise nothing may be left."""

    def invariant(seen) -> None:
        _once(seen)
        left = _left(seen)
        half = f"{what}. Now {', '.join(left)} {'is' if len(left) == 1 else 'are'} in the world: half of it"
        assert len(left) in (0, len(UNDO)), half
        expected = "completed" if left else "compensated"
        assert seen.state == expected, (
            f"{what}, {len(left)} of 3 steps are in the world, and run_saga returned {seen.state!r}"
        )

    return invariant


def _assert_survives(report: Report, effects: int) -> None:
    """As the report's own, in words that name the student's lines and the world's tools."""
    if report.problem or not report.broken:
        report.assert_survives(effects=effects)
    for point in report.broken:
        last = next(filter(_label, reversed(report.effects[: point.k])), None)
        following = next(filter(_label, report.effects[point.k :]), None)
        moment = f"after {_label(last)}" if last else "at the start"
        what = f"Killed {moment}, before {_label(following) if following else 'the end'}: {point.broken()[0].reason}"
        raise DidNotSurviveError(
            what, str(last.line) if last and _is_answer(last.line) else "", report.score(), report.timeline()
        )


def _label(effect: Effect) -> str:
    """An effect as the student knows it."""
    where = f" in line {effect.line.number}" if _is_answer(effect.line) else ""
    if effect.op == "tool":
        return f"{effect.target}{where}"
    return f"a note{where}" if effect.op == "write" else ""


def _is_answer(line: Line | None) -> bool:
    return line is not None and line.file.startswith("<answer")


def _did(seen: Trial) -> str:
    """How a trial went, as the predicate of a sentence."""
    return f"{seen.failure}{f' at {seen.line}' if _is_answer(seen.line) else ''}"
