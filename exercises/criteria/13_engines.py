"""Judges chapter 13: a workflow that goes the same way again, after any kill, on another day, in new code.

A trial is one process, which forks one life after another over one database. In the first life many runs begin, and
each stops at a point of its own; then the process is killed, and the next life goes on with all of them. What the tools
were asked for is kept by the world, which is another process. A Temporal workflow is replayed twice: in its sandbox,
and in a fresh interpreter that hashes otherwise and has another day. Answers run in children only.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from labkit import trial
from labkit.crash import World
from labkit.engines.replaying import PATCH as MARK
from labkit.engines.replaying import SAID, events_of
from labkit.engines.replays import MODULE, Replays, elsewhere, heard, replays
from labkit.engines.together import DAY, END, NEXT, STEP, Life, lives
from labkit.grading.judge.differences import quoted, quoted_apart
from labkit.grading.judge.program import Program
from labkit.grading.judge.survival import did

DNS, CONTAINER, CERTIFICATE, NOTIFY = "create_dns", "deploy_container", "issue_certificate", "notify"
TOOLS = (DNS, CONTAINER, CERTIFICATE, NOTIFY)
TOLD = "tell the team"
FRIDAY = 4
STOPS = 16
"""Runs that are stopped, at most: right answers have ten points, or two more."""
NAMES = [
    *("shop", "Shop", "shop ", "магазин", "Zürich", "Zu\u0308rich", 'it\'s "paid"', "100 % of {service}, %s", "a\nb"),
    *("null", "1", "01", "{app}", "$1", "create_dns", "shop create_dns", "c:\\new", "商店", "\u2028", "a/b", "a-b", ":app"),
]
PLACES = ["eu", "us", "Zürich", "", "東京", "eu-1", "{service}", "a\nb", 'it\'s "eu"', "EU", "eu "]
HOST = 10**9

Run = dict[str, Any]


@dataclass(frozen=True)
class Scene:
    """Runs, and what the file says in each life. The others differ as a case wants it."""

    whole: dict[str, str]
    """Run → app. The first two are of one app."""
    stopped: dict[str, str]
    places: list[dict[str, str]]
    """What the file says in each life: app → region."""
    days: int = 0
    """How many days lie between two lives."""
    dice: int = 0
    """By how much the dice differ from life to life."""
    start: int = 0
    """How many days after a Thursday the first life is."""
    fresh: dict[str, str] = field(default_factory=dict)
    """Runs that begin in the second life, with the new version."""
    fresh_stopped: dict[str, str] = field(default_factory=dict)

    @property
    def app(self) -> dict[str, str]:
        """Run → app."""
        return self.whole | self.stopped | self.fresh | self.fresh_stopped

    def friday(self, life: int = 0) -> bool:
        """Whether this life is on a Friday: the world begins on a Thursday."""
        return (3 + self.start + life * self.days) % 7 == FRIDAY


@dataclass(frozen=True)
class Call:
    """A request to a tool."""

    life: int
    tool: str
    arguments: dict[str, Any]
    key: Any

    @property
    def app(self) -> Any:
        """Whose it is."""
        return self.arguments.get("service")

    def __str__(self) -> str:
        names = ", ".join(f"{name}={quoted(value)}" for name, value in self.arguments.items())
        return f"{self.tool}({names})"


@dataclass(frozen=True)
class Seen:
    """What came of a scene."""

    scene: Scene
    who: tuple[str, ...]
    """The function of each life."""
    lives: list[dict[str, Run]]
    calls: list[Call]
    effects: list[Call]
    """Of the calls, those that took effect: in no life, as the world has them."""

    def of(self, run: str, life: int | None = None) -> list[Call]:
        """What was asked for this run."""
        return [call for call in self.calls if call.app == self.scene.app[run] and life in {None, call.life}]


def _write(places: dict[str, str]) -> None:
    Path("regions.json").write_text(json.dumps(places), encoding="utf-8")


def _scene(rng: Random, **differs: Any) -> Scene:
    """Runs and apps with names of any kind."""
    apps = [*dict.fromkeys(rng.sample(NAMES, 12)), *(f"{name} {n}" for n, name in enumerate(rng.choices(NAMES, k=30)))]
    runs = [f"{n}{rng.choice(['', ' ', '-', '/', ':'])}{rng.choice(NAMES)}" for n in range(1, 45)]
    same, *others = apps
    names = [same, same, *others]
    pairs = [*zip(runs, names, strict=False)]
    first = {app: rng.choice(PLACES) for app in apps}
    moves = differs.pop("moves", False)
    then = {app: rng.choice([each for each in PLACES if each != first[app]]) if moves else first[app] for app in apps}
    third = {app: rng.choice([each for each in PLACES if each not in {first[app], then[app]}]) for app in apps}
    places = [first, then, third if moves else first]
    return Scene(dict(pairs[:3]), dict(pairs[3 : 3 + STOPS]), places, **differs)


def _played(program: Program, scene: Scene, *who: str) -> Seen:
    """Play it: the first life begins its runs, each other one goes on with what was stopped."""

    def run() -> list[dict[str, Run]]:
        arguments = {name: [app] for name, app in scene.app.items()}
        found = [
            Life(
                partial(program.__getitem__, who[0]),
                {name: arguments[name] for name in scene.whole},
                {name: arguments[name] for name in scene.stopped},
                days=scene.start,
                before=partial(_write, scene.places[0]),
            )
        ]
        known = [*scene.stopped]
        for number, name in enumerate(who[1:], 1):
            new = scene if number == 1 else Scene({}, {}, [])
            life = Life(
                partial(program.__getitem__, name),
                {each: arguments[each] for each in new.fresh},
                {each: arguments[each] for each in new.fresh_stopped},
                known,
                days=scene.start + number * scene.days,
                dice=number * scene.dice,
                before=partial(_write, scene.places[number]),
            )
            found.append(life)
            known = [*scene.fresh_stopped]
        return lives(found)

    tried = trial(run, bare=True, world=World())
    if tried.how != "returned":
        raise AssertionError(f"{who[0]}: the process of its runs {did(tried).removeprefix('raised RuntimeError: ')}")
    life, calls = -1, []
    for call in tried.world.calls:
        life += call.tool == NEXT
        if call.tool != NEXT:
            calls.append(Call(life, call.tool, call.arguments, call.key))
    effects = [Call(0, call.tool, call.arguments, call.key) for call in tried.world.ledger]
    return Seen(scene, who, tried.value, calls, effects)


def same_key_after_kill(program: Program, rng: Random) -> None:
    """Whatever is different after a kill, a tool is used under the same key, and each run and tool has its own."""
    scene = _scene(rng, start=rng.choice([0, 4, 5]), days=rng.choice([1, 7, 30]), dice=1)
    seen = _played(program, scene, "deploy", "deploy")
    _check_whole(seen, "deploy", scene.whole, 0)
    _check_keys(seen)


def no_clock(program: Program, rng: Random) -> None:
    """The day decides once: a run that began on a Thursday has its certificate, and one of a Friday has none."""
    for start in (0, 1):
        scene = _scene(rng, start=start, days=1)
        seen = _played(program, scene, "deploy", "deploy")
        _check_whole(seen, "deploy", scene.whole, 0)
        for run in scene.stopped:
            _check_way(seen, run, 0, "a day later")


def no_dice(program: Program, rng: Random) -> None:
    """What was drawn once stays."""
    seen = _played(program, _scene(rng, dice=1), "deploy", "deploy")
    _check_whole(seen, "deploy", seen.scene.whole, 0)
    for run in seen.scene.stopped:
        _check_way(seen, run, 0, "with other dice")


def no_io(program: Program, rng: Random) -> None:
    """What was read once stays, and a tool that has answered is not asked again."""
    seen = _played(program, _scene(rng, moves=True), "deploy", "deploy")
    _check_whole(seen, "deploy", seen.scene.whole, 0)
    for run in seen.scene.stopped:
        _check_way(seen, run, 0, "when regions.json had changed")
        _check_once(seen, run, 0)


def patched(program: Program, rng: Random) -> None:
    """Runs of the old version go on in the new one, and new runs tell the team."""
    scene = _scene(rng, days=1, start=rng.choice([0, 1]), dice=1, moves=True)
    old, new = dict([*scene.stopped.items()]), _scene(rng)
    names = [app for app in scene.places[0] if app not in scene.app.values()]
    runs = [f"new {run}" for run in (new.whole | new.stopped)]
    pairs = [*zip(runs, names, strict=False)]
    scene = Scene(
        scene.whole, old, scene.places, scene.days, scene.dice, scene.start, dict(pairs[:2]), dict(pairs[2 : 2 + STOPS])
    )
    seen = _played(program, scene, "deploy", "deploy_and_tell", "deploy_and_tell")
    _check_whole(seen, "deploy", scene.whole, 0)
    _check_whole(seen, "deploy_and_tell", scene.fresh, 1)
    _check_keys(seen)
    for life, runs in ((0, scene.stopped), (1, scene.fresh_stopped)):
        for run in runs:
            _check_way(seen, run, life, "on another day")
            _check_once(seen, run, life)
            _check_told(seen, run, life)


def _check_whole(seen: Seen, who: str, runs: Iterable[str], life: int) -> None:
    """Undisturbed runs do what the table says."""
    scene, apps = seen.scene, [seen.scene.app[run] for run in runs]
    for run, app in zip(runs, apps, strict=True):
        got, call = seen.lives[life][run], f"{who}({quoted(app)})"
        _check_ended(got, f"Even without a kill, {call}")
        value = got["value"]
        friday, place = scene.friday(life), scene.places[life][app]
        day = "on a Friday" if friday else "on a day that is no Friday"
        assert isinstance(value, dict) and value.keys() == {"region", "host", "certificate"}, (
            f"{call} returned {quoted(value)}, and not a dict with region, host and certificate"
        )
        for name, wanted in (("region", place), ("certificate", not friday)):
            if value[name] != wanted or type(value[name]) is not type(wanted):
                _, is_, should = quoted_apart(value[name], wanted)
                raise AssertionError(f"{call}, {day}, returned {is_} as its {name}, and not {should}")
        assert _is_host(value["host"], app), f"{call} returned {quoted(value['host'])} as its host: draw_host says none"
    for app in dict.fromkeys(apps):
        count, friday, place = apps.count(app), scene.friday(life), scene.places[life][app]
        hosts = [seen.lives[life][run]["value"]["host"] for run in runs if scene.app[run] == app]
        tools = [DNS, *[NOTIFY] * (who == "deploy_and_tell"), CONTAINER, *[CERTIFICATE] * (not friday)]
        did_ = [call for call in seen.calls if call.app == app and call.life == life]
        asked = [call.tool for call in did_]
        twice = f", and {count} runs of it" if count > 1 else ""
        wanted, given = ", ".join(tools), ", ".join(asked) or "nothing"
        assert sorted(asked) == sorted(tools * count) and (count > 1 or asked == tools), (
            f"For the app {quoted(app)}{twice}, {who} used {given}. In this order, each run uses {wanted}"
        )
        for call in did_:
            name = "region" if call.tool in {DNS, NOTIFY} else "host"
            assert call.arguments.keys() == {"service", name}, f"{who} called {call}: its arguments are service, {name}"
            known = [place] if name == "region" else hosts
            assert call.arguments[name] in known, (
                f"{who}({quoted(app)}) called {call}, and its {name} is {quoted(known[0])}"
            )
        done = [call for call in seen.effects if call.app == app]
        if len(done) < len(tools) * count and all(call.key is not None for call in did_):
            raise AssertionError(
                f"{count} runs of the app {quoted(app)} were to deploy it, each for itself. "
                f"Under the same keys, only {len(done)} of {len(tools) * count} calls took effect"
            )
    drawn = [seen.lives[life][run]["value"]["host"] for run in runs]
    assert len({*drawn}) == len(drawn), f"Two runs have the same host, {quoted(drawn[0])}: it is to be drawn"


def _check_ended(got: Run, what: str) -> None:
    at = f" at {got['line']}" if got["line"] else ""
    if got["how"] == "error":
        raise AssertionError(f"{what} ended with {_short(got['value'])}{at}")
    assert got["how"] == "result", f"{what} did not come to an end"


def _short(text: str) -> str:
    text = " ".join(str(text).split())
    return text if len(text) < 300 else f"{text[:300]}…"


def _is_host(host: Any, app: str) -> bool:
    drawn = host.removeprefix(f"{app}-") if isinstance(host, str) else ""
    return isinstance(host, str) and host.startswith(f"{app}-") and re.fullmatch("[0-9]{1,9}", drawn) is not None


def _check_keys(seen: Seen) -> None:
    """Keys are texts; the same in each life; others for other tools and runs."""
    owners: dict[str, tuple[str, str]] = {}
    for run, app in seen.scene.app.items():
        calls = seen.of(run)
        for call in calls:
            who = seen.who[call.life]
            assert call.key is not None, f"{who} called {call} without a key: killed behind it, it acts twice"
            assert isinstance(call.key, str), f"{who} called {call} under {quoted(call.key)}: a key is a text"
        if [*seen.scene.app.values()].count(app) > 1:
            continue
        for tool in TOOLS:
            keys = [*dict.fromkeys(call.key for call in calls if call.tool == tool)]
            if len(keys) > 1:
                one, two = (next(call for call in calls if call.key == key) for key in keys[:2])
                moment = _moment(_stopped(seen, run, one.life))
                _, first, second = quoted_apart(*keys[:2])
                new = ", in its new version" if seen.who[one.life] != seen.who[two.life] else ""
                raise AssertionError(
                    f"{moment}, and called again{new}: {tool} was called under {first}, and then under {second}. "
                    "A key that has changed keeps nobody from acting twice"
                )
    for call in seen.calls:
        of = (call.tool, str(call.app))
        other = owners.setdefault(call.key, of)
        assert other == of, (
            f"{seen.who[call.life]} used the key {quoted(call.key)} for {other[0]} of the app {quoted(other[1])}, "
            f"and for {of[0]} of {quoted(of[1])}"
        )
    for run, app in seen.scene.whole.items():
        same = [each for each, its in seen.scene.whole.items() if its == app]
        keys = {call.key for call in seen.of(run) if call.tool == DNS}
        assert len(keys) >= len(same), (
            f"Two runs deploy the app {quoted(app)}, and both have the key {quoted(min(keys))}: "
            "the second one does nothing"
        )


def _stopped(seen: Seen, run: str, life: int) -> list[str]:
    return seen.lives[life].get(run, {}).get("effects", [])


def _moment(effects: Sequence[str]) -> str:
    """Where a run was killed."""
    if not effects:
        return "Killed before its first step was stored"
    if effects[-1] == STEP:
        behind = effects[-2:-1]
        step = f"the step {behind[0]}" if behind and behind[0] not in {STEP, END} else f"{effects.count(STEP)} steps"
        return f"Killed when {step} had been stored"
    return f"Killed behind {effects[-1]}, before its step was stored"


def _check_way(seen: Seen, run: str, life: int, how: str) -> None:
    """A run that was stopped in this life goes the same way in the next one."""
    scene, stopped = seen.scene, seen.lives[life].get(run)
    if stopped is None or stopped["how"] != "stopped":
        return
    app, then, who = scene.app[run], life + 1, seen.who[life + 1]
    moment = f"{_moment(stopped['effects'])}, and called again {how}"
    got = seen.lives[then][run]
    _check_ended(got, f"{moment}: {who}({quoted(app)})")
    value, calls = got["value"], seen.of(run)
    if not (isinstance(value, dict) and value.keys() == {"region", "host", "certificate"}):
        raise AssertionError(f"{moment}: {who} returned {quoted(value)}")
    for name, tools in (("region", {DNS, NOTIFY}), ("host", {CONTAINER, CERTIFICATE})):
        for call in calls:
            if call.tool in tools and call.arguments.get(name) != value[name]:
                _, is_, was = quoted_apart(value[name], call.arguments.get(name))
                raise AssertionError(
                    f"{moment}: {who} returned the {name} {is_}, and {call.tool} was called with {was}. "
                    f"The {name} is asked for once"
                )
    issued = [call.life for call in calls if call.tool == CERTIFICATE]
    at_the_end = len(stopped["effects"]) == max(len(each["effects"]) for each in seen.lives[life].values()) - 1
    used = {call.tool for call in calls}
    assert {DNS, CONTAINER} <= used, f"{moment}: {who} never called {min({DNS, CONTAINER} - used)}"
    assert value["certificate"] == bool(issued), (
        f"{moment}: {CERTIFICATE} was {'' if issued else 'not '}called, and {who} returned that there is "
        f"{'a' if value['certificate'] else 'no'} certificate"
    )
    places = [scene.places[life][app], scene.places[then][app]]
    assert value["region"] in places, f"{moment}: {who} returned the region {quoted(value['region'])}"
    if at_the_end and stopped["effects"][-1:] == [STEP]:
        for name, wanted in (("region", places[0]), ("certificate", not scene.friday(life))):
            assert value[name] == wanted, (
                f"{moment}, with nothing left to do: {who} returned {quoted(value[name])} as its {name}, "
                f"and had found {quoted(wanted)}"
            )


def _check_once(seen: Seen, run: str, life: int) -> None:
    """Tools whose steps were finished are not called again."""
    effects = _stopped(seen, run, life)
    for number, tool in enumerate(effects):
        again = [call for call in seen.of(run, life + 1) if call.tool == tool]
        if tool in TOOLS and STEP in effects[number:] and again:
            raise AssertionError(
                f"{_moment(effects)}, and called again: {seen.who[life + 1]} called {tool} once more, which had "
                "answered before. What reaches the outside is a step of its own"
            )


def _check_told(seen: Seen, run: str, life: int) -> None:
    """New runs tell the team; old ones do not, when the container is there."""
    stopped = seen.lives[life].get(run)
    if stopped is None or stopped["how"] != "stopped":
        return
    told, effects = [call.life for call in seen.of(run) if call.tool == NOTIFY], stopped["effects"]
    moment = _moment(effects)
    if life:
        assert told, f"{moment}, and called again: a new run of deploy_and_tell has never called {NOTIFY}"
        return
    finished = CONTAINER in effects and STEP in effects[effects.index(CONTAINER) :]
    assert not (finished and told), (
        f"{moment}, a run of deploy went on with deploy_and_tell, which called {NOTIFY}: its container was there before"
    )


@dataclass(frozen=True)
class Recorded:
    """A history."""

    app: str
    place: str
    began: datetime
    new: bool
    length: int | None
    """After how many activities it ends; None if the run is at its end."""
    number: int

    @property
    def friday(self) -> bool:
        """Whether it is a Friday's."""
        return self.began.weekday() == FRIDAY

    @property
    def activities(self) -> list[str]:
        """All that such a run does."""
        return ["read_region", DNS, *[NOTIFY] * self.new, CONTAINER, *[CERTIFICATE] * (not self.friday)]

    def events(self) -> dict[str, Any]:
        """As JSON has it."""
        returned = {"read_region": self.place}
        done = [(name, returned.get(name, f"{name}: done")) for name in self.activities[: self.length]]
        if self.new:
            done.insert(2, (f"{MARK}{TOLD}", None))
        whole = {"region": self.place} if self.length is None else None
        return events_of("Deploy", self.app, done, whole, self.began, f"run-{self.number}")

    def __str__(self) -> str:
        end = "is whole" if self.length is None else f"ends behind {self.activities[self.length - 1]}"
        day = "on a Friday" if self.friday else "on a day that is no Friday"
        return f"The history of {'a new' if self.new else 'an old'} run, {day}, {end}"


