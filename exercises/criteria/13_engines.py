"""Judges chapter 13: a workflow that goes the same way again, after any kill, on another day, in new code.

A trial is one process, which forks one life after another over one database. In the first life many runs begin, and
each stops at a point of its own; then the process is killed, and the next life goes on with all of them. What the tools
were asked for is kept by the world, which is another process. A Temporal workflow is replayed twice: in its sandbox,
and in a fresh interpreter that hashes otherwise and has another day. Answers run in children only.
"""

import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial, wraps
from pathlib import Path
from random import Random
from typing import Any

from labkit import trial, world
from labkit.engines.many_runs import STEP, Life
from labkit.engines.replaying import PATCH as MARK
from labkit.engines.replaying import SAID, events_of
from labkit.engines.replays import MODULE, Replays, elsewhere, heard, replays
from labkit.engines.together import NEXT, lives
from labkit.grading.judge.differences import quoted, quoted_apart
from labkit.grading.judge.program import Program
from labkit.grading.judge.survival import did

DNS, CONTAINER, CERTIFICATE, NOTIFY = "create_dns", "deploy_container", "issue_certificate", "notify"
TOOLS = (DNS, CONTAINER, CERTIFICATE, NOTIFY)
TOLD = "tell the team"
ASKS = ("read_region", "draw_host", "is_friday")
FRIDAY = 4
LEAST = 10**8
"""Of seven numbers that are drawn from 0 to 999999999, one is greater, but in one of ten million cases."""
SMALL = (13, 151, 193)
"""Numbers of runs in which Temporal's first draw is a small one: it would have zeros in front."""
STOPS = 14
"""Runs that are stopped, at most: of ten points or so."""
NAMES = [
    *("shop", "Shop", "shop ", "магазин", "Zürich", "Zu\u0308rich", 'it\'s "paid"', "100 % of {service}, %s", "a\nb"),
    *(
        "null",
        "1",
        "01",
        "{app}",
        "$1",
        "create_dns",
        "shop create_dns",
        "c:\\new",
        "商店",
        "\u2028",
        "a/b",
        "a-b",
        ":app",
    ),
]
PLAIN = ["shop", "blog", "wiki", "mail", "chat", "news", "maps", "docs", "bank", "jobs", "blogs", "shops", "mails"]
"""Names that a message shows, if it can."""
PLACES = ["eu", "us", "Zürich", "", "東京", "eu-1", "{service}", "a\nb", 'it\'s "eu"', "EU", "eu "]

Run = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """One life: what it begins, and what is different in it. It goes on with what the life before it has stopped."""

    who: str
    """The function."""
    day: int
    """How many days after a Thursday."""
    dice: int
    places: dict[str, str]
    """What the file says: app → region."""
    whole: dict[str, str]
    """Runs that it begins and ends: run → app."""
    stopped: dict[str, str]
    """Runs that are killed, each at a point of its own."""
    how: str = ""
    """What is different, in words that follow "called again"."""

    @property
    def friday(self) -> bool:
        """Whether it is one."""
        return (3 + self.day) % 7 == FRIDAY

    @property
    def app(self) -> dict[str, str]:
        """Run → app."""
        return self.whole | self.stopped


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
    """What came of some lives."""

    parts: list[Part]
    lives: list[dict[str, Run]]
    calls: list[Call]
    effects: list[Call]
    """Of the calls, those that took effect."""
    app: dict[str, str]
    """Run → app."""

    def of(self, run: str, life: int | None = None) -> list[Call]:
        """What was asked for this run."""
        return [call for call in self.calls if call.app == self.app[run] and life in {None, call.life}]

    def who(self, call: Call) -> str:
        """Who has called."""
        return self.parts[call.life].who


def _write(places: dict[str, str]) -> None:
    Path("regions.json").write_text(json.dumps(places), encoding="utf-8")


def _watched(program: Program, who: str) -> Callable[..., Any]:
    """In a life's process: the function, where each of ASKS tells the world that it is called."""
    function, module = program[who], sys.modules[program.name]
    for name in ASKS:
        setattr(module, name, _telling(name, getattr(module, name)))
    return function


