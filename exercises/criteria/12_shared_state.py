"""Judges chapter 12: whose a state is, who was first, and who goes on where another agent has stopped.

A trial is one process in which many scenes are played. What was stored is kept by the server, and read when that
process is dead. Whoever goes on reaches the states by a client of the judge's: it loses answers, and lets other agents
save at every moment; the states are rows, and the server keeps each version of them. Whoever goes on is killed at
every point, and those who save at the same moment are raced, in every order. Answers run in children only.
"""

import copy
import json
import unicodedata
from asyncio import CancelledError
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import zip_longest
from random import Random
from typing import Any, ClassVar

import sqlalchemy as sa
from psycopg import Connection

from labkit import database, race, sweep, tool
from labkit.crash.under_test import without_addresses
from labkit.grading.judge.calls import called, salt_hash, shown, told
from labkit.grading.judge.differences import quoted, quoted_apart
from labkit.grading.judge.orders import assert_no_order_breaks
from labkit.grading.judge.program import Program
from labkit.grading.judge.scenes import play
from labkit.grading.judge.stage import THROUGH, WAITED, Stage, ends, outcome
from labkit.grading.judge.survival import assert_survives

TABLES = """
    CREATE TABLE states (
        owner text, agent text, task text, version int NOT NULL, state jsonb NOT NULL,
        PRIMARY KEY (owner, agent, task));
    CREATE TABLE notes (text text);
    CREATE TABLE history (version int PRIMARY KEY, state jsonb);
"""
FACTS = """
    SELECT json_build_object(
        'states', (SELECT json_agg(states) FROM states), 'notes', (SELECT json_agg(text) FROM notes),
        'history', (SELECT json_object_agg(version, state) FROM history))
"""
UNTIL_SOMEBODY_WAITS = """
    DO $$ BEGIN LOOP
        EXIT WHEN clock_timestamp() > statement_timestamp() + interval '2 s' OR EXISTS (
            SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 12 AND objid = 12 OR NOT granted
            AND (relation = 'states'::regclass OR transactionid = pg_current_xact_id()::xid));
        PERFORM pg_sleep(0.002);
    END LOOP; END $$; ROLLBACK
"""
"""The other transaction ends when the answer waits for it, or when the answer has returned: then we ring."""
RING, SILENCE = "SELECT pg_advisory_lock(12, 12)", "SELECT pg_advisory_unlock(12, 12)"
FILL = "INSERT INTO states SELECT * FROM json_populate_recordset(NULL::states, %s)"
EMPTY = "DELETE FROM states; DELETE FROM notes; DELETE FROM history"
THIS = "owner = %s AND agent = %s AND task = %s"
HOLD = f"UPDATE states SET version = version + 1 WHERE {THIS}"  # noqa: S608 - ours
READ = f"SELECT version, state FROM states WHERE {THIS}"  # noqa: S608 - ours
SAVE = f"UPDATE states SET state = %s::jsonb, version = version + 1 WHERE version = %s AND {THIS}"  # noqa: S608 - ours
KEPT = f"WITH saved AS ({SAVE} RETURNING version, state) INSERT INTO history SELECT * FROM saved"  # noqa: S608 - ours
NOTE, MINE = "INSERT INTO notes VALUES (:text)", "written before by the caller"
GONE = object()
"""What a state has where it has no such field."""
MISSING, STALE = "NotFoundError", "VersionConflictError"
OURS = "team"
"""Whose states those are that a client reaches."""
CALLS = 150
"""Of the client, after which a call of go_on is ended. Right answers make fewer."""
ORDERS = 24
TEXTS = [
    *("", 'it\'s "paid"', "one line\nand another", "оплачено: 已付 ✓", "100 % of :state, %s, \\n, \\u0000"),
    *(" paid ", "null", "Zu\u0308rich", "paid " * 300, '{"version": 1}', "0", "\u2028", "None"),
]
PLAIN = [f"charge {name}" for name in ("Ada", "Bob", "Eve", "Zoe", "Tim", "Amy", "Leo")]
STEPS = [*(each for each in TEXTS if len(each) < 99), "charge Ada", "charge  Ada", "charge Ada ", "оплата", "Zürich"]
"""Names of steps."""
DEEDS = ["fields", "step", "last step", "longer", "first"]
"""What another agent does to a state."""
LOST, BROKEN = "lost", "broken"
"""What becomes of a call of the client: done, and its answer is lost; or not done."""
BREAKS = [ConnectionError, ConnectionResetError, BrokenPipeError, ConnectionRefusedError, ConnectionAbortedError]
REFUSALS = [MISSING, "PermissionError", "ValueError", "RuntimeError", "KeyError"]
"""What else a client raises."""
ERRORS = [
    *(ConnectionError, ConnectionResetError, TimeoutError, ValueError, LookupError, RuntimeError, AssertionError),
    *(OSError, KeyError, TypeError, KeyboardInterrupt, SystemExit, CancelledError),
]
"""What steps raise, beside what the exercise defines."""

Row = dict[str, Any]
Key = tuple[str, str, str]
"""Owner, agent and task."""
States = dict[Key, tuple[int, Row]]


@dataclass(frozen=True)
class Call:
    """A call of read_state or save_state."""

    name: str
    key: Key
    version: int = 0
    state: Row = field(default_factory=dict)

    def __str__(self) -> str:
        names = ", ".join(_names(self.key))
        return f"{self.name}(conn, {names}{f', {self.version}, …' if self.name == 'save_state' else ''})"


@dataclass(frozen=True)
class Asked:
    """Calls in one transaction, and what is stored before them."""

    rows: States
    calls: Sequence[Call]
    undo: bool = False
    """Whether the caller undoes its transaction first, and then does all of it again."""
    begin: bool = False
    """Whether the caller has begun the transaction by `begin`, not by its first statement."""
    held: Sequence[Key] = ()
    """Rows that somebody else's transaction holds meanwhile."""
    busy: Sequence[Call] = ()
    """Calls of other owners, each in a transaction that is still open."""
    rival: bool = False
    """Whether another transaction has saved over the same version; it is undone when somebody waits for it."""


@dataclass(frozen=True)
class Going:
    """Calls of go_on, the state that they find, and what happens meanwhile."""

    uri: str
    state: Row
    version: int = 1
    results: dict[str, str] = field(default_factory=dict)
    """Step → what it returns. There are more than the plan has."""
    calls: int = 1
    others: dict[tuple[str, int], str] = field(default_factory=dict)
    """What is called, the how-manieth time → what another agent does right before that; in a step, while it runs."""
    faults: dict[tuple[str, int], str] = field(default_factory=dict)
    """What is called of the client, the how-manieth time → what becomes of it."""
    errors: dict[str, list[str]] = field(default_factory=dict)
    """Step → what it raises, the first times."""

    @property
    def key(self) -> Key:
        """Whose state it is, and which."""
        return _named(self.uri)


