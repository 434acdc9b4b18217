"""Judges chapter 6: the order of undoing, and sagas that die everywhere. Answers run in children only.

Hundreds of small sagas live in one process, one after another. Where a life is to end, an exception comes that no
`except Exception` stops, and nothing gets out any more; the next process goes on with what was noted. Beside them,
a saga with the world's tools is killed by SIGKILL at each crash point of a sweep.
"""

import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations, cycle, product
from random import Random
from typing import Any, NamedTuple

from labkit import sweep, tool, trial
from labkit.crash import DidNotSurviveError, Effect, Line
from labkit.grading.judge.calls import called, shown, told
from labkit.grading.judge.program import Program

UNDO = {
    "create_dns": "delete_dns",
    "issue_certificate": "revoke_certificate",
    "deploy_container": "remove_container",
    "configure_monitoring": "remove_monitoring",
}
STEP_OF = {undo: name for name, undo in UNDO.items()}
NAMES = ["dns", "disk", "queue", "cache", "proxy", "Zertifikat", "почта", "数据库"]
SAGAS = ["shop", "blog", "Straße", "почта"]
DIAMOND, TWO_WAYS, PAIRS = ((), (0,), (0,), (1, 2)), ((), (0,), (1,), (0, 2)), ((), (0,), (), (2,))
"""What each step requires, by number. In the second, a short way leads to what a long one needs."""
MOST = 80
"""Calls and notes of one life. A right answer makes half as many."""
EVERYWHERE = range(1, MOST)


class StepError(Exception):
    """An error of a step's own."""


class DeadError(BaseException):
    """What ends a life."""


class Fault(NamedTuple):
    """How a step or a compensation fails."""

    acts: bool
    """It acts all the same; its answer is lost."""
    error: type[Exception]
    calls: int = MOST
    """How many calls fail."""


ERRORS = [StepError, ValueError, RuntimeError, KeyError, TimeoutError, ConnectionError, AssertionError, OSError]
REFUSES = [Fault(False, error, calls) for calls in (MOST, 1) for error in ERRORS]
ACTS = [Fault(True, error, calls) for calls in (MOST, 1) for error in ERRORS if error is not ValueError]
"""The chapter's tools raise a ValueError only if nothing has happened."""


class Act(NamedTuple):
    """A call of a step or a compensation."""

    tool: str
    key: str | None
    happened: bool
    failed: bool
    unknown: str = ""
    """A step that may have acted by then, and is not in the log."""

    @property
    def fate(self) -> str:
        """How it failed, in words."""
        return f"{self.tool} {'acted, and its answer was lost' if self.happened else 'refused'}"


class Saga(NamedTuple):
    """What is run: an id, what each step requires in the order in which they are listed, and how they fail."""

    name: str
    needs: dict[str, tuple[str, ...]]
    lives: tuple[Mapping[str, Fault], ...] = ({},)
    """Tool → its fault, in each life; those of the last one stay."""

    def but(self, *lives: Mapping[str, Fault]) -> "Saga":
        """The same, with these faults."""
        return self._replace(lives=lives)


class Story(NamedTuple):
    """A saga and what became of it in its lives so far."""

    saga: Saga
    acts: tuple[Act, ...] = ()
    logs: Mapping[str, list] = {}
    """Log → what was noted there."""
    end: Mapping[str, Any] = {}
    """How the last life ended, as `called` tells it."""
    deaths: tuple[str, ...] = ()
    """Between what and what each killed life ended."""
    died: bool = False
    """Whether the last life was killed."""
    where: str = ""
    """The last line that had an effect before it was killed."""