def _telling(name: str, ask: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(ask)
    def asked(*arguments: Any, **named: Any) -> Any:
        world.current().ask(name)
        return ask(*arguments, **named)

    return asked


class Names:
    """Runs and apps with names of any kind, no two of them the same."""

    def __init__(self, rng: Random) -> None:
        self._rng, self._count = rng, 0
        plain = [*PLAIN, *(f"{name}-{n}" for n in range(2, 9) for name in PLAIN)]
        odd = [*rng.sample(NAMES, len(NAMES)), *(f"{rng.choice(NAMES)}{n}" for n in range(100, 200))]
        self._apps = [*dict.fromkeys(app for pair in zip(plain, odd, strict=False) for app in pair)]
        self.places = [{app: self._place() for app in self._apps}]

    def _place(self, *but: str) -> str:
        return self._rng.choice([place for place in PLACES if place not in but])

    def move(self) -> dict[str, str]:
        """Each app is somewhere else from now on."""
        self.places.append({app: self._place(*(each[app] for each in self.places)) for app in self._apps})
        return self.places[-1]

    def runs(self, count: int, *, same: bool = False) -> dict[str, str]:
        """New runs, each of an app of its own; the first two of one, if they are the same."""
        apps = [self._apps[self._count + n] for n in range(count)]
        apps = [apps[0], *apps[:-1]] if same else apps
        runs = [f"{self._count + n}{self._rng.choice(['', ' ', '-', '/', ':'])}{app}" for n, app in enumerate(apps)]
        self._count += count
        return dict(zip(runs, apps, strict=True))


def _played(program: Program, parts: Sequence[Part]) -> Seen:
    """Live them, one after another."""

    def run() -> list[dict[str, Run]]:
        found = []
        for part in parts:
            runs = ({run: [app] for run, app in each.items()} for each in (part.whole, part.stopped))
            code, before = partial(_watched, program, part.who), partial(_write, part.places)
            found.append(Life(code, *runs, days=part.day, dice=part.dice, before=before))
        return lives(found)

    tried, who = trial(run, bare=True), parts[0].who
    assert tried.how == "returned", f"{who}: {did(tried).replace('raised RuntimeError: ', '')}"
    life, calls = -1, []
    for call in tried.world.calls:
        life += call.tool == NEXT
        if call.tool != NEXT:
            calls.append(Call(life, call.tool, call.arguments, call.key))
    effects = [Call(0, call.tool, call.arguments, call.key) for call in tried.world.ledger]
    apps = {run: app for part in parts for run, app in part.app.items()}
    return Seen([*parts], tried.value, calls, effects, apps)


PLAYED: list[Seen] = []
"""What came of deploy: four cases look at the same lives. Each sitting runs this file anew."""
CLOCK, DICE, FILE = "a day later", "with other dice", "when regions.json had changed"


def _deployed(program: Program, rng: Random) -> Seen:
    """Five lives: a Thursday or so, a Friday, a Saturday, other dice, another file. Nothing else differs."""
    if not PLAYED:
        names, week = Names(rng), 7 * rng.randint(0, 9)
        part = partial(Part, "deploy")
        place = names.places[0]
        parts = [part(week, 0, place, names.runs(3, same=True), names.runs(STOPS))]
        parts += [part(week + day, 0, place, names.runs(1), names.runs(STOPS), CLOCK) for day in (1, 2)]
        parts += [part(week + 2, 1, place, names.runs(1), names.runs(STOPS), DICE)]
        parts += [part(week + 2, 1, names.move(), {}, {}, FILE)]
        PLAYED.append(_played(program, parts))
    seen = PLAYED[0]
    for life in range(min(4, len(seen.lives))):
        _check_whole(seen, life)
    _check_all_end(seen)
    return seen


def _check_all_end(seen: Seen) -> None:
    """If a run did not come to its end, nothing more was lived."""
    for life, runs in enumerate(seen.lives):
        for run, got in runs.items():
            if got["how"] == "waiting":
                killed = f"{_moment(_stopped(seen, run, life - 1))}, and called again {seen.parts[life].how}: "
                _check_ended(got, f"{killed * (life > 0)}{seen.parts[life].who}({quoted(seen.app[run])})")


def _restarted(seen: Seen, how: str) -> list[tuple[str, int]]:
    """The runs that were stopped, with the life in which they were, before one that differs in this."""
    pairs = enumerate(zip(seen.parts, seen.parts[1:], strict=False))
    found = [(run, life) for life, (one, two) in pairs if two.how == how for run in sorted(one.stopped, key=_odd)]
    return [(run, life) for run, life in found if seen.lives[life].get(run, {}).get("how") == "stopped"]


def _odd(run: str) -> bool:
    """Whether the name of a run, or of its app, needs a second look."""
    return re.fullmatch("[a-z0-9 /:-]+", run) is None


def same_key_after_kill(program: Program, rng: Random) -> None:
    """Whatever is different after a kill, a tool is used under the same key, and each run and tool has its own."""
    _check_keys(_deployed(program, rng))


def no_clock(program: Program, rng: Random) -> None:
    """The day decides once: a run of Thursday has a certificate on Friday, and one of Friday has none on Saturday."""
    seen = _deployed(program, rng)
    for run, life in _restarted(seen, CLOCK):
        _check_way(seen, run, life)
        _check_asked(seen, run, life, "is_friday")


def no_dice(program: Program, rng: Random) -> None:
    """What was drawn once stays."""
    seen = _deployed(program, rng)
    for run, life in _restarted(seen, DICE):
        _check_way(seen, run, life)
        _check_asked(seen, run, life, "draw_host")


def no_io(program: Program, rng: Random) -> None:
    """What was read once stays, and a tool that has answered is not asked again."""
    seen = _deployed(program, rng)
    for run, life in _restarted(seen, FILE):
        _check_way(seen, run, life)
        _check_asked(seen, run, life, "read_region")
        _check_once(seen, run, life)


def patched(program: Program, rng: Random) -> None:
    """Runs of the old version go on in the new one, and new runs tell the team."""
    names, week = Names(rng), 7 * rng.randint(0, 9)
    how = "on another day, with other dice and another file"
    days = [week + day for day in rng.choice([(0, 1, 2), (1, 2, 8)])]  # the new version has a Friday and another day
    part = partial(Part, "deploy_and_tell")
    parts = [
        Part("deploy", days[0], 0, names.places[0], names.runs(1), names.runs(STOPS)),
        part(days[1], 1, names.move(), names.runs(3, same=True), names.runs(STOPS), how),
        part(days[2], 2, names.move(), names.runs(1), {}, how),
    ]
    seen = _played(program, parts)
    for life in range(len(seen.lives)):
        _check_whole(seen, life)
    _check_all_end(seen)
    for run, life in _restarted(seen, how):
        _check_way(seen, run, life)
        _check_once(seen, run, life)
        _check_told(seen, run, life)
    _check_keys(seen)


def _check_whole(seen: Seen, life: int) -> None:
    """Undisturbed runs do what the table says."""
    part = seen.parts[life]
    apps = [*part.whole.values()]
    day = "on a Friday" if part.friday else "on a day that is no Friday"
    for run, app in part.whole.items():
        got, call = seen.lives[life][run], f"{part.who}({quoted(app)})"
        _check_ended(got, f"Even without a kill, {call}")
        _check_value(got["value"], call)
        for name, wanted in (("region", part.places[app]), ("certificate", not part.friday)):
            if got["value"][name] != wanted:
                _, is_, should = quoted_apart(got["value"][name], wanted)
                raise AssertionError(f"{call}, {day}, returned {is_} as its {name}, and not {should}")
        host = got["value"]["host"]
        assert _is_host(host, app), f"{call} returned {quoted(host)} as its host, which draw_host never says"
    for app in dict.fromkeys(apps):
        _check_used(seen, life, app, apps.count(app))
    drawn = [seen.lives[life][run]["value"]["host"] for run in part.whole]
    assert len({*drawn}) == len(drawn), f"Two runs of {part.who} have the same host, {quoted(drawn[0])}: each draws one"


def _check_used(seen: Seen, life: int, app: str, count: int) -> None:
    """The tools that runs of this app have used."""
    part = seen.parts[life]
    hosts = [seen.lives[life][run]["value"]["host"] for run in part.whole if part.whole[run] == app]
    telling = part.who == "deploy_and_tell"
    tools = [DNS, *[NOTIFY] * telling, CONTAINER, *[CERTIFICATE] * (not part.friday)]
    calls = [call for call in seen.calls if (call.app, call.life) == (app, life)]
    asked = [call.tool for call in calls]
    runs = f"{count} runs of {part.who} for the app {quoted(app)}" if count > 1 else f"{part.who}({quoted(app)})"
    assert sorted(asked) == sorted(tools * count) and (count > 1 or asked == tools), (
        f"{runs} used {', '.join(asked) or 'no tool'}. In this order, each run uses {', '.join(tools)}"
    )
    for call in calls:
        name, known = ("region", [part.places[app]]) if call.tool in {DNS, NOTIFY} else ("host", hosts)
        assert call.arguments.keys() == {"service", name}, f"{part.who} called {call}: it is to have service and {name}"
        assert call.arguments[name] in known, f"{runs} called {call}, and its {name} is {quoted(known[0])}"


def _check_value(value: Any, call: str) -> None:
    """What a run returns has the form that was asked for."""
    assert isinstance(value, dict) and value.keys() == {"region", "host", "certificate"}, (
        f"{call} returned {quoted(value)}, and not a dict with region, host and certificate"
    )
    assert isinstance(value["certificate"], bool), (
        f"{call} returned {quoted(value['certificate'])} as its certificate, and not True or False"
    )


def _check_ended(got: Run, what: str) -> None:
    at = f" at {got['line']}" if got["line"] else ""
    if got["how"] == "error":
        raise AssertionError(f"{what} ended with {_short(got['value'])}{at}")
    assert got["how"] == "result", f"{what} did not end{at}"


def _short(text: str) -> str:
    text = " ".join(str(text).split())
    return text if len(text) < 300 else f"{text[:300]}…"


def _is_host(host: Any, app: str) -> bool:
    drawn = host.removeprefix(f"{app}-") if isinstance(host, str) else ""
    return isinstance(host, str) and host.startswith(f"{app}-") and re.fullmatch("0|[1-9][0-9]{0,8}", drawn) is not None


def _check_keys(seen: Seen) -> None:
    """Keys are texts; the same in each life; others for other tools and runs."""
    for call in seen.calls:
        assert call.key is not None, f"{seen.who(call)} called {call} without a key: killed behind it, it acts twice"
        assert isinstance(call.key, str), f"{seen.who(call)} called {call} under {quoted(call.key)}: a key is a text"
    apps = [*seen.app.values()]
    for run, app in sorted(seen.app.items(), key=lambda pair: _odd(pair[0])):
        for tool in TOOLS if apps.count(app) == 1 else ():
            calls = {call.key: call for call in reversed([call for call in seen.of(run) if call.tool == tool])}
            if len(calls) > 1:
                two, one = [*calls.values()][-2:]
                new = ", by the new version" if seen.who(one) != seen.who(two) else ""
                _, first, second = quoted_apart(one.key, two.key)
                raise AssertionError(
                    f"{_moment(_stopped(seen, run, one.life))}, and called again{new}: {tool} was called under {first} "
                    f"first, and then under {second}. Another key lets it act twice"
                )
    owners: dict[str, Call] = {}
    for call in seen.calls:
        other = owners.setdefault(call.key, call)
        assert (other.tool, other.app) == (call.tool, call.app), (
            f"{seen.who(call)} used the key {quoted(call.key)} for {other.tool} of the app {quoted(other.app)}, "
            f"and for {call.tool} of the app {quoted(call.app)}"
        )
    for app in {app for app in apps if apps.count(app) > 1}:
        for tool in TOOLS:
            keys = {call.key for call in seen.calls if (call.app, call.tool) == (app, tool)}
            assert len(keys) != 1, (
                f"Two runs deploy the app {quoted(app)}, and both used {tool} under the key {quoted(min(keys))}: "
                "the second one has no effect"
            )


def _stopped(seen: Seen, run: str, life: int) -> list[str]:
    return seen.lives[life].get(run, {}).get("effects", [])


def _moment(effects: Sequence[str]) -> str:
    """Where a run was killed."""
    if not effects:
        return "Killed before its first step was stored"
    if effects[-1] == STEP:
        behind = effects[-2:-1]
        count = effects.count(STEP)
        step = f"the step {behind[0]}" if behind and behind[0] != STEP else f"{count} step{'s' * (count > 1)}"
        return f"Killed when {step} had been stored"
    return f"Killed behind {effects[-1]}, before its step was stored"


def _check_asked(seen: Seen, run: str, life: int, ask: str) -> None:
    """What a step had stored behind this question is not asked for again: an argument of a step is no part of it."""
    one, two, effects = *(seen.lives[n][run] for n in (life, life + 1)), _stopped(seen, run, life)
    again = f"called again {seen.parts[life + 1].how}: {seen.parts[life + 1].who} called {ask} again"
    stored = any(what == ask and STEP in effects[behind:] for what, behind in one["asked"])
    assert not (stored and any(what == ask for what, _ in two["asked"])), (
        f"{_moment(effects)}, and {again}. What a step has stored is not asked for again: call it inside of the step, "
        "not before"
    )


def _check_way(seen: Seen, run: str, life: int) -> None:
    """A run that was stopped in this life goes the same way in the next one."""
    one, two, effects, app = *seen.parts[life : life + 2], _stopped(seen, run, life), seen.app[run]
    who, moment = two.who, f"{_moment(effects)}, and called again {two.how}"
    got, calls = seen.lives[life + 1][run], seen.of(run)
    for name in ("region", "host"):
        asked = {repr(call.arguments[name]): call for call in calls if name in call.arguments}
        if len(asked) > 1:
            first, then = [*asked.values()][:2]
            _, was, is_ = quoted_apart(first.arguments[name], then.arguments[name])
            raise AssertionError(
                f"{moment}: {who} called {then.tool} with the {name} {is_}. Before that, {first.tool} was called with "
                f"{was}. What was stored once counts, and the {name} is asked for in a step"
            )
    _check_ended(got, f"{moment}: {who}({quoted(app)})")
    _check_value(got["value"], f"{moment}: {who}({quoted(app)})")
    value = got["value"]
    for name, tools in (("region", {DNS, NOTIFY}), ("host", {CONTAINER, CERTIFICATE})):
        for call in calls:
            if call.tool in tools and call.arguments.get(name) != value[name]:
                _, is_, was = quoted_apart(value[name], call.arguments.get(name))
                raise AssertionError(
                    f"{moment}: {who} returned the {name} {is_}, and {call.tool} was called with {was}. "
                    f"The {name} is asked for once"
                )
    used = {call.tool for call in calls}
    assert {DNS, CONTAINER} <= used, f"{moment}: {who} has never called {min({DNS, CONTAINER} - used)}"
    issued = CERTIFICATE in used
    assert value["certificate"] == issued, (
        f"{moment}: {CERTIFICATE} was {'' if issued else 'not '}called, and {who} returned that there is "
        f"{'a' if value['certificate'] else 'no'} certificate"
    )
    places = [one.places[app], two.places[app]]
    assert value["region"] in places, f"{moment}: {who} returned the region {quoted(value['region'])}"
    most = max(len(_stopped(seen, each, life)) for each in one.app)
    if len(effects) == most - 1 and effects[-1:] == [STEP]:
        for name, wanted in (("region", places[0]), ("certificate", not one.friday)):
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
                f"{_moment(effects)}, and called again: {seen.parts[life + 1].who} called {tool} once more, which had "
                "answered before. To use a tool is a step of its own"
            )