class TooManyCalls(BaseException):
    """Ends a call that would never end. No `except Exception` of an answer stops it."""


class Client:
    """How go_on reaches its state, in a child."""

    def __init__(self, stage: "Agents") -> None:
        self._stage = stage

    def read(self, uri: str) -> tuple[int, Row]:
        """Version and state."""
        self._stage.before("read", uri)
        version, state = self._stage.stored()
        self._stage.log.append({"did": "read", "version": version})
        return version, state

    def save(self, uri: str, version: int, state: Row) -> int:
        """The new version."""
        return self._stage.save(uri, version, json.dumps(state))


class Agents(Stage):
    """In a child: the answers, whoever calls them, and other agents."""

    def __init__(self, program: Program) -> None:
        super().__init__(TABLES, FACTS)
        self.program = program

    def play(self, scene: Asked | Going) -> list[Row]:
        """What came of the scene: once for each time that its calls were made."""
        self.scene = scene
        found: list[Row] = []
        for got in self._ask() if isinstance(scene, Asked) else self._go():
            found.append(got)
            if ends(got):
                break
        return found

    def _ask(self) -> Iterator[Row]:
        scene = self.scene
        _fill(self.judge, scene.rows)
        if scene.held:
            self.other.execute("BEGIN")
            for key in scene.held:
                self.other.execute(HOLD, key)
        for commit in [False] * scene.undo + [True]:
            with ExitStack() as others, self.engine.connect() as conn:
                for call in scene.busy:
                    self._call(others.enter_context(self.engine.connect()), call)
                if scene.begin:
                    conn.begin()
                conn.execute(sa.text(NOTE), {"text": MINE})
                got = {"calls": [*self._calls(conn)], "caller": {}, "commit": commit}
                got["early"], end = self.keep(), conn.commit if commit else conn.rollback
                if not _is_odd(got["calls"][-1]):
                    got["caller"] = called(
                        lambda conn=conn, end=end: [conn.execute(sa.text("SELECT 1")).scalar(), end()]
                    )
            if scene.held:
                self.other.execute("ROLLBACK")
            got |= {"left": self.end_others(), "end": self.keep()}
            waited = any(WAITED in each.get("failed", "") for each in got["calls"])
            yield {**got, "endless": waited or any(each.get("endless") for each in got["calls"])}

    def _calls(self, conn: sa.Connection) -> Iterator[Row]:
        """How each call in a transaction went, until one is odd."""
        for call in self.scene.calls:
            if self.scene.rival:
                self._begin_to_save(call)
            got = self._call(conn, call)
            if self.scene.rival:
                self._end()
            yield got
            if _is_odd(got):
                break

    def _begin_to_save(self, call: Call) -> None:
        """Another transaction saves just the same, and will be undone."""
        self.other.execute("BEGIN")
        if call.version:
            self.other.execute(SAVE, ['{"by": "a rival"}', call.version, *call.key])
        else:
            self.other.execute("INSERT INTO states VALUES (%s, %s, %s, 1, '{}')", call.key)
        self.other.pgconn.send_query(UNTIL_SOMEBODY_WAITS.encode())
        while self.other.pgconn.flush():
            pass

    def _end(self) -> None:
        self.judge.execute(RING)
        while self.other.pgconn.get_result():
            pass
        self.judge.execute(SILENCE)

    def _call(self, conn: sa.Connection, call: Call) -> Row:
        error: list[Any] = []

        def answer() -> Any:
            more = (call.version, copy.deepcopy(call.state)) if call.name == "save_state" else ()
            try:
                value = self.program[call.name](conn, *call.key, *more)
            except Exception as raised:
                kinds = [name for name in (MISSING, STALE) if isinstance(raised, self.program[name])]
                error.extend([type(raised).__name__, f"{raised}", (*kinds, "")[0]])
                raise
            return _pair(value) if call.name == "read_state" else _plain(value)

        return called(answer) | {"error": error}

    def _go(self) -> Iterator[Row]:
        scene = self.scene
        _fill(self.judge, {scene.key: (scene.version, scene.state)})
        self.judge.execute("INSERT INTO history SELECT version, state FROM states")
        self.counts: dict[str, int] = {}
        self.times = dict.fromkeys(scene.results, 0)
        steps = {name: partial(self._step, name) for name in scene.results}
        for _ in range(scene.calls):
            self.log, self.raised, self.calls = [], None, 0
            self._come("call")
            got = called(partial(self._going, steps))
            got["endless"] = got.get("endless") or self.calls > CALLS
            yield {**got, "log": self.log, "end": self.keep()}

    def _going(self, steps: dict[str, Callable[[str], str]]) -> Any:
        try:
            return _plain(self.program["go_on"](Client(self), self.scene.uri, steps))
        except BaseException as error:
            if self.raised is None or error is not self.raised:
                raise
            return THROUGH

    def before(self, what: str, uri: str) -> str:
        """Before a call of the client: others may come. What becomes of it, if it is still to be done."""
        self.calls += 1
        if self.calls > CALLS:
            raise TooManyCalls(f"the client was called {CALLS} times")
        fault = self.scene.faults.get((what, self._come(what)), "")
        if uri != self.scene.uri:
            self.log.append({"did": "strange", "what": what, "uri": _plain(uri)})
            raise self.program[MISSING]("there is no such state")
        if fault in {"", LOST}:
            return fault
        self.log.append({"did": "failed", "what": what, "fault": fault})
        if fault == BROKEN:
            raise BREAKS[self.calls % len(BREAKS)]("the connection is broken")
        kind = self.program[MISSING] if fault == MISSING else getattr(__import__("builtins"), fault)
        self.raised = kind("refused")
        raise self.raised

    def save(self, uri: str, version: int, state: str) -> int:
        """Save as the client does."""
        fault = self.before("save", uri)
        if not isinstance(version, int):
            raise TypeError(f"client.save was given {version!r} as the version")
        stored = self._save(version, state)
        self.log.append({"did": "save", "version": version, "stored": stored, "fault": fault})
        if fault == LOST:
            raise BREAKS[self.calls % len(BREAKS)]("no answer came")
        if not stored:
            raise self.program[STALE](f"version {version} is not the newest")
        return version + 1

    def stored(self) -> tuple[int, Row]:
        """Version and state, as they are now."""
        return self.judge.execute(READ, self.scene.key).fetchone()

    def _save(self, version: int, state: str) -> bool:
        return self.judge.execute(KEPT, [state, version, *self.scene.key]).rowcount == 1

    def _step(self, name: str, key: Any) -> str:
        """Do a step."""
        self.log.append({"did": "step", "step": name, "key": _plain(key), "text": isinstance(key, str)})
        self._come("step")
        times, kinds = self.times[name], self.scene.errors.get(name, [])
        self.times[name] += 1
        if times < len(kinds):
            self.log.append({"did": "failed", "what": "step", "step": name, "fault": kinds[times]})
            known = {each.__name__: each for each in ERRORS} | {n: self.program[n] for n in (MISSING, STALE)}
            self.raised = known[kinds[times]]("the step has failed")
            raise self.raised
        return self.scene.results[name]

    def _come(self, what: str) -> int:
        """Others come, if this is their moment; the how-manieth this is."""
        number = self.counts[what] = self.counts.get(what, 0) + 1
        if does := self.scene.others.get((what, number)):
            version, state = self.stored()
            did = _by_another(does, state, self.scene.results, version)
            assert self._save(version, json.dumps(state))
            self.log.append({"did": "other", "version": version + 1, "told": did, "what": what, "number": number})
        return number