def replays_old_history(program: Program, rng: Random) -> None:
    """Each history of an old run or a new one is gone through, in each process in the same way."""
    thursday = datetime(2026, 1, 1, rng.randint(1, 20))  # noqa: DTZ001 - a history has UTC
    friday = thursday + timedelta(days=1 + 7 * rng.randint(0, 9))
    other = thursday + timedelta(days=rng.choice([0, 2, 3, 4, 5, 6]))
    cut = rng.randint(3, 4)
    kinds = [(other, False, None), (friday, False, None), (rng.choice([friday, other]), False, cut - 1)]
    kinds += [(other, True, None), (friday, True, None), (other, True, cut)]
    apps = rng.sample(NAMES, len(kinds))
    recorded = [
        Recorded(app, rng.choice(PLACES), began, new, length, number)
        for number, (app, (began, new, length)) in enumerate(zip(apps, kinds, strict=True))
    ]
    text = next(source.text for source in program.sources if source.answer == "Deploy")
    events = [each.events() for each in recorded]
    here = Replays(text, "Deploy", events, FRIDAY)
    there = Replays(text, "Deploy", events, 0, sandbox=False)
    seed = rng.randint(1, 99)

    def run() -> list[Any]:
        process = elsewhere(there, seed)
        return [replays(here), heard(process)]

    tried = trial(run, bare=True)
    assert tried.how == "returned", f"Deploy {did(tried)}"
    found, again = tried.value
    for each, got, twice in zip(recorded, found, again, strict=False):
        _check_replay(each, got)
        if got != twice:
            kinds = {name: (got[name], twice[name]) for name in ("calls", "value") if got[name] != twice[name]}
            one, two = next(iter(kinds.values()), ("nothing wrong", _said(twice["failure"])))
            _, first, second = quoted_apart(one, two)
            raise AssertionError(
                f"{each}. In two processes, on two days, Deploy did not go through it in the same way: "
                f"{first}, and {second}. What hangs on the process is not in the history"
            )
    hosts = [call[1][1] for got in found for call in got["calls"] if call[0] == CONTAINER]
    drawn = [host.rpartition("-")[2] for host in hosts]
    assert len({*drawn}) > 1, f"Each run drew the same number, {drawn[0]}: it is drawn by workflow.random()"