def _check_told(seen: Seen, run: str, life: int) -> None:
    """New runs tell the team; old ones do not, when the container is there."""
    told, effects = [call for call in seen.of(run) if call.tool == NOTIFY], _stopped(seen, run, life)
    if life:
        assert told, f"{_moment(effects)}, and called again: a new run of deploy_and_tell has not told the team"
    finished = CONTAINER in effects and STEP in effects[effects.index(CONTAINER) :]
    assert life or not finished or not told, (
        f"{_moment(effects)}, a run of deploy went on with deploy_and_tell, which told the team: "
        "its step deploy_container was finished"
    )


class Recorded:
    """A history."""

    def __init__(
        self,
        rng: Random,
        began: datetime,
        new: bool,  # noqa: FBT001
        length: int | None = None,
        *,
        waits: bool = False,
    ) -> None:
        """`length`: after how many activities it ends; None if the run is at its end. `waits`: for the last of them."""
        self.began, self.new, self.length, self.waits = began, new, length, waits
        self.friday = began.weekday() == FRIDAY
        plain = not (new or self.friday)
        self.app, self.place = rng.choice(PLAIN if plain else NAMES), rng.choice(["eu", "us"] if plain else PLACES)
        self.number = rng.getrandbits(32)
        self.activities = ["read_region", DNS, *[NOTIFY] * new, CONTAINER, *[CERTIFICATE] * (not self.friday)]

    def events(self) -> dict[str, Any]:
        """As JSON has it."""
        done = [(name, f"{name}: done") for name in self.activities[: self.length]]
        done[0] = ("read_region", self.place)
        if self.waits:
            done[-1] = (done[-1][0], ...)
        if self.new and len(done) > 2:
            done.insert(2, (f"{MARK}{TOLD}", None))
        result = {"region": self.place} if self.length is None else None
        return events_of("Deploy", self.app, done, result, self.began, f"run-{self.number}")

    def __str__(self) -> str:
        behind = f"ends {'in' if self.waits else 'behind'} {self.activities[(self.length or 0) - 1]}"
        end = "is whole" if self.length is None else behind
        day = "on a Friday" if self.friday else "on a day that is no Friday"
        return f"The history of {'a new' if self.new else 'an old'} run, {day}, {end}"