def _by_another(does: str, state: Row, names: Iterable[str], number: int) -> str:
    """Change a state as another agent does; what it did, as the predicate of a sentence."""
    left = [step for step in state["plan"] if step not in state["done"]]
    new = [name for name in names if name not in state["plan"]]
    result = f"by another: {number}" if number % 2 else ""
    if does == "step" and left:
        state["done"][left[0]] = result
        return f"did {quoted(left[0])}"
    if does == "last step" and left:
        state["done"][left[-1]] = result
        return f"did {quoted(left[-1])}"
    if does == "longer" and new:
        state["plan"].append(new[0])
        return f"added {quoted(new[0])} to the plan"
    if does == "first" and new:
        state["plan"].insert(0, new[0])
        return f"put {quoted(new[0])} at the beginning of the plan"
    state[f"note {number}"] = {"by": "another", "n": number}
    state["seen"] = number
    return "saved fields of its own"


def who_may_read(program: Program, rng: Random) -> None:
    """Whatever is called almost alike, whatever a state says: only what is theirs is read, and only that is changed."""
    scenes = []
    for world in (_plain_world, _world, _world, _world):
        rows, key = world(rng)
        others = {each: row for each, row in rows.items() if each != key}
        begin, stranger = {"begin": rng.choice([True, False])}, rng.choice([*others])
        scenes += [Asked(rows, [_read(key)], **begin), Asked(others, [_read(key)], **begin)]
        nothing = replace(_save(rng, key, rows[key][0]), state={})
        scenes += [Asked(rows, [nothing, _read(key)]), Asked(rows | {key: (rows[key][0], {})}, [_read(key)])]
        scenes += [
            Asked(rows, [_save(rng, key, rows[key][0], stranger)]),
            Asked(others, [_save(rng, key, 0, stranger)]),
        ]
        scenes += [Asked(others, [_save(rng, key, row[0])], **begin) for row in rng.choices([*others.values()], k=2)]
        strangers = [each for each in rows if each[1:] == key[1:]]
        scenes.append(Asked(rows, [_read(each) for each in rng.sample(strangers, len(strangers))]))
        scenes.append(Asked(rows, [_save(rng, each, rows[each][0], key) for each in strangers[:4]]))
        new = [_save(rng, key, 0), _read(key), _save(rng, key, 1), _read(key)]
        scenes += [Asked(others, new), Asked(others, new[:2], undo=True)]
    again = {each: (row[0] + 1, _state(rng)) for each, row in rows.items()}  # the same names, and something else
    for seen in _play_asked(program, [*scenes, Asked(again, [_read(key)]), Asked({}, [_read(key)])]):
        _check_asked(seen)


def missing_looks_like_forbidden(program: Program, rng: Random) -> None:
    """What other owners have makes no difference: to values, types and texts, and to how long somebody waits."""
    pairs = []
    for world in (_plain_world, _world, _world):
        rows, key = world(rng)
        mine = {each: row for each, row in rows.items() if each[0] == key[0] and each != key}
        theirs = {each: row for each, row in rows.items() if each[1:] == key[1:] and each != key}
        version = rng.choice([*theirs.values()])[0]
        for own in ({}, {key: (version + rng.randint(1, 3), _state(rng))}):
            calls = [_read(key), *(_save(rng, key, v) for v in (0, version, version + 9))]
            pairs += [(Asked(mine | own, [call]), Asked(mine | own | theirs, [call])) for call in calls]
        calls = [_read(key), *(_save(rng, key, v) for v in (0, version))]
        waits = [Asked(mine | theirs, [call], held=[*theirs]) for call in calls]
        waits += [Asked(rows, [call], held=[*theirs]) for call in (_read(key), _save(rng, key, rows[key][0]))]
        few = rng.sample([*theirs], min(2, len(theirs)))  # each takes a connection
        waits += [
            Asked(mine | theirs, [call], busy=[_save(rng, other, theirs[other][0]) for other in few]) for call in calls
        ]
        pairs += [(replace(each, held=(), busy=()), each) for each in waits]
    found = _play_asked(program, [scene for pair in pairs for scene in pair])
    for without, seen in zip_longest(found[::2], found[1::2]):
        if seen is None:  # nothing more could be played
            _check_asked(without)
            return
        call, one, other = seen.scene.calls[0], without.got["calls"][0], seen.got["calls"][0]
        if WAITED in other.get("failed", "") and (seen.scene.held or seen.scene.busy):
            had = "had saved" if seen.scene.busy else "held"
            raise AssertionError(
                f"A transaction of another owner {had} its own state of the same agent and task, and {call.name} "
                f"waited for it: it {told(other)}"
            )
        owners = "another owner has" if _others(seen.scene.rows, call.key) == 1 else "other owners have"
        assert _told(one) == _told(other), (
            f"{call} {_did(one)}. If {owners} such a state, it {_did(other)}: whoever asks must not learn that"
        )
        _check_asked(without)
        _check_asked(seen)


