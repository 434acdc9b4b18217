"""Judges chapter 6: the order of undoing, and sagas that die everywhere. Answers run in children only.

Hundreds of small sagas live in one process, one after another. Where a life is to end, an exception comes that no
`except Exception` stops, and nothing gets out any more; the next process goes on with what was noted. Beside them,
a saga with the world's tools is killed by SIGKILL at each crash point of a sweep.
"""

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, combinations, cycle, product, repeat
from random import Random
from typing import Any, NamedTuple

from labkit import sweep, tool, trial
from labkit.crash import DidNotSurviveError
from labkit.grading.judge.calls import called, line_now, salt_hash, shown, told, until_endless
from labkit.grading.judge.program import Program
from labkit.grading.judge.survival import assert_survives, did

UNDO = {
    "create_dns": "delete_dns",
    "issue_certificate": "revoke_certificate",
    "deploy_container": "remove_container",
    "configure_monitoring": "remove_monitoring",
}
STEP_OF = {undo: name for name, undo in UNDO.items()}
NAMES = ["dns", "dns_2", "sub_dns", "disk", "queue", "Queue", "почта", "数据库"]
IDS = ["saga-{}", "shop {}", "Straße_{}", "почта-{}"]
ALIKE = ["shop é", "Shop é", "shop é ", "shop-é", "shop e\u0301", "shop e", *("shop " * 20 + end for end in "12")]
"""Names of sagas that a program may take for one another."""
PAIRED = [
    ("Mail", "mail"),
    ("caf\u00e9", "cafe\u0301"),
    ("07", "7"),
    ("a-b", "a_b"),
    ("stra\u00dfe", "strasse"),
]
"""Names of two steps of one saga, which a program may take for one another, too."""
GLUE = ["", "-", "_", "."]
"""What a program may put between the name of a saga and that of a step, and both have in them, too."""
DIAMOND, TWO_WAYS, PAIRS = ((), (0,), (0,), (1, 2)), ((), (0,), (1,), (0, 2)), ((), (0,), (), (2,))
CHAIN = ((), *((step,) for step in range(7)))
"""What each step requires, by number. In the second, a short way leads to what a long one needs."""
RESULTS = [None, "", "failed", 0, 0j, "undone", {"compensated": True}, "started", False, "parked", "done"]
"""What steps and compensations may return: none of it says that one has failed."""
MOST = 400
"""Calls and notes of one life. A right answer may try a compensation a hundred times before it parks it."""
ALIVE, EVERYWHERE = (MOST,), range(1, 80)
"""After how many calls and notes a life ends: nothing kills it, or something does at each."""


class StepError(Exception):
    """An error of a step's own."""


class DeadError(BaseException):
    """What ends a life."""


class Fault(NamedTuple):
    """How a step or a compensation fails: whether it acts all the same, and for how many calls."""

    acts: bool
    error: type[Exception]
    calls: int = MOST


ERRORS = [StepError, ValueError, RuntimeError, KeyError, TimeoutError, ConnectionError, AssertionError, OSError]
REFUSES = [Fault(acts=False, error=error, calls=calls) for calls in (MOST, 1) for error in ERRORS]
ACTS = [
    Fault(acts=True, error=error, calls=calls) for calls in (MOST, 1) for error in ERRORS if error is not ValueError
]
"""The chapter's tools raise a ValueError only if nothing has happened."""


class Act(NamedTuple):
    """A call of a step or a compensation. `unknown` is a step that may have acted by then, and is not in the log."""

    tool: str
    key: str | None
    happened: bool
    failed: bool
    unknown: str = ""
    noted: bool = False
    """Of a compensation: whether a note of its step followed, when it had worked."""


class Saga(NamedTuple):
    """What each step requires, in the order in which they are listed, and which tools fail in each life."""

    needs: dict[str, tuple[str, ...]]
    lives: tuple[Mapping[str, Fault], ...] = ({},)
    """The faults of the last one stay."""
    name: str = ""
    """What it is called; if nothing, it gets a name that no other has."""
    names: Mapping[str, str] = {}
    """Tool → what its step is called, if not as the tool."""

    def but(self, *lives: Mapping[str, Fault]) -> "Saga":
        """The same, with these faults."""
        return self._replace(lives=lives)