def _check_replay(recorded: Recorded, got: dict[str, Any]) -> None:
    if got["failure"]:
        at = re.findall(rf"{MODULE}\.py\W+line (\d+)", got["failure"])
        line = f" at line {at[-1]} of Deploy" if at else ""
        if recorded.number == 0 and not got["calls"] and "Workflow" not in got["failure"]:
            raise AssertionError(f"The cell of Deploy, put into a file: {_said(got['failure'])}")
        raise AssertionError(f"{recorded}. Deploy does not go through it: {_said(got['failure'])}{line}")
    asked, wanted = [name for name, _ in got["calls"]], recorded.activities
    if recorded.length is not None:
        assert asked[: recorded.length] == wanted[: recorded.length], (
            f"{recorded}. Deploy asked for {', '.join(asked)}, and not for {', '.join(wanted[: recorded.length])}"
        )
        assert len(asked) == recorded.length + 1 or recorded.length == len(wanted), (
            f"{recorded}. There, Deploy did not go on"
        )
        wanted = wanted[: len(asked)] if recorded.new else [*wanted, CERTIFICATE]
    else:
        assert asked == wanted, f"{recorded}. Deploy asked for {', '.join(asked)}, and not for {', '.join(wanted)}"
    host = next((args[1] for name, args in got["calls"] if name == CONTAINER and len(args) > 1), f"{recorded.app}-0")
    assert _is_host(host, recorded.app), f"{recorded}. The host is {quoted(host)}, and not {recorded.app!r}-n"
    for name, args in got["calls"]:
        about = [recorded.app, *([recorded.place] if name in {DNS, NOTIFY} else [host] if name != "read_region" else [])]
        assert args == about, f"{recorded}. Deploy asked for {name} with {quoted(args)}, and not with {quoted(about)}"
    if recorded.length is None:
        whole = {"region": recorded.place, "host": host, "certificate": not recorded.friday}
        value = got["value"][0] if got["value"] else None
        assert value == whole, f"{recorded}. Deploy returned {quoted(value)}, and not {quoted(whole)}"


def _said(failure: str) -> str:
    """What is wrong, in the engine's words."""
    said = SAID.search(failure)
    text = said[1].replace('\\"', '"') if said else failure
    return _short(re.sub(r"\[TMPRL\d+\] ", "", text).partition(". If this is")[0])