def stale_refused(program: Program, rng: Random) -> None:
    """Saved is over the version that was read, or not at all; of two at the same moment, one is refused."""
    scenes = []
    for scene in (partial(_saved, rng, world) for world in (_plain_world, _world)):
        scenes += [scene(has=has) for has in (rng.randint(2, 9), 1, rng.randint(10**4, 10**6))]
        scenes += [scene(has=5, version=5 + off) for off in (-1, 1, -rng.randint(2, 4), rng.randint(2, 99))]
        scenes += [scene(has=has, version=0) for has in (1, rng.randint(2, 9))]
        scenes += [scene(has=0, version=version) for version in (0, 1, rng.randint(2, 99))]
        scenes += [scene(has=4, version=version, same=True) for version in (3, 0, 4)]
    for state in ({}, {"plan": []}, {"text": rng.choice(TEXTS)}, {rng.choice(TEXTS): None}):
        scenes.append(scene(has=rng.randint(0, 9), state=state))
    digit = rng.randint(1, 9)  # a part of the version is not the version
    scenes += [scene(has=has, version=digit) for has in (1000 + digit, 10 * digit)]
    scenes += [scene(has=1, version=10**6), scene(has=10**6, version=1)]
    scenes += [scene(has=has, version=version, undo=True) for has, version in ((4, 4), (0, 0), (3, 2))]
    scenes += [
        replace(_saved(rng, world, has=has), rival=True)
        for has in (rng.randint(1, 9), 0)
        for world in (_plain_world, _world)
    ]
    for has in (0, rng.randint(2, 9)):  # the version that was read counts once
        one = scene(has=has)
        after = [replace(one.calls[0], version=has + n, state=_state(rng)) for n in (0, 1, 1, 2)]
        scenes.append(replace(one, calls=[one.calls[0], *after], begin=True))
    for seen in _play_asked(program, scenes):
        _check_asked(seen)
    _two_save(program, rng, rng.randint(1, 9))
    _two_save(program, rng, 0)


def b_goes_on(program: Program, rng: Random) -> None:
    """In the plan's order, saved step by step, under keys that everybody makes; killed anywhere, another goes on."""
    scenes = [_going(rng, plan=2, words=PLAIN)]
    scenes += [_going(rng, plan=plan, done=done) for plan, done in ((1, 0), (3, 0), (4, 2), (5, 5), (0, 0), (1, 1))]
    scenes += [_going(rng, plan=3, done=1, calls=2)]
    scenes += [_failing(rng, kind) for kind in (*(each.__name__ for each in ERRORS), MISSING, STALE)]
    scenes += [*_named_alike(rng)]
    keys: dict[tuple[str, str, str], str] = {}
    for seen in _play_going(program, scenes):
        _check_going(seen)
        for step, key in seen.keys_given():
            _check_key(keys, (seen.scene.uri, seen.scene.state["key"], step), key)
    _is_killed(program, rng)


def rereads_after_loss(program: Program, rng: Random) -> None:
    """Refused or without an answer, at whichever moment: read again, and keep what others have saved."""
    going = partial(_going, rng, words=PLAIN)
    scenes = [going(faults={("save", n): fault}) for n in (rng.randint(1, 2), 3) for fault in (LOST, BROKEN)]
    scenes += [going(faults={("read", n): BROKEN}) for n in (1, rng.randint(2, 3))]
    for does in DEEDS:
        scenes += [going(others={(what, rng.randint(1, 3)): does}) for what in ("save", "step")]
        scenes += [going(others={("read", 2): does}), going(others={("call", 2): does}, calls=2)]
    going = partial(_going, rng)
    more = [going(faults={("save", n): fault, ("read", n + 1): BROKEN}) for n in (1, 2, 3) for fault in (LOST, BROKEN)]
    for fault in (LOST, BROKEN):
        for does in DEEDS:
            n, what = rng.randint(1, 2), rng.choice(["save", "step"])
            more += [going(faults={("save", n): fault}, others={at: does}) for at in (("read", n + 1), ("save", n + 1))]
            more += [going(faults={("save", n): fault}, others={(what, n): does})]
    more += [going(faults={("read", n): BROKEN for n in ns}) for ns in ((1, 2, 3), (1, 2))]
    three = [("save", 1), ("save", 2), ("save", 3)]
    more += [going(faults=dict.fromkeys(three, fault)) for fault in (LOST, BROKEN)]
    more += [going(faults={("save", n): fault for n in (1, 2, 4, 5)}) for fault in (LOST, BROKEN)]
    more += [going(others=dict.fromkeys(three, does)) for does in DEEDS]
    more += [going(others=dict(zip(three, rng.sample(DEEDS, 3), strict=True)))]
    for fault in REFUSALS:
        more += [going(faults={(what, rng.randint(1, 2)): fault}, calls=2) for what in ("save", "read")]
    for each in scenes, rng.sample(more, len(more)):  # in two processes, as one may have so many effects
        for seen in _play_going(program, each):
            _check_going(seen)
    _two_go_on(program, rng)


@dataclass(frozen=True)
class SeenAsked:
    """How the calls in one transaction went."""

    scene: Asked
    got: Row
    before: States
    end: States
    notes: list[str]
    early: tuple[States, list[str]] | None
    """What others saw before the caller's transaction ended; None if they had to wait."""


def _play_asked(program: Program, scenes: Sequence[Asked]) -> list[SeenAsked]:
    """Play the scenes, in one child."""
    played, facts = play(
        partial(Agents, program), scenes, " or ".join(sorted({c.name for s in scenes for c in s.calls}))
    )
    found = []
    for scene, gots in zip(scenes, played, strict=False):
        for got in gots:
            end, notes = _facts(facts.get(got["end"], {}))
            early = _facts(facts[got["early"]]) if got["early"] in facts else None
            found.append(SeenAsked(scene, got, dict(scene.rows), end, notes, early))
    return found


def _facts(fact: Row) -> tuple[States, list[str]]:
    rows = fact.get("states") or []
    return {(row["owner"], row["agent"], row["task"]): (row["version"], row["state"]) for row in rows}, fact.get(
        "notes"
    ) or []


def _check_asked(seen: SeenAsked) -> None:
    """Each call had the value or the error that it should have; stored is that, and nothing else."""
    rows, got = dict(seen.before), seen.got
    said = ""
    for number, (call, each) in enumerate(zip(seen.scene.calls, got["calls"], strict=False)):
        again = "The caller undid its transaction, and did it again. " * (seen.scene.undo and got["commit"])
        rival = "Another transaction had saved just this, and was undone then. " * seen.scene.rival
        said = f"{again}{rival}{_scene(rows, call, number)}"
        kind, value = _expected(rows, call)
        wanted = f"expected {kind or (f'version {value[0]} and its state' if call.name == 'read_state' else value)}"
        did = _did(each)
        if kind or "failed" in each:
            found = each["error"][2] if each["error"] else ""
            assert found == kind and "failed" in each, f"{said} {_whose(rows, call, each) or did}; {wanted}"
        else:
            assert each["value"] == value, f"{said} {_whose(rows, call, each) or _off(value, each['value'])}"
    caller = got["caller"]
    assert "failed" not in caller, (
        f"{said} {did}. Then the caller's own statement in that transaction {outcome(caller)}"
    )
    assert not got["left"], f"{said} {did}, and left a transaction open"
    if early := seen.early:
        hidden = early[0] == seen.before and not early[1]
        assert hidden, (
            f"{said} {did}, and others could see what was written, before the caller committed: leave COMMIT to it"
        )
    if not got["commit"]:
        assert seen.end == seen.before and not seen.notes, (
            f"{said} {did}. The caller undid its transaction, and what was written in it is there all the same"
        )
        return
    _check_rows(rows, seen, f"{said} {did}")
    assert seen.notes == [MINE], f"{said} {did}, and what the caller had written before is gone: leave ROLLBACK to it"