def replays_old_history(program: Program, rng: Random) -> None:
    """Each history of an old run or a new one is gone through, in each process in the same way."""
    friday = datetime(2026, 1, 2, 0, rng.randint(5, 55)) + timedelta(weeks=rng.randint(0, 9))  # noqa: DTZ001 - in UTC
    day, hours = timedelta(days=1), timedelta(hours=23)
    at_midnight = [(friday + day, friday + hours), (friday - day + hours, friday)]
    rng.shuffle(at_midnight)  # in no other time zone are all of them on the same day
    whole = [Recorded(rng, began, new) for new, days in enumerate(at_midnight) for began in days]
    other = friday + day * rng.choice([-1, 1, 2, 3, 4, 5])
    cut = [Recorded(rng, other, new, length) for new in (False, True) for length in range(1, 4 + new)]
    cut[1].number = rng.choice(SMALL)
    ends, rest = rng.choice(cut), [*whole, *cut, Recorded(rng, other, new=True, length=3, waits=True)]
    text = next(source.text for source in program.sources if source.answer == "Deploy")
    here = Replays(text, "Deploy", [each.events() for each in (*whole, ends)], FRIDAY)
    there = Replays(text, "Deploy", [each.events() for each in rest], 0, sandbox=False)
    seed = rng.randint(1, 99)

    def run() -> list[Any]:
        process = elsewhere(there, seed)
        return [replays(here), heard(process)]

    tried = trial(run, bare=True)
    assert tried.how == "returned", f"Deploy {did(tried)}"
    found, again = tried.value
    if len(found) != len(whole) + 1:
        raise AssertionError(f"The cell of Deploy, alone in a file: {_said(found[0]['failure'])}{_line(found[0])}")
    for each, got in zip([*whole, ends], found, strict=True):
        _check_replay(each, got)
    for each, got, twice in zip(whole, found, again, strict=False):
        _check_same(each, got, twice)
    for each, got in zip(rest, again, strict=True):
        _check_replay(each, got)
    hosts = [call[1][1] for got in again for call in got["calls"] if call[0] == CONTAINER]
    drawn = [int(host.rpartition("-")[2]) for host in hosts]
    assert len({*drawn}) > 1, f"Each run drew the same number, {drawn[0]}: it is drawn by workflow.random()"
    assert max(drawn) >= LEAST, f"{len(drawn)} runs drew numbers, and none is above {max(drawn)}: from 0 to 999999999"