def undo_order(program: Program, rng: Random) -> None:
    """Whatever was done, however the steps are listed and whatever they require, dependents come first."""
    shapes = [shape for size in (1, 2, 3, 4) for shape in _shapes(size)]
    questions = []
    for shape in [*shapes, *rng.sample(_shapes(5), 9), *rng.sample(_shapes(6), 9)]:
        graph = _graph(shape, rng.sample(NAMES, len(shape)), rng)
        names = list(graph)
        for done in (names, names[:: max(len(names) - 1, 1)], rng.sample(names, rng.randint(0, len(names)))):
            for listed in _listed(graph, rng):
                questions.append((rng.sample(done, len(done)), listed))
    seen = trial(partial(_all_orders, program, questions))
    assert seen.how == "returned", f"undo_order {seen.failure}"
    for (done, graph), got in zip(questions, seen.value, strict=False):
        _is_undo_order(f"undo_order({done}, …)", done, graph, got)


def crash_goes_on(program: Program, rng: Random) -> None:
    """Nothing fails but the process: each step comes after what it requires, and the saga is completed."""
    sagas = _sagas(rng)
    _hold(program, sagas)
    _holds_killed(program, _small(rng))
    _hold(program, [saga for saga in sagas if len(saga.needs) > 1][::2], rng)


def undoes_once(program: Program, rng: Random) -> None:
    """Whichever step fails, by whichever error, wherever the process dies: nothing is left or undone twice."""
    sagas = _sagas(rng)
    refused, in_doubt = _failing(sagas, REFUSES), _failing(sagas, ACTS)
    _hold(program, [*refused, *sagas[:3], *in_doubt])
    _holds_killed(program, _small(rng, Fault(True, rng.choice(ERRORS))))
    some = [*refused[3::7], *in_doubt[5::7]]
    _hold(program, [*some, *(saga.but(*saga.lives, {}) for saga in some)], rng)


def intent_first(program: Program, rng: Random) -> None:
    """The log knows what may have acted: that is undone, too, if the process dies and if the step refuses later."""
    sagas = _sagas(rng)
    later = [saga.but({}, *saga.lives) for faults in (REFUSES, ACTS) for saga in _failing(sagas[6:], faults)[::6]]
    for story in _hold(program, [*sagas, *later], rng):
        unknown = next((act.unknown for act in story.acts if act.unknown), "")
        if unknown:
            what = f"{unknown} may have acted, and the log does not know it"
            raise DidNotSurviveError(_told_of(story, what), story.where)


def parks(program: Program, rng: Random) -> None:
    """Compensations fail, in the first life or in a later one: the others are done, and whoever asks is told."""
    failing = [saga.but({_last(saga): rng.choice(ACTS)}) for saga in _sagas(rng)]
    faults = cycle([*REFUSES, *ACTS])
    stuck = [_stuck(saga, [name], faults) for _ in range(2) for saga in failing for name in saga.needs]
    several = [_stuck(saga, list(saga.needs), faults) for saga in failing]
    _hold(program, [*stuck, *several])
    some = [*stuck[4::12], *several[5::6]]
    works_later = [saga.but(*saga.lives, {}) for saga in some]
    fails_later = [saga.but({name: saga.lives[0][name] for name in saga.needs if name in saga.lives[0]}, *saga.lives) for saga in some]
    _hold(program, [*some, *works_later, *fails_later], rng)


# Graphs and sagas.


def _shapes(size: int) -> list[tuple]:
    """All graphs of so many steps: each may require those before it."""
    return list(product(*([c for n in range(step + 1) for c in combinations(range(step), n)] for step in range(size))))


def _graph(shape: tuple, names: list[str], rng: Random) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(names[need] for need in rng.sample(needs, len(needs)))
        for name, needs in zip(names, shape, strict=True)
    }


def _listed(graph: dict, rng: Random) -> Iterator[dict]:
    """The same graph in an order that is drawn, and in its reverse."""
    order = rng.sample(list(graph), len(graph))
    for names in order, order[::-1]:
        yield {name: graph[name] for name in names}