def _check_rows(rows: States, seen: SeenAsked, said: str) -> None:
    """Stored is what is expected."""
    for key in {**rows, **seen.end}:
        ours, theirs, mine = rows.get(key), seen.end.get(key), key in {call.key for call in seen.scene.calls}
        if ours == theirs:
            continue
        owner, agent, task = _names(key)
        name = "the state" if mine else f"another state, of owner {owner}, agent {agent}, task {task}"
        assert theirs, f"{said}, and {name} is not stored"
        assert ours, f"{said}, and stored is {name}: nothing was to be stored there"
        changed = f"{said}, and {name} was changed" if ours == seen.before.get(key) else said
        assert ours[0] == theirs[0], f"{changed}: stored is version {theirs[0]}; expected {ours[0]}"
        what, one, other = _field(ours[1], theirs[1])
        raise AssertionError(f"{changed}: in what is stored, {what} is {other}; expected {one}")


def _expected(rows: States, call: Call) -> tuple[str, Any]:
    """The error, or the value. What is saved is put into the rows."""
    has = rows.get(call.key)
    if call.name == "read_state":
        return ("", [*has]) if has else (MISSING, None)
    if not has and call.version:
        return MISSING, None
    if has and call.version != has[0]:
        return STALE, None
    rows[call.key] = (call.version + 1, call.state)
    return "", call.version + 1


def _scene(rows: States, call: Call, number: int) -> str:
    """Who has what, and the call: the beginning of a sentence."""
    has, others = rows.get(call.key), _others(rows, call.key)
    owner = _names(call.key)[0]
    mine = f"{owner} has version {has[0]} of this state" if has else f"{owner} has no such state"
    theirs = f", and {'another owner has one' if others == 1 else f'{others} other owners have one'}" if others else ""
    return f"{mine[0].upper()}{mine[1:]}{theirs}. {'Later in this transaction, ' * bool(number)}{call}"


def _others(rows: States, key: Key) -> int:
    """How many other owners have a state of this agent and task."""
    return sum(each[1:] == key[1:] and each[0] != key[0] for each in rows)


def _whose(rows: States, call: Call, got: Row) -> str:
    """Whose state was read, if it was somebody else's."""
    value = got.get("value")
    if call.name != "read_state" or not isinstance(value, list) or len(value) != 2:
        return ""
    whose = next((key for key, row in rows.items() if [*row] == value and key != call.key), None)
    return f"returned the state of owner {whose[0]!r}, agent {whose[1]!r}, task {whose[2]!r}" if whose else ""


def _off(expected: Any, value: Any) -> str:
    """How a value differs from what was expected, as the predicate of a sentence."""
    if not isinstance(expected, list):
        return f"returned {quoted(value)}; expected {expected}"
    if not isinstance(value, list) or len(value) != 2:
        return f"returned {quoted(value)}; expected version and state"
    if value[0] != expected[0]:
        return f"returned {quoted(value[0])} as the version; expected {expected[0]}"
    if not isinstance(value[1], dict):
        return f"returned {quoted(value[1])} as the state; expected a dict"
    what, one, other = _field(expected[1], value[1])
    return f"returned a state whose {what} is {other}; expected {one}"


def _field(expected: Row, found: Row) -> tuple[str, str, str]:
    """The first field in which two states differ, and what it is in either."""
    name = next(each for each in {**expected, **found} if expected.get(each, GONE) != found.get(each, GONE))
    ours, theirs = expected.get(name, GONE), found.get(name, GONE)
    where, one, other = quoted_apart(ours, theirs)
    return f"{quoted(name)}{where}", *(
        "missing" if each is GONE else text for each, text in ((ours, one), (theirs, other))
    )


def _did(got: Row) -> str:
    """How a call ended, as the predicate of a sentence."""
    if "failed" in got:
        return outcome(got)
    value = got["value"]
    is_state = isinstance(value, list) and len(value) == 2 and isinstance(value[0], int)
    return f"returned {f'version {value[0]} and a state' if is_state else quoted(value)}"


def _told(got: Row) -> Any:
    """All that whoever has called learns."""
    return got["error"][:2] or got.get("failed") or got.get("value")


def _is_odd(got: Row) -> bool:
    """Whether a call raised what it never should: its transaction may be of no more use."""
    return "failed" in got and not (got["error"] and got["error"][2])


def _two_save(program: Program, rng: Random, version: int) -> None:
    """Two save over the same version at the same moment, in every order: one is saved, and the other is stale."""
    key = ("ada", "deploy", f"shop {rng.randrange(10**6)}")
    rows = {key: (version, {"plan": [], "by": "nobody"})} if version else {}

    def save(name: str) -> Any:
        with database.engine().begin() as conn:
            try:
                return program["save_state"](conn, *key, version, {"plan": [], "by": name})
            except program[STALE]:
                return STALE

    def invariant(seen: Any) -> None:
        stored, ends = _stored(key), {name: _ended(end) for name, end in seen.workers.items()}
        had, stale = f"returned {version + 1}", f"returned {STALE!r}"
        both = f"over version {version}" if version else "a new state"
        said = f"two saved {both} at the same moment: A {ends['A']}, and B {ends['B']}".replace(
            stale, f"raised {STALE}"
        )
        assert sorted(ends.values()) == sorted([had, stale]), f"{said}; expected one {version + 1} and one {STALE}"
        holds = f"version {stored[0]}, the state of {stored[1].get('by')}" if stored else "nothing"
        expected = f"version {version + 1}, the state of {'A' if ends['A'] == had else 'B'}"
        assert holds == expected, f"{said}. Stored is {holds}; expected {expected}"

    workers = {name: partial(save, name) for name in "AB"}
    assert_no_order_breaks(race(workers, invariant, partial(_create, rows), limit=ORDERS, name="save_state"))


def _ended(end: Any) -> str:
    return f"raised {end.raised}" if end.raised else f"returned {end.returned!r}"


@dataclass(frozen=True)
class SeenGoing:
    """How one call of go_on went."""

    scene: Going
    got: Row
    history: dict[int, Row]
    """Version → state."""
    done: frozenset[str]
    """What was done in calls before."""
    known: Row | None
    """What was read or saved last in calls before."""

    def keys_given(self) -> Iterator[tuple[str, Any]]:
        """Step and key of each step that was done."""
        return ((each["step"], each["key"]) for each in self.got["log"] if each["did"] == "step")