def _check_same(recorded: Recorded, one: dict[str, Any], two: dict[str, Any]) -> None:
    """In two processes, it goes through a history in the same way."""
    apart = "In two processes, on two days, Deploy did not take the same way"
    why = "What hangs on the process is not in the history"
    if two["failure"]:
        raise AssertionError(f"{recorded}. {apart}: in the second, {_said(two['failure'])}{_line(two)}. {why}")
    for (name, first), (other, then) in zip(one["calls"], two["calls"], strict=False):
        for mine, theirs in zip(first, then, strict=False):
            if mine != theirs:
                _, was, is_ = quoted_apart(mine, theirs)
                raise AssertionError(f"{recorded}. {apart}: {name} was asked for with {was}, and with {is_}. {why}")
        assert (name, len(first)) == (other, len(then)), f"{recorded}. {apart}: it asked for {name}, and {other}. {why}"
    assert one == two, f"{recorded}. {apart}: it returned {quoted(one['value'])}, and {quoted(two['value'])}. {why}"


def _check_replay(recorded: Recorded, got: dict[str, Any]) -> None:
    if got["failure"]:
        raise AssertionError(f"{recorded}. Deploy does not go through it: {_said(got['failure'])}{_line(got)}")
    asked, wanted, length = [name for name, _ in got["calls"]], recorded.activities, recorded.length
    if length is None:
        assert asked == wanted, f"{recorded}. Deploy asked for {', '.join(asked)}, and not for {', '.join(wanted)}"
    else:
        assert asked[:length] == wanted[:length], (
            f"{recorded}. Deploy asked for {', '.join(asked)}, and not for {', '.join(wanted[:length])}"
        )
        assert recorded.waits or len(asked) > length, f"{recorded}. Deploy asked for nothing more"
        at_once = asked[length - recorded.waits :]
        assert len(at_once) == 1, (
            f"{recorded}. Deploy asked for {' and '.join(at_once)} at once: wait for each activity"
        )
    host = next((args[1] for name, args in got["calls"] if name == CONTAINER and len(args) > 1), f"{recorded.app}-0")
    assert _is_host(host, recorded.app), f"{recorded}. The host is {quoted(host)}, and not {recorded.app!r}-n"
    for name, args in got["calls"]:
        about = [
            recorded.app,
            *([recorded.place] if name in {DNS, NOTIFY} else [host] if name != "read_region" else []),
        ]
        assert args == about, f"{recorded}. Deploy asked for {name} with {quoted(args)}, and not with {quoted(about)}"
    if recorded.length is None:
        whole = {"region": recorded.place, "host": host, "certificate": not recorded.friday}
        value = got["value"][0] if got["value"] else None
        assert value == whole, f"{recorded}. Deploy returned {quoted(value)}, and not {quoted(whole)}"


def _line(got: dict[str, Any]) -> str:
    """Where it failed."""
    at = re.findall(rf"{MODULE}\.py\W+line (\d+)", got["failure"])
    return f" at line {at[-1]} of Deploy" if at else ""


def _said(failure: str) -> str:
    """What is wrong, in the engine's words."""
    said = SAID.search(failure)
    text = said[1].replace('\\"', '"') if said else failure
    return _short(re.sub(r"\[TMPRL\d+\] ", "", text).partition(". If this is")[0])