class Story(NamedTuple):
    """A saga and what became of it in its lives so far."""

    saga: Saga
    name: str = ""
    acts: Sequence[Act] = ()
    logs: Mapping[str, list] = {}
    """Log → what was noted there."""
    end: Mapping[str, Any] = {}
    """How the last life ended, as `called` tells it."""
    died: bool = False
    """Whether it was killed."""
    deaths: Sequence[str] = ()
    """Between what and what each killed life ended."""
    where: str = ""
    """The last line that had an effect before that."""


def undo_order(program: Program, rng: Random) -> None:
    """Whatever was done, however the steps are listed and whatever they require, dependents come first."""
    questions = []
    for shape in [*_shapes(1, 2, 3, 4), *repeat(CHAIN, 6), *rng.sample(_shapes(5), 9), *rng.sample(_shapes(6), 9)]:
        graph = _graph(shape, NAMES, rng)
        names = list(graph)
        for done in (names, names[:: max(len(names) - 1, 1)], rng.sample(names, rng.randint(0, len(names)))):
            questions += [(rng.sample(done, len(done)), listed) for listed in _listed(graph, rng)]
    seen = trial(partial(_all_orders, program, questions))
    assert seen.how == "returned", f"undo_order {did(seen)}"
    for (done, graph), got in zip(questions, seen.value, strict=False):
        _is_undo_order(f"undo_order({done}, …)", done, graph, got)


def crash_goes_on(program: Program, rng: Random) -> None:
    """Nothing fails but the process: each step comes after what it requires, and the saga is completed."""
    sagas = _sagas(rng)
    _hold(program, [*sagas, *(paired := _paired(rng))])
    _hold(program, rng.sample(paired, 3), rng)
    _holds_killed(program, next(_listed({"create_dns": (), "deploy_container": ("create_dns",)}, rng)))
    several = [saga for saga in sagas if len(saga.needs) > 1]
    required = [
        (saga, rng.choice(sorted({*chain(*saga.needs.values())}))) for saga in several if any(saga.needs.values())
    ]
    _hold(program, several[::2], rng)
    _hold(program, [saga.but({}, {name: rng.choice(REFUSES)}) for saga, name in required[::3]], rng)


def undoes_once(program: Program, rng: Random) -> None:
    """Whichever step fails, by whichever error, wherever the process dies: nothing is left or undone twice."""
    sagas = _sagas(rng)
    refused, in_doubt = _failing(sagas, REFUSES), _failing(sagas, ACTS)
    alike = [refused[-1]._replace(name=name) for name in ALIKE]
    paired = [saga.but({_last(saga): rng.choice(REFUSES)}) for saga in _paired(rng)]
    _hold(program, [*refused, *sagas[:3], *in_doubt, *alike, *_glued(in_doubt[0], rng), *paired])
    some = [*refused[3::10], *in_doubt[5::10]]
    _hold(program, [*some, *(saga.but(*saga.lives, {}) for saga in some)], rng)


def intent_first(program: Program, rng: Random) -> None:
    """The log knows what may have acted: that is undone, too, if the process dies and if the step refuses later."""
    sagas = _sagas(rng)
    failing = [saga for faults in (REFUSES, ACTS) for saga in _failing(sagas[6:], faults)[::9]]
    _hold(program, [*sagas, *failing], check=_is_known)
    _hold(program, [*sagas[::2], *(saga.but({}, *saga.lives) for saga in failing)], rng, _is_known)


def parks(program: Program, rng: Random) -> None:
    """Compensations fail, in the first life or in a later one: the others are done, and whoever asks is told."""
    failing = [saga.but({_last(saga): rng.choice(ACTS)}) for saga in _sagas(rng)]
    faults = cycle([*REFUSES, *ACTS])
    stuck = [_stuck(saga, [name], faults) for _ in range(2) for saga in failing for name in saga.needs]
    several = [_stuck(saga, list(saga.needs), faults) for saga in failing]
    _hold(program, [*stuck, *several])
    some = [*stuck[4::20], *several[5::9]]
    works_later = [saga.but(*saga.lives, {}) for saga in some]
    fails_later = [saga.but({_last(saga): saga.lives[0][_last(saga)]}, *saga.lives) for saga in some]
    _hold(program, [*some, *works_later, *fails_later], rng)