def _play_going(program: Program, scenes: Sequence[Going]) -> list[SeenGoing]:
    """Play the scenes, in one child."""
    played, facts = play(partial(Agents, program), scenes, "go_on")
    found = []
    for scene, gots in zip(scenes, played, strict=False):
        done, known = frozenset(), None
        for got in gots:
            history = {int(version): state for version, state in (facts[got["end"]]["history"] or {}).items()}
            found.append(SeenGoing(scene, got, history, done, known))
            done |= {each["step"] for each in got["log"] if each["did"] == "step"}
            known = next((history[at] for at in map(_known, reversed(got["log"])) if at), known)
    return found


def _known(each: Row) -> int:
    """The version that whoever goes on knows by this; 0: none."""
    if each["did"] == "save" and each["stored"] and not each["fault"]:
        return each["version"] + 1
    return each["version"] if each["did"] == "read" else 0


def _first(state: Row) -> str | None:
    """The step that is to be done next."""
    return next((step for step in state["plan"] if step not in state["done"]), None)


class Story:
    """The log of a call, read from its beginning: what is known to the answer, and what it does."""

    def __init__(self, seen: SeenGoing) -> None:
        self.seen, self.known, self.called, self.happened = seen, seen.known, set(seen.done), ""
        self.failed: Row | None = None
        self.lost: Row | None = None
        """What was saved without an answer, as long as nothing is read: whoever tries again may know of it."""

    def check(self) -> None:
        """AssertionError at the first thing that is wrong."""
        for each in self.seen.got["log"]:
            if self.failed and each["did"] != "other":
                raise AssertionError(f"{self._failure} go_on went on: let it through")
            getattr(self, f"_{each['did']}")(each)

    @property
    def _failure(self) -> str:
        what = (
            f"The step {quoted(self.failed['step'])}"
            if self.failed["what"] == "step"
            else f"client.{self.failed['what']}"
        )
        return f"{what} raised {self.failed['fault']}, and"

    def _read(self, each: Row) -> None:
        self.known, self.lost = self.seen.history[each["version"]], None

    def _strange(self, each: Row) -> None:
        raise AssertionError(
            f"go_on called client.{each['what']} with {quoted(each['uri'])}; expected {quoted(self.seen.scene.uri)}"
        )

    def _other(self, each: Row) -> None:
        moment = {"step": "While a step was done", "call": "Before go_on was called again"}
        when = moment.get(each["what"], f"Right before a call of client.{each['what']}")
        self.happened = f"{self.happened}{when}, another agent {each['told']}. "

    def _failed(self, each: Row) -> None:
        if each["fault"] == BROKEN:
            not_saved = ", and the state was not saved" * (each["what"] == "save")
            self.happened += f"client.{each['what']} raised a ConnectionError{not_saved}. "
        else:
            self.failed = each

    def _step(self, each: Row) -> None:
        step = each["step"]
        if self.lost and step == _first(self.lost):
            self.known, self.lost = self.lost, None
        known = self.known
        assert known, f"{self.happened}go_on called {quoted(step)} before it had read the state"
        assert step not in known["done"], (
            f"{self.happened}go_on called {quoted(step)}, and the state said that it was done"
        )
        assert step in known["plan"], f"{self.happened}go_on called {quoted(step)}, which is not in the plan"
        first = _first(known)
        saved = "before the result of" if first in self.called else "before"
        assert first == step, (
            f"{self.happened}go_on called {quoted(step)} {saved} {quoted(first)}{' was saved' * (first in self.called)}"
        )
        assert each["text"], f"go_on gave {quoted(step)} the key {quoted(each['key'])}; expected a text"
        self.called.add(step)

    def _save(self, each: Row) -> None:
        if each["fault"] == LOST:
            self.happened += (
                f"client.save raised a ConnectionError, and the state was {'' if each['stored'] else 'not '}saved. "
            )
        if not each["stored"]:
            return
        old, new = (self.seen.history[each["version"] + n] for n in (0, 1))
        self._check_saved(old, new)
        self.known, self.lost = (self.known, new) if each["fault"] else (new, None)

    def _check_saved(self, old: Row, new: Any) -> None:
        """What was stored is there, and the results of steps that were done."""
        who = f"{self.happened}go_on saved"
        assert isinstance(new, dict) and isinstance(new.get("done"), dict), f"{who} {quoted(new)}; expected a state"
        for name in [*(each for each in old if each != "done"), *new]:
            if name == "done":
                continue
            assert name in new, f"{who}, and what was stored as {quoted(name)} is gone"
            assert name in old, f"{who} {quoted(name)}, too: change nothing but done"
            where, one, other = quoted_apart(old[name], new[name])
            assert old[name] == new[name], f"{who}, and {name}{where} is now {other}; expected {one}"
        for step, result in old["done"].items():
            assert step in new["done"], f"{who}, and the result of {quoted(step)}, which was stored, is gone"
            _, one, other = quoted_apart(result, new["done"][step])
            assert result == new["done"][step], (
                f"{who} {other} as the result of {quoted(step)}, which was done: its result was {one}"
            )
        for step, result in new["done"].items():
            if step in old["done"]:
                continue
            assert step in self.called, f"{who} {quoted(step)} as done, and had not done it: killed now, nobody does it"
            where, one, other = quoted_apart(self.seen.scene.results[step], result)
            assert result == self.seen.scene.results[step], (
                f"{who} the result of {quoted(step)} as{where} {other}; it had returned {one}"
            )


def _check_going(seen: SeenGoing) -> None:
    """All was done as it should be, and what was returned is what is stored."""
    story, got = Story(seen), seen.got
    story.check()
    stored = seen.history[max(seen.history)]
    how = f"returned {quoted(got['value'])}" if "value" in got and got["value"] != THROUGH else outcome(got)
    if TooManyCalls.__name__ in got.get("failed", ""):
        raise AssertionError(f"{story.happened}go_on called the client {CALLS} times, and came to no end")
    if story.failed:
        assert got.get("value") == THROUGH, f"{story._failure} go_on {how}: let it through, as it is"  # noqa: SLF001
        return
    assert "failed" not in got, f"{story.happened}go_on {how}"
    left = [step for step in stored["plan"] if step not in stored["done"]]
    assert not left, f"{story.happened}go_on {how}, and {quoted(left[0])} is not stored as done"
    value = got["value"]
    assert isinstance(value, dict), f"{story.happened}go_on {how}; expected the state that is stored"
    if value != stored:
        what, one, other = _field(stored, value)
        raise AssertionError(f"{story.happened}go_on returned a state whose {what} is {other}; stored is {one}")


def _check_key(keys: dict[tuple[str, str, str], str], this: tuple[str, str, str], key: str) -> None:
    """The same for this step of this state, and for no other. A state's URI and key tell which it is."""
    had = keys.setdefault(this, key)
    where, one, other = quoted_apart(had, key)
    assert had == key, f"The {_of(this)} had the key{where} {one}, and in another call of go_on {other}"
    same = next((each for each, theirs in keys.items() if theirs == key and each != this), None)
    if same and (same[0], same[2]) == (this[0], this[2]):
        uri = "Two owners have a state of the same URI, with other keys. "
        raise AssertionError(f"{uri}In both, the step {quoted(this[2])} had the key {quoted(key)}")
    assert same is None, f"The {_of(same)} and the {_of(this)} have the same key, {quoted(key)}"