def _all_needs(name: str, graph: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [other for need in graph[name] for other in (need, *_all_needs(need, graph))]


def _sagas(rng: Random) -> list[Saga]:
    """Sagas of all small shapes and of some larger ones. The smallest come first."""
    few = [shape for size in (1, 2, 3) for shape in _shapes(size)]
    shapes = [*few, DIAMOND, TWO_WAYS, PAIRS, *rng.sample(_shapes(4), 2)]
    graphs = [_graph(shape, rng.sample(list(UNDO), len(shape)), rng) for shape in shapes]
    names = (f"saga-{rng.choice(SAGAS)}-{number}" for number in rng.sample(range(10**6), 2 * len(graphs)))
    return [Saga(next(names), listed) for graph in graphs for listed in _listed(graph, rng)]


def _small(rng: Random, fault: Fault | None = None) -> Saga:
    """A saga for a sweep, whose last step may fail."""
    graph = {"create_dns": (), "deploy_container": ("create_dns",)}
    listed = next(_listed(graph, rng))
    return Saga(f"saga-{rng.randrange(10**6)}", listed, ({"deploy_container": fault} if fault else {},))


def _failing(sagas: list[Saga], faults: list[Fault]) -> list[Saga]:
    """Each step of each saga fails, by one fault after another."""
    fault = cycle(faults)
    return [saga.but({name: next(fault)}) for saga in sagas for name in saga.needs]


def _stuck(saga: Saga, names: list[str], faults: Iterator[Fault]) -> Saga:
    """The same, and these cannot be undone."""
    return saga.but({**saga.lives[0], **{UNDO[name]: next(faults) for name in names}})


def _last(saga: Saga) -> str:
    """A step that no other requires."""
    return next(name for name in saga.needs if not any(name in needs for needs in saga.needs.values()))


# Questions about undo_order.


def _all_orders(program: Program, questions: list) -> list:
    """In a child: the order for each question, or how the answer failed; none after one that did not end."""
    answers: list[dict[str, Any]] = []
    for done, graph in questions:
        steps = [program["Step"](name, print, print, needs) for name, needs in graph.items()]
        answers.append(called(partial(_names, program, done, steps)))
        if answers[-1].get("endless"):
            break
    return answers


def _names(program: Program, done: list[str], steps: list) -> Any:
    """What undo_order returns; whatever one can go through, as a list of names."""
    order = program["undo_order"](done, steps)
    if isinstance(order, Iterable) and not isinstance(order, str):
        return [name if isinstance(name, str) else shown(name) for name in order]
    return shown(order)


def _is_undo_order(call: str, done: list[str], graph: dict[str, tuple[str, ...]], got: dict[str, Any]) -> None:
    assert "value" in got, f"{call} {told(got)}"
    order = got["value"]
    assert isinstance(order, list), f"{call} returned {order}; expected a list of names"
    text = f"{call} returned {order}"
    for name in done:
        assert order.count(name) == 1, f"{text}: {name} is there {order.count(name)} times; expected once"
    strange = [name for name in order if name not in done]
    assert not strange, f"{text}: {strange[0]} was not done"
    for place, name in enumerate(order):
        early = next((need for need in _all_needs(name, graph) if need in order[:place]), None)
        through = [other for other in graph[name] if early in _all_needs(other, graph)]
        over = f" through {through[0]}" if through and early not in graph[name] else ""
        assert not early, f"{text}: {early} is undone before {name}, which requires it{over}"


# Lives.


def _hold(program: Program, sagas: list[Saga], rng: Random | None = None) -> list[Story]:
    """The promises are kept; with rng, also if a saga dies at any moment of its first life, and then of its second."""
    kept: list[Story] = []
    kills = [EVERYWHERE if rng else (0,)] * len(sagas)
    living = [Story(saga) for saga in sagas]
    while living:
        lived = _lived(program, living, kills)
        kept += _kept([story for story in lived if not story.died])
        living = [story for story in lived if story.died]
        twice = [len(story.deaths) > 1 for story in living]
        kills = [(0,) if second else (rng.randint(1, 5), 0) for second in twice]
    return kept


def _lived(program: Program, stories: list[Story], kills: list[Sequence[int]]) -> list[Story]:
    """Another life of each, all in one process: one for each number of effects before it is killed; 0: it is not."""
    seen = trial(partial(_live_all, program, stories, kills))
    assert seen.how == "returned", f"run_saga {seen.failure}{f' at {seen.line}' if seen.line else ''}"
    return [_after(stories[n], life) for n, life in seen.value]


def _after(story: Story, life: dict[str, Any]) -> Story:
    saga, acts = story.saga._replace(name=life["name"]), (*story.acts, *(Act(*act) for act in life["acts"]))
    deaths = (*story.deaths, life["moment"]) if life["died"] else story.deaths
    where = str(Line(*life["line"])) if life["died"] and life["line"] else story.where
    return Story(saga, acts, life["logs"], life["end"], deaths, life["died"], where)


def _live_all(program: Program, stories: list[Story], kills: list[Sequence[int]]) -> list[tuple[int, dict]]:
    """In a child: these lives, each with the number of its story; none after one that did not end."""
    if stories[0].deaths:  # a process that starts again has another time, and draws other numbers
        time.sleep(3600 * len(stories[0].deaths))
        os.urandom(10**6 * len(stories[0].deaths))
        random.seed()
    logs: dict[str, list] = {}
    lives: list[tuple[int, dict]] = []
    for n, story in enumerate(stories):
        for k in kills[n]:
            name = story.saga.name if story.deaths else f"{story.saga.name}-{len(lives)}"
            lives.append((n, Life(story, name, logs, k).live(program)))
            if lives[-1][1]["end"].get("endless"):
                return lives
            if not lives[-1][1]["died"]:
                break
    return lives


class Life:
    """A process of a saga, as far as it can tell: what it can reach, until it dies."""

    def __init__(self, story: Story, name: str, logs: dict[str, list], death: int) -> None:
        self.name, self.needs, self.logs, self.death = name, story.saga.needs, logs, death or MOST
        self.faults = story.saga.lives[min(len(story.deaths), len(story.saga.lives) - 1)]
        for log, notes in story.logs.items():
            logs[log] = list(notes)
        self.mine = {name, *story.logs}
        self.there = {act.tool for act in story.acts if act.tool in UNDO and act.happened}
        self.acts: list[Act] = []
        self.calls: Counter[str] = Counter()
        self.passed, self.last, self.following, self.line = 0, "", "", None

    def live(self, program: Program) -> dict[str, Any]:
        """Call run_saga once."""
        steps = [
            program["Step"](name, partial(self.call, name), partial(self.call, UNDO[name]), needs)
            for name, needs in self.needs.items()
        ]
        kept = program["Log"]
        kept.read, kept.note = self.log()
        end = called(lambda: _plain(program["run_saga"](self.name, steps, kept())))
        return {
            "name": self.name,
            "acts": self.acts,
            "logs": {log: self.logs[log] for log in self.mine if log in self.logs},
            "end": end,
            "died": bool(self.following) and self.death < MOST,
            "moment": f"{f'after {self.last}, ' if self.last else ''}before {self.following}",
            "line": self.line,
        }

    def passes(self, what: str) -> None:
        """Another call or note gets out, if the process is alive."""
        line = _line()
        named = f"{what} in line {line[2]}" if line else what
        if self.passed == self.death:
            self.following = self.following or named
            raise DeadError
        self.passed, self.last, self.line = self.passed + 1, named, line

    def call(self, name: str, key: Any) -> str:
        """A step's action or compensation."""
        self.passes(name)
        self.calls[name] += 1
        fault = self.faults.get(name)
        failed = fault is not None and self.calls[name] <= fault.calls
        happened = not failed or fault.acts
        self.there |= {name} & set(UNDO)
        known = json.dumps([dict(self.logs.get(log, ())) for log in self.mine])
        unknown = next((step for step in self.there if step not in known), "")
        if happened:
            self.there -= {STEP_OF.get(name)}
        self.acts.append(Act(name, None if key is None else str(key), happened, failed, unknown))
        if failed:
            raise fault.error(f"{name} has failed")
        return f"{name} has acted"

    def log(self) -> tuple:
        """The methods of the exercise's log, in memory."""

        def read(_: Any, saga_id: str) -> dict:
            if self.following:
                raise DeadError
            return dict(self.logs.get(saga_id, ()))

        def note(_: Any, saga_id: str, name: str, word: str) -> None:
            self.passes("a note")
            self.mine.add(saga_id)
            self.logs.setdefault(saga_id, []).append(json.loads(json.dumps([name, word])))

        return read, note


def _plain(value: Any) -> Any:
    """What run_saga returned, as plain data."""
    return value if value is None or isinstance(value, bool | int | float | str) else shown(value)


def _line() -> list | None:
    """The learner's line that is being executed."""
    frame = sys._getframe()  # noqa: SLF001 - the way to see who called
    while frame and not frame.f_code.co_filename.startswith("<answer"):
        frame = frame.f_back
    return [frame.f_code.co_filename, frame.f_code.co_name, frame.f_lineno] if frame else None


# What must hold.


def _kept(stories: list[Story]) -> list[Story]:
    """These, if each has kept its promises and no two share a key."""
    owners: dict[str | None, str] = {}
    for story in stories:
        try:
            _keeps_promises(story.saga, story.acts, story.end, bool(story.deaths))
            for act in story.acts:
                owner = owners.setdefault(act.key, story.saga.name)
                assert owner == story.saga.name, f"Two sagas called {act.tool} under one key, {act.key[:50]!r}"
        except AssertionError as error:
            raise DidNotSurviveError(_told_of(story, str(error)), story.where) from None
    return stories


def _told_of(story: Story, what: str) -> str:
    return f"Killed {' and '.join(story.deaths)}: {what}" if story.deaths else what


def _keeps_promises(saga: Saga, acts: Sequence[Act], end: Mapping[str, Any], killed: bool) -> None:  # noqa: FBT001
    """What was done and undone, in which order, and what run_saga said in the end."""
    worked: dict[str, bool] = {}
    there: list[str] = []
    for n, act in enumerate(acts):
        before = acts[:n]
        _has_its_key(act, before, killed)
        if act.tool in UNDO:
            _comes_after_its_needs(saga, act, before, worked)
        else:
            _comes_before_its_needs(saga, act, before, there, killed)
        worked[act.tool] = not act.failed
        repeated = any(act.happened and other.happened and act.key == other.key for other in before)
        if act.happened and not repeated:
            step = STEP_OF.get(act.tool, act.tool)
            there = [name for name in there if name != step] + [step] * (act.tool in UNDO)
    _has_ended_well(saga, acts, end, there, worked)


def _has_its_key(act: Act, before: Sequence[Act], killed: bool) -> None:  # noqa: FBT001
    assert act.key, f"{act.tool} got no key"
    for other in before:
        if other.key == act.key:
            assert other.tool == act.tool, f"{act.tool} got the key of {other.tool}"
        elif other.tool == act.tool:
            when = " at a restart" if killed else ""
            twice = act.happened and other.happened
            assert not twice, f"{act.tool} ran 2 times, under 2 keys: the key changes{when}"


def _comes_after_its_needs(saga: Saga, act: Act, before: Sequence[Act], worked: dict[str, bool]) -> None:
    undone = [other.tool for other in before if other.tool in STEP_OF]
    assert not undone, f"{act.tool} ran after {undone[0]}: the saga had turned back"
    for need in saga.needs[act.tool]:
        assert need in worked, f"{act.tool} ran before {need}, which it requires"
        assert worked[need], f"{_fate(before)}, and {act.tool}, which requires it, was called"


def _comes_before_its_needs(saga: Saga, act: Act, before: Sequence[Act], there: list[str], killed: bool) -> None:  # noqa: FBT001
    because = ": a crash is no failure" if killed else ""
    assert any(other.failed for other in before), f"no step had failed, and {act.tool} was called{because}"
    step, undone = STEP_OF[act.tool], [other.tool for other in before if other.tool in STEP_OF]
    above = [name for name in there if step in _all_needs(name, saga.needs) and UNDO[name] not in undone]
    assert not above, f"{_fate(before)}, and {act.tool} ran before {UNDO[above[0]]}: {above[0]} requires {step}"


def _has_ended_well(saga: Saga, acts: Sequence[Act], end: Mapping[str, Any], there: list[str], worked: dict[str, bool]) -> None:
    fate, stuck = _fate(acts), [act.tool for act in acts if act.failed and act.tool in STEP_OF]
    if "value" not in end:
        ours = "has failed" in end["failed"]
        advice = f": catch the error, and {'go on with the others' if stuck else 'undo'}" * ours
        again = f"did not end: it called {acts[-1].tool} again and again" if acts else "did not end"
        raise AssertionError(f"{fate}, and run_saga {again if 'DeadError' in end['failed'] else told(end)}{advice}")
    said, back = f"run_saga returned {end['value']!r}", [name for name in worked if name in STEP_OF]
    done = all(worked.get(name) for name in saga.needs)
    if not any(act.failed for act in acts) or (done and not back):
        missing = [name for name in saga.needs if name not in worked]
        assert not missing, f"{fate}, and {missing[0]} was never done: {said}"
        assert end["value"] == "completed", f"{fate}, all steps were done, and {said}; expected 'completed'"
        return
    left = [name for name in there if UNDO[name] not in stuck]
    what = f"{UNDO[left[0]]} was not called" if left and stuck else f"run_saga left {left[0]} in the world" if left else ""
    assert not left, f"{fate}, and {what}: {said}"
    parked = there or any(not worked[name] for name in back)
    expected = ["parked"] if parked else ["compensated", "parked"] if stuck else ["compensated"]
    fate += f", {there[0]} is left" if there else ", nothing is left"
    assert end["value"] in expected, f"{fate}, and {said}; expected {expected[0]!r}"


def _fate(acts: Iterable[Act]) -> str:
    """What went wrong in the world, in words."""
    return ", ".join(list(dict.fromkeys(act.fate for act in acts if act.failed))[:3]) or "nothing failed"


# A saga that is killed by SIGKILL.


def _holds_killed(program: Program, saga: Saga) -> None:
    """At every crash point of a sweep. What it says names the learner's lines and the world's tools."""
    run, faults = partial(_run, program, saga), saga.lives[0]

    def invariant(seen) -> None:
        acts = [Act(call.tool, call.key, happened=True, failed=call.tool in faults) for call in seen.calls]
        _keeps_promises(saga, acts, seen.state, killed=True)

    report = sweep(run, run, invariant, name="run_saga")
    if report.problem or not report.broken:
        return report.assert_survives(effects=4)
    point = report.broken[0]
    last = next(filter(_label, reversed(report.effects[: point.k])), None)
    following = next(filter(_label, report.effects[point.k :]), None)
    moment = f"{f'after {_label(last)}, ' if last else ''}before {_label(following) if following else 'the end'}"
    where = str(last.line) if last and _is_answer(last.line) else ""
    raise DidNotSurviveError(
        f"Killed {moment}: {point.broken()[0].reason}", where, report.score(), report.timeline()
    )


def _run(program: Program, saga: Saga) -> dict[str, Any]:
    """In a child: run the saga, or go on with it."""

    def use(name: str, key: Any) -> str:
        answer = tool(name, key=key, service=saga.name)
        if name in saga.lives[0]:
            raise saga.lives[0][name].error(f"{name} has failed")
        return answer

    steps = [
        program["Step"](name, partial(use, name), partial(use, UNDO[name]), needs) for name, needs in saga.needs.items()
    ]
    return called(lambda: _plain(program["run_saga"](saga.name, steps, program["Log"]())))


def _label(effect: Effect) -> str:
    """An effect as the learner knows it."""
    where = f" in line {effect.line.number}" if _is_answer(effect.line) else ""
    if effect.op == "tool":
        return f"{effect.target}{where}"
    return f"a note{where}" if effect.op == "write" else ""


def _is_answer(line: Line | None) -> bool:
    return line is not None and line.file.startswith("<answer")