# Graphs and sagas.


def _shapes(*sizes: int) -> list[tuple]:
    """All graphs of so many steps, each of which may require those before it, by number."""
    needs = [[some for n in range(step + 1) for some in combinations(range(step), n)] for step in range(max(sizes))]
    return [shape for size in sizes for shape in product(*needs[:size])]


def _graph(shape: tuple, names: Iterable[str], rng: Random) -> dict[str, tuple[str, ...]]:
    names = rng.sample(list(names), len(shape))
    return {names[n]: tuple(names[need] for need in rng.sample(needs, len(needs))) for n, needs in enumerate(shape)}


def _listed(graph: dict, rng: Random) -> Iterator[dict]:
    """The same graph in an order that is drawn, and with everything the other way round."""
    names = rng.sample(list(graph), len(graph))
    for way in (1, -1):
        yield {name: graph[name][::way] for name in names[::way]}


def _all_needs(name: str, graph: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [other for need in graph[name] for other in (need, *_all_needs(need, graph))]


def _sagas(rng: Random) -> list[Saga]:
    """Sagas of all small shapes and of some larger ones. The smallest come first."""
    shapes = [*_shapes(1, 2, 3), DIAMOND, TWO_WAYS, PAIRS, *rng.sample(_shapes(4), 2)]
    return [Saga(listed) for shape in shapes for listed in _listed(_graph(shape, UNDO, rng), rng)]


def _failing(sagas: list[Saga], faults: list[Fault]) -> list[Saga]:
    """Each step of each saga fails, by one fault after another."""
    fault = cycle(faults)
    return [saga.but({name: next(fault)}) for saga in sagas for name in saga.needs]


def _glued(saga: Saga, rng: Random) -> list[Saga]:
    """The same under names of sagas and of steps that are one text if they are put together, in either order."""
    found = []
    for number, glue in enumerate(GLUE):
        one, two, three = (f"{letter}{number}" for letter in rng.sample("abcdefgh", 3))
        left, right = one + glue + two, two + glue + three
        for name, step in (left, three), (one, right), (right, one), (three, left):
            found.append(saga._replace(name=name, names=dict.fromkeys(saga.needs, step)))
    rooted = dict.fromkeys(saga.needs, "/mail")  # as a path it has nothing before it
    return found + [saga._replace(name=name, names=rooted) for name in rng.sample(IDS, 2)]


def _paired(rng: Random) -> list[Saga]:
    """Two steps that only look alike, of which the second requires the first."""
    tools = rng.sample([*UNDO], 2)
    needs = {tools[0]: (), tools[1]: (tools[0],)}
    return [Saga(needs, names=dict(zip(tools, rng.sample(pair, 2), strict=True))) for pair in PAIRED]


def _stuck(saga: Saga, names: list[str], faults: Iterator[Fault]) -> Saga:
    """The same, and these cannot be undone."""
    return saga.but({**saga.lives[0], **{UNDO[name]: next(faults) for name in names}})


def _last(saga: Saga) -> str:
    """A step that no other requires."""
    return next(name for name in saga.needs if not any(name in needs for needs in saga.needs.values()))


# Questions about undo_order.


def _all_orders(program: Program, questions: list) -> list:
    """In a child: the order for each question, or how the answer failed; none after one that did not end."""
    return until_endless(called(partial(_names, program, *question)) for question in questions)


def _names(program: Program, done: list[str], graph: Mapping[str, tuple[str, ...]]) -> Any:
    """What undo_order returns; whatever one can go through, as a list of names."""
    steps = [program["Step"](name, print, print, needs) for name, needs in graph.items()]
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


def _hold(program: Program, sagas: list[Saga], rng: Random | None = None, check: Callable | None = None) -> None:
    """Each keeps its promises; with rng, also if it is killed anywhere in its first life, and then in its second."""

    def live(stories: list[Story], deaths: Iterable[Sequence[int]]) -> list[Story]:
        """Another life of each, all in one process. The promises of those that are not killed are kept."""
        seen = trial(partial(_live_all, program, list(zip(stories, deaths, strict=False))))
        assert seen.how == "returned", f"run_saga {did(seen)}"
        lived = [stories[n]._replace(**life, acts=[Act(*act) for act in acts]) for n, acts, life in seen.value]
        owners: dict[str | None, Story] = {}
        for story in lived:
            if not story.died:
                _keeps_promises(story, check, owners)
        return [story for story in lived if story.died]

    killed = live([Story(saga, saga.name) for saga in sagas], repeat(EVERYWHERE if rng else ALIVE))
    if rng:
        live(killed, repeat(ALIVE))
        live(live(killed, iter(lambda: [rng.randint(1, 5)], None)), repeat(ALIVE))


def _live_all(program: Program, living: list[tuple[Story, Sequence[int]]]) -> list[tuple[int, list, dict]]:
    """In a child: lives of each story, until one is not killed; none after one that did not end."""
    _start_again(program, len(living[0][0].deaths) if living else 0)
    lives: list[tuple[int, list, dict]] = []
    logs: dict[str, list] = {}
    for n, (story, deaths) in enumerate(living):
        for death in deaths:
            name = story.name or IDS[n % len(IDS)].format(len(lives))
            acts, life = Life(story._replace(name=name), logs, death).live(program)
            lives.append((n, acts, life))
            if life["end"].get("endless"):
                return lives
            if not life["died"]:
                break
    return lives


def _start_again(program: Program, times: int) -> None:
    """In a child: another process id, another time, other numbers, and another hash of each text."""
    if times:
        pid = os.getpid() + times
        os.getpid = lambda: pid
        time.sleep(60 * times)
        random.seed(os.urandom(10**6 * times))
        salt_hash(program["run_saga"], times)


class Life:
    """A process of a saga, as far as it can tell: what it can reach, until it dies."""

    def __init__(self, story: Story, logs: dict[str, list], death: int) -> None:
        self.story, self.logs, self.death = story, logs, death
        self.faults = story.saga.lives[min(len(story.deaths), len(story.saga.lives) - 1)]
        self.acts, self.calls = list(story.acts), Counter()
        self.passed, self.last, self.following = 0, ("", None), ("", None)
        self.mine, self.named = {story.name, *story.logs}, dict[str, str]()
        for log, notes in story.logs.items():
            logs[log] = list(notes)

    def live(self, program: Program) -> tuple[list, dict[str, Any]]:
        """Call run_saga once: what it called, and what else becomes of the story."""
        saga = self.story.saga
        called_by = {name: saga.names.get(name, name) for name in saga.needs}
        self.named = {step: UNDO[name] for name, step in called_by.items()}
        steps = [
            program["Step"](
                called_by[name],
                partial(self.call, name),
                partial(self.call, UNDO[name]),
                tuple(map(called_by.get, needs)),
            )
            for name, needs in saga.needs.items()
        ]
        log, name = program["Log"], self.story.name
        log.read, log.note = self.methods()
        end = called(lambda: _plain(program["run_saga"](name, steps, log())))
        logs = {log: self.logs[log] for log in self.mine if log in self.logs}
        died = self.passed == self.death < MOST
        deaths, where = self.story.deaths, self.story.where
        if died:
            last, following = (
                f"{what} in line {line.number}" if line else what for what, line in (self.last, self.following)
            )
            deaths = [*deaths, f"{f'after {last}, ' if last else ''}before {following or 'the end'}"]
            where = str(self.last[1] or "")
        return self.acts, {
            "name": name, "logs": logs, "end": end, "died": died, "deaths": deaths, "where": where,
        }  # fmt: skip

    def passes(self, what: str) -> None:
        """Another call or note gets out, if the process is alive."""
        if self.passed == self.death:
            self.following = (what, line_now())
            raise DeadError
        self.passed += 1
        self.last = (what, line_now() if self.passed == self.death else None)  # a line is looked for where it is told

    def call(self, name: str, key: Any) -> Any:
        """A step's action or compensation."""
        self.passes(name)
        self.calls[name] += 1
        fault = self.faults.get(name)
        failed = fault is not None and self.calls[name] <= fault.calls
        happened = not failed or fault.acts
        act = Act(name, None if key is None else str(key), happened, failed)
        undone = {STEP_OF[act.tool] for act in self.acts if act.tool in STEP_OF}
        known = str([dict(self.logs.get(log, ())) for log in self.mine])
        begun = {act.tool for act in [*self.acts, act] if act.tool in UNDO} - undone
        self.acts.append(act._replace(unknown=next((step for step in UNDO if step in begun and step not in known), "")))
        if failed:
            raise fault.error(f"{name} has failed")
        return _result(self.acts)

    def methods(self) -> tuple[Callable, Callable]:
        """Those of the exercise's log, in memory: `read` and `note`."""

        def read(_: Any, saga_id: str) -> dict:
            if self.following[0]:
                raise DeadError
            return dict(self.logs.get(saga_id, ()))

        def note(_: Any, saga_id: str, name: str, word: str) -> None:
            self.passes("a note")
            self.mine.add(saga_id)
            noted = [name, word] if isinstance(word, str) else json.loads(json.dumps([name, word]))
            self.logs.setdefault(saga_id, []).append(noted)
            last = self.acts[-1] if len(self.acts) > len(self.story.acts) else None
            if last and not last.failed and isinstance(name, str) and last.tool == self.named.get(name):
                self.acts[-1] = last._replace(noted=True)

        return read, note


def _result(acts: Sequence[Act]) -> Any:
    """What the last of these has returned: also a first call returns one thing or another."""
    return RESULTS[(len(acts) + len(acts[0].tool)) % len(RESULTS)]


def _plain(value: Any) -> list:
    """What run_saga returned: the text, and what a message shows."""
    return [str.__str__(value) if isinstance(value, str) else "", shown(value)]


# What must hold.


def _keeps_promises(story: Story, check: Callable | None, owners: dict[str | None, Story]) -> None:
    """What was done and undone, in which order, and what run_saga said in the end. No two sagas share a key."""
    try:
        for act in story.acts if check else ():
            check(act)
        _Promises(story.saga, killed=bool(story.deaths)).hold(story.acts, story.end)
        for act in story.acts:
            other = owners.setdefault(act.key, story)
            one, two = (next(iter(each.saga.names.values()), "") for each in (other, story))
            steps = f"{other.name!r} with its step {one!r}, and {story.name!r} with {two!r}"
            which = f": {steps}" * bool(one and two)
            assert other.name == story.name, f"Two sagas called {act.tool} under one key, {act.key[:50]!r}{which}"
    except AssertionError as error:
        killed = f"Killed {' and '.join(story.deaths)}: " if story.deaths else ""
        raise DidNotSurviveError(f"{killed}{error}", story.where) from None


def _is_known(act: Act) -> None:
    assert not act.unknown, f"{act.unknown} may have acted, and the log does not know it"


class _Promises:
    """What a saga must keep to, call by call."""

    def __init__(self, saga: Saga, *, killed: bool) -> None:
        self.saga, self.killed = saga, killed
        self.before: list[Act] = []
        self.worked: dict[str, bool] = {}
        """Tool → whether its last call did."""
        self.there: list[str] = []
        """Steps that are in the world."""

    def hold(self, acts: Sequence[Act], end: Mapping[str, Any]) -> None:
        """AssertionError if one does not."""
        for act in acts:
            self.has_its_key(act)
            (self.is_next if act.tool in UNDO else self.is_undone_next)(act)
            repeated = any(act.happened and other.happened and act.key == other.key for other in self.before)
            if act.happened and not repeated:
                step = STEP_OF.get(act.tool, act.tool)
                self.there = [name for name in self.there if name != step] + [step] * (act.tool in UNDO)
            self.worked[act.tool] = not act.failed
            self.before.append(act)
        assert "value" in end, f"{self.fate}, and run_saga {self.failure(end)}"
        self.has_ended_well(*end["value"])

    @property
    def fate(self) -> str:
        """What went wrong in the world, in words."""
        how = ["refused", "acted, and its answer was lost"]
        words = dict.fromkeys(f"{act.tool} {how[act.happened]}" for act in self.before if act.failed)
        return ", ".join(list(words)[:3]) or "nothing failed"

    @property
    def back(self) -> list[str]:
        """The compensations that were called."""
        return [name for name in self.worked if name in STEP_OF]

    @property
    def stuck(self) -> list[str]:
        """Those that failed once."""
        return [act.tool for act in self.before if act.failed and act.tool in STEP_OF]

    def has_its_key(self, act: Act) -> None:
        assert act.key, f"{act.tool} got no key"
        for other in self.before:
            if other.key == act.key:
                assert other.tool == act.tool, f"{act.tool} got the key of {other.tool}"
            elif other.tool == act.tool and act.happened and other.happened:
                when = " at a restart" if self.killed else ""
                raise AssertionError(f"{act.tool} ran 2 times, under 2 keys: the key changes{when}")

    def is_next(self, act: Act) -> None:
        tools, needs = [other.tool for other in self.before if other.tool in UNDO], self.saga.needs
        since = [name for name in tools if act.tool in _all_needs(name, needs)]
        assert not (act.failed and since and self.worked.get(act.tool)), (
            f"{act.tool} was done, and {since[0]} came after it. It was called again, and now it refuses: "
            f"what the log knows as done is not called again"
        )
        assert not self.back, f"{act.tool} ran after {self.back[0]}: the saga had turned back"
        for need in self.saga.needs[act.tool]:
            assert need in self.worked, f"{act.tool} ran before {need}, which it requires"
            assert self.worked[need], f"{self.fate}, and {act.tool}, which requires it, was called"

    def is_undone_next(self, act: Act) -> None:
        returned = f": {self.before[-1].tool} returned {_result(self.before)!r}" if self.before else ""
        because = ": a crash is no failure" if self.killed else returned
        assert any(other.failed for other in self.before), f"no step had failed, and {act.tool} was called{because}"
        step = STEP_OF[act.tool]
        noted = next((n for n, other in enumerate(self.before) if other.tool == act.tool and other.noted), None)
        since = [other.tool for other in self.before[noted:] if other.tool != act.tool] if noted is not None else []
        assert not since, (
            f"{self.fate}. {act.tool} was done, the log knew that, and {since[0]} came after it. It was called again"
        )
        above = [n for n in self.there if step in _all_needs(n, self.saga.needs) and UNDO[n] not in self.worked]
        assert not above, f"{self.fate}, and {act.tool} ran before {UNDO[above[0]]}: {above[0]} requires {step}"

    def failure(self, end: Mapping[str, Any]) -> str:
        if "DeadError" in end["failed"]:
            return f"did not end: it called {self.before[-1].tool} again and again" if self.before else "did not end"
        ours = any(f"{act.tool} has failed" in end["failed"] for act in self.before if act.failed)
        return told(end) + f": catch the error, and {'go on with the others' if self.stuck else 'undo'}" * ours

    def has_ended_well(self, value: str, value_shown: str) -> None:
        said = f"run_saga returned {value_shown}"
        if all(self.worked.values()) and not self.back:
            missing = [name for name in self.saga.needs if name not in self.worked]
            assert not missing, f"{self.fate}, and {missing[0]} was never done: {said}"
            assert value == "completed", f"{self.fate}, all steps were done, and {said}; expected 'completed'"
            return
        stuck, left = self.stuck, [name for name in self.there if UNDO[name] not in self.stuck]
        if left:
            what = f"{UNDO[left[0]]} was not called" if stuck else f"run_saga left {left[0]} in the world"
            raise AssertionError(f"{self.fate}, and {what}: {said}")
        parked = self.there or not all(self.worked[name] for name in self.back)
        expected = ["parked"] if parked else ["compensated", "parked"] if stuck else ["compensated"]
        now = f"{self.there[0]} is left" if self.there else "nothing is left"
        assert value in expected, f"{self.fate}, {now}, and {said}; expected {expected[0]!r}"


# A saga that is killed by SIGKILL.


def _holds_killed(program: Program, needs: dict[str, tuple[str, ...]]) -> None:
    """At every crash point of a sweep, with the exercise's log and the world's tools."""

    def run() -> dict[str, Any]:
        use = lambda name, key: tool(name, key=key, service="shop")  # noqa: E731
        steps = [program["Step"](name, partial(use, name), partial(use, UNDO[name]), needs[name]) for name in needs]
        return called(lambda: _plain(program["run_saga"]("saga-shop", steps, program["Log"]())))

    def invariant(seen) -> None:
        acts = [Act(call.tool, call.key, happened=True, failed=False) for call in seen.calls]
        _Promises(Saga(needs), killed=True).hold(acts, seen.state)

    assert_survives(sweep(run, run, invariant, name="run_saga"), effects=4)