def _of(this: tuple[str, str, str]) -> str:
    _, state, step = this
    plain = unicodedata.normalize("NFKC", step) == step and step.isprintable()
    return f"step {quoted(step) if plain else ascii(step)} of the state {state}"


class Reach:
    """A client whose states are in the database, with nothing between."""

    URI: ClassVar = "state://agents/deploy/tasks/shop"
    KEY: ClassVar = (OURS, "deploy", "shop")

    def __init__(self, stale: type[Exception]) -> None:
        self._stale = stale

    def read(self, uri: str) -> tuple[int, Row]:
        """Version and state."""
        return _stored(_named(uri))

    def save(self, uri: str, version: int, state: Row) -> int:
        """The new version."""
        with Connection.connect(database.url(), autocommit=True) as connection:
            if not connection.execute(SAVE, [json.dumps(state), version, *_named(uri)]).rowcount:
                raise self._stale("not the newest")
        return version + 1


def _is_killed(program: Program, rng: Random) -> None:
    """Killed at any point; then somebody saves a field, and another agent goes on: each step acts once, in order."""
    names = rng.sample(["Ada", "Bob", "Eve", "Zoë"], 3)
    plan = [f"charge {name}" for name in names]
    state = {"key": _key(rng), "plan": plan, "done": {plan[0]: "charged before"}, "note": rng.choice(TEXTS)}

    def go_on() -> None:
        program["go_on"](Reach(program[STALE]), Reach.URI, {step: partial(_charge, step) for step in [*reversed(plan)]})

    def recover() -> None:
        salt_hash(program["go_on"], "another process")
        with Connection.connect(database.url(), autocommit=True) as connection:
            sets = 'state = state || \'{"human": "looked"}\', version = version + 1'
            connection.execute(f"UPDATE states SET {sets}")  # noqa: S608 - ours
        go_on()

    def invariant(seen: Any) -> None:
        charged = [call.arguments["customer"] for call in seen.ledger]
        for name in names[1:]:
            keys = {str(call.key) for call in seen.ledger if call.arguments["customer"] == name}
            assert charged.count(name), f"another agent went on, and {name} was never charged"
            assert charged.count(name) == 1, f"{name} was charged twice, under {len(keys)} keys"
        assert charged == names[1:], f"charged were {' and '.join(charged)}; expected {' and '.join(names[1:])}"
        _, stored = _stored(Reach.KEY)
        left = [step for step in plan if step not in stored["done"]]
        assert not left, f"another agent went on, and {quoted(left[0])} is not stored as done"

    rows = {Reach.KEY: (rng.randint(1, 9), state)}
    assert_survives(sweep(go_on, recover, invariant, partial(_create, rows), name="go_on"), effects=3)


def _charge(step: str, key: str) -> str:
    tool("charge", customer=step.removeprefix("charge "), amount=1, key=key)
    return "charged"


def _two_go_on(program: Program, rng: Random) -> None:
    """Two agents go on at the same moment, in many orders: the step acts once, and what somebody else saves stays."""
    step = f"charge {rng.choice(['Ada', 'Bob', 'Eve'])}"
    rows = {Reach.KEY: (rng.randint(1, 9), {"key": _key(rng), "plan": [step], "done": {}})}

    def go_on() -> Any:
        return program["go_on"](Reach(program[STALE]), Reach.URI, {step: partial(_charge, step)})

    def invariant(seen: Any) -> None:
        ends = {name: _ended(end) for name, end in seen.workers.items()}
        _, stored = _stored(Reach.KEY)
        assert len(seen.ledger) == 1, f"two agents went on, and {quoted(step)} was done {len(seen.ledger)} times"
        assert stored["done"] == {step: "charged"}, f"two agents went on, and stored as done is {stored['done']}"
        for name, end in ends.items():
            assert end == f"returned {stored!r}", (
                f"two agents went on, and {name} {end}; expected the state, {stored!r}"
            )

    assert_no_order_breaks(
        race({"A": go_on, "B": go_on}, invariant, partial(_create, rows), limit=ORDERS, name="go_on")
    )


def _stored(key: Key) -> Any:
    with Connection.connect(database.url(), autocommit=True) as connection:
        return connection.execute(READ, key).fetchone()


def _create(rows: States) -> None:
    with Connection.connect(database.url(), autocommit=True) as connection:
        connection.execute(TABLES)
        _fill(connection, rows)


def _fill(connection: Connection, rows: States) -> None:
    """Store these, and nothing else."""
    columns = ("owner", "agent", "task", "version", "state")
    connection.execute(EMPTY)
    connection.execute(FILL, [json.dumps([dict(zip(columns, (*key, *row), strict=True)) for key, row in rows.items()])])


def _named(uri: str) -> Key:
    """What a URI names."""
    _, _, _, agent, _, task = uri.split("/")
    return OURS, agent, task


def _names(key: Key) -> list[str]:
    """As a message shows them."""
    return [quoted(each) if each.isascii() and each.isprintable() else ascii(each) for each in key]


def _read(key: Key) -> Call:
    return Call("read_state", key)


def _save(rng: Random, key: Key, version: int, says: Key | None = None) -> Call:
    return Call("save_state", key, version, _state(rng, says))


def _saved(
    rng: Random,
    world: Callable[[Random], tuple[States, Key]],
    has: int,
    version: int | None = None,
    *,
    state: Row | None = None,
    same: bool = False,
    **more: Any,
) -> Asked:
    """A save over what the owner has; 0: nothing. There are states of others, with versions that would fit."""
    rows, key = world(rng)
    version = has if version is None else version
    call = Call("save_state", key, version, _state(rng) if state is None else state)
    rows = {each: (version if version and rng.random() < 0.5 else row[0], row[1]) for each, row in rows.items()}
    del rows[key]
    rows |= {key: (has, call.state if same else _state(rng))} if has else {}
    return Asked(dict(rng.sample([*rows.items()], len(rows))), [call], **more)


def _plain_world(rng: Random) -> tuple[States, Key]:
    """States of two owners, who have an agent and a task of the same names."""
    (owner, other), agent = rng.sample(["ada", "bob", "eve", "zoe"], 2), rng.choice(["deploy", "bill"])
    tasks = rng.sample(["shop", "blog", "wiki"], 2)
    keys = [(owner, agent, tasks[0]), (other, agent, tasks[0]), (owner, agent, tasks[1])]
    rows = {key: (rng.randint(1, 9), {"plan": ["charge"], "done": {}, "n": rng.randrange(10**6)}) for key in keys}
    return dict(rng.sample([*rows.items()], len(rows))), keys[0]


def _world(rng: Random) -> tuple[States, Key]:
    """States of many, and one of them: the others are called almost alike, or have the same names in other places."""
    number = rng.randrange(10**6)
    owner = rng.choice(
        [f"Ada_é%{number}", f"Ада's_é {number}%", f"東京_é%s{number}", f'"_é%{number}"', f"_é%None{number}"]
    )
    agent = rng.choice([f"deploy_é/{number}-b:c's", f":who_é/%s-{number}:", f"é_/-:{number}", f"{owner}/-:'"])
    task = rng.choice([f"shop_é/{number}'", f"Blog\né/%{number}:agent'", f"'/é {number}", f"{owner}/", ""])
    key = (owner, agent, task)
    keys = {(each, agent, task) for each in _alike(owner)}
    keys |= {(owner, each, task) for each in rng.sample(_alike(agent), 4)}
    keys |= {(owner, agent, each) for each in rng.sample(_alike(task), 4)}
    for glue in "/-:":  # two names that are glued together make the names of others
        first, rest = agent.split(glue, 1)
        keys |= {(f"{owner}{glue}{first}", rest, task), (owner, first, f"{rest}{glue}{task}")}
    keys |= {(owner + agent[:1], agent[1:], task), (agent, owner, task), (task, agent, owner), (agent, agent, task)}
    keys |= {(f"bob {number}", agent, task), (f"bob {number}", f"bob {number}", task)}
    versions = [rng.randint(1, 9), rng.randint(1, 99), rng.randint(100, 10**5)]
    rows = {each: (rng.choice(versions), _state(rng, key)) for each in sorted(keys - {key})}
    rows[key] = (rng.choice(versions), _state(rng, rng.choice([*rows])))
    return dict(rng.sample([*rows.items()], len(rows))), key


def _alike(name: str) -> list[str]:
    """Names that are easily taken for this one."""
    letters = "".join(each.swapcase() if each.isascii() else each for each in name)
    found = {
        letters,
        f"{name} ",
        f" {name}",
        f"{name}\n",
        f"{name}0",
        name.swapcase(),
        name.replace("_", "x"),
        f"{name}/",
    }
    found |= {name.replace("%", "x"), unicodedata.normalize("NFD", name), name[:-1], name.replace("'", "''"), ""}
    return sorted(found - {name})


def _state(rng: Random, says: Key | None = None) -> Row:
    """A state; perhaps it says that it is somebody else's."""
    state = {"plan": rng.sample(TEXTS, rng.randint(0, 3)), "done": {rng.choice(TEXTS): rng.choice(TEXTS)}}
    state |= {
        rng.choice("abc"): rng.choice([*TEXTS, [1, 2.5, None, True], {"of": {"text": rng.choice(TEXTS)}}, 10**20])
    }
    if says or rng.random() < 0.3:
        owner, agent, task = says or ("bob", "deploy", "shop")
        state |= {"owner": owner, "who": owner, "agent": agent, "task": task, "version": rng.randint(0, 9)}
    return dict(rng.sample([*state.items()], len(state))) | {"n": rng.randrange(10**9)}


def _going(
    rng: Random,
    plan: int = 3,
    done: int = 0,
    *,
    words: Sequence[str] = STEPS,
    names: Sequence[str] = (),
    uri: str = "",
    key: str = "",
    **more: Any,
) -> Going:
    """A plan of so many steps, of which so many are done, any of them; others may add steps to it."""
    names = names or rng.sample(words, plan + 4)
    steps, results = names[:plan], {each: "paid" if words is PLAIN else rng.choice(TEXTS) for each in names}
    results = dict(rng.sample([*results.items()], len(results)))
    finished = {each: rng.choice(["", *TEXTS]) for each in rng.sample(steps, done)}
    state = {"key": key or _key(rng), "plan": [*steps], "done": finished | {f"old {rng.randrange(99)}": ""}}
    state |= {rng.choice(["goal", "facts", "seen"]): rng.choice([*TEXTS, [], {"a": None}, 10**20])}
    return Going(uri or _uri(rng), state, rng.randint(1, 999), results, **more)


def _failing(rng: Random, kind: str) -> Going:
    """A step raises such an error, once or twice; go_on is called until it does not."""
    often = rng.choice([1, 1, 2])
    going = _going(rng, plan=2, calls=often + 1)
    return replace(going, errors={going.state["plan"][rng.randint(0, 1)]: [kind] * often})


def _uri(rng: Random) -> str:
    agent, task = (f"{rng.choice(['deploy', 'shop', 'a-b', 'x_1'])}{rng.randrange(10**4)}" for _ in range(2))
    return f"state://agents/{agent}/tasks/{task}"


def _named_alike(rng: Random) -> Iterator[Going]:
    """Steps that are called almost alike; they come again in another version of the state, and in states of others."""
    word, number, uri, key = rng.choice(["charge", "оплата", "pay-é"]), rng.randrange(10**4), _uri(rng), _key(rng)
    steps = [*_alike(f"{word}_é"), f"{word}_é", word, *(f"{word}{glue}{number}" for glue in " -_/:"), "long" * 99]
    steps += [f"../{word}", f"./{word}", f"{word}/", f"{word}//{number}"]
    steps += [f"{word} {number}0", f"{number} {word}", "".join(reversed(word)), "long" * 99 + "2", "1" + "long" * 99]
    yield _going(rng, plan=len(steps), names=steps, uri=uri, key=key)
    again = [f"/{word}", *rng.sample(steps, 4)]  # a path that begins at the root has nothing before it
    yield _going(rng, plan=3, done=1, names=again, uri=uri, key=key)
    yield _going(rng, plan=3, names=again[::-1], uri=uri, key=key)
    for at in (0, 8, 15):
        other = "a" if key[at] != "a" else "b"
        yield _going(rng, plan=3, names=again, uri=uri, key=key[:at] + other + key[at + 1 :])
    yield _going(rng, plan=3, names=again, uri=uri, key=key[::-1])


def _key(rng: Random) -> str:
    """Of a state."""
    return f"{rng.randrange(16**16):016x}"


def _pair(value: Any) -> Any:
    """What read_state returned, as a list of two."""
    if isinstance(value, dict | str):
        return _plain(value)
    try:
        version, state = value
    except (TypeError, ValueError):
        return _plain(value)
    return [_plain(version), _plain(state)]


def _plain(value: Any) -> Any:
    """A value as it can be told to another process."""
    if isinstance(value, dict | list | tuple):
        return json.loads(json.dumps(value, default=shown))
    return value if value is None or isinstance(value, bool | int | float | str) else without_addresses(shown(value))
