"""Judges chapter 9: a task is handed over once, whoever waits gets it, and a worker that stops gives back its own.

A trial is one process in which many scenes are played, each a call. Others have their moments: right before a statement
of the answer, however that is sent, or while it waits, in virtual time. What was stored is kept by the server, and read
when that process is dead. Two that submit at once are raced, in every order. Answers run in children only.
"""

import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial, wraps
from itertools import pairwise
from random import Random
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import Connection
from psycopg.errors import LockNotAvailable

from labkit import Deadline, SystemClock, database, race, sweep, world
from labkit.crash.child import driver
from labkit.grading.judge.calls import called, shown
from labkit.grading.judge.differences import quoted, quoted_apart
from labkit.grading.judge.orders import ENOUGH, assert_no_order_breaks
from labkit.grading.judge.program import Program
from labkit.grading.judge.scenes import play
from labkit.grading.judge.stage import Stage, ends, outcome
from labkit.grading.judge.survival import assert_survives

CREATE = """
    CREATE TABLE tasks (
        id text PRIMARY KEY, wish jsonb NOT NULL, state text NOT NULL DEFAULT 'pending', number bigserial,
        token int NOT NULL DEFAULT 0, journal jsonb NOT NULL DEFAULT '{}', result text, error text);
"""
INSERT = """
    INSERT INTO tasks (id, wish, state, token, journal, result, error)
    SELECT id, wish, state, token, journal, result, error FROM json_populate_recordset(NULL::tasks, %s)
"""
ROWS = "SELECT json_agg(tasks ORDER BY number) FROM tasks"
FACTS = f"""
    SELECT json_build_object('tasks', ({ROWS}), 'order', (
        SELECT json_agg(id ORDER BY wish -> 'priority' DESC, number) FROM tasks WHERE state = 'pending'))
"""  # noqa: S608 - ours
TAKE = "UPDATE tasks SET state = 'running', token = token + 1 WHERE id = %s"
SAVE = "UPDATE tasks SET journal = '{}' WHERE id = %s AND state = 'running'"
HOLD = "SELECT 1 FROM tasks WHERE id = %s FOR UPDATE NOWAIT"
COMPLETED, FAILED, TAKEN = "completed the task", "parked the task as failed", "took the task over"
THEIRS = 'by another worker: it\'s "done"\n完成 ✓'
CHANGES = {
    COMPLETED: {"state": "completed", "result": THEIRS},
    FAILED: {"state": "failed", "error": THEIRS},
    TAKEN: {"state": "running"},
}
"""What another worker did → what it sets. Who takes a task over counts its token up, too."""
MOST, LOOKS = 10, 200
"""Statements before which another worker comes, and after which a call is ended. Right answers send fewer."""
POLL, OFTEN, SOON = 0.5, 10, 1e-6
"""Seconds in which wait looks at least once, and at most so often; and seconds that are none."""
TEXTS = [
    *("", 'it\'s "done"', "one line\nand another", "развернуть: 部署 ✓", "100 % of :wish, %s and \\n", " deploy "),
    *("NULL", "Zu\u0308rich", "deploy " * 500, '{"user_input": 1}'),
]
"""What users may want, and steps return."""
MACHINE = SystemClock()
"""A child's own: it shows the world's time."""


class WaitsForEver(BaseException):
    """Ends a call that would never end. No `except Exception` of an answer stops it."""


@dataclass(frozen=True)
class Scene:
    """A call of an answer, what is stored before it, and who else comes."""

    name: str
    """Of the answer."""
    arguments: tuple[Any, ...]
    options: dict[str, int] = field(default_factory=dict)
    rows: list[dict[str, Any]] | None = None
    """What is stored. None: what the scene before has left."""
    task: str = ""
    """The task that another worker comes for."""
    other: str = ""
    each: bool = False
    """Whether it comes right before each statement of the answer, in one call after another."""
    at: float = 0
    """When it comes otherwise, in virtual seconds."""
    notify: bool = False
    """Whether it sends a notification."""
    noise: bool = False
    """Whether notifications come that mean nothing."""
    seconds: float = 0
    """Until the deadline of whoever waits."""


class Watch(SystemClock):
    """The clock that wait is given."""

    def __init__(self, stage: "Queue") -> None:
        self._stage = stage

    def sleep(self, seconds: float) -> None:
        """Somebody may come meanwhile."""
        before = MACHINE.monotonic()
        self._stage.meanwhile(seconds, exact=True)
        MACHINE.sleep(max(seconds - (MACHINE.monotonic() - before), min(seconds, 0)))
        self._stage.waited += seconds


class Queue(Stage):
    """In a child: those who work with the queue, and the answers."""

    def __init__(self, program: Program, *, first: bool = True) -> None:
        super().__init__(CREATE if first else "", FACTS)
        self.program = program
        Connection.notifies, driver.MOMENT = self._heard(Connection.notifies), 0.1

    def play(self, scene: Scene) -> list[dict[str, Any]]:
        """What came of the scene; if another worker comes at each statement, once for each of them."""
        found = [self._once(scene, -1)]
        if scene.each and found[0]["sent"] and not ends(found[0]):
            found = [self._once(scene, at) for at in range(min(found[0]["sent"], MOST))]
        return found

    def _once(self, scene: Scene, at: int) -> dict[str, Any]:
        if scene.rows is not None:
            self.judge.execute("DELETE FROM tasks")
            self.judge.execute(INSERT, [json.dumps(scene.rows)])
        self.scene, self.at, self.sent, self.came, self.came_at = scene, at, 0, None, 0.0
        self.waited, self.waits, self.told, self.open, self.line = 0.0, 0, False, 0, ""
        self.start, self.looks = MACHINE.monotonic(), []
        connection = self.engine.connect()
        got = called(partial(self._call, connection, *self._arguments(scene)))
        self.listens = False
        got |= {
            "at": at,
            "sent": self.sent,
            "came": self.came,
            "came_at": self.came_at,
            "open": self.open,
            "line": self.line,
            "looks": self.looks,
        }
        if WaitsForEver.__name__ in got.get("failed", ""):
            got["endless"] = True
        got |= {"took": MACHINE.monotonic() - self.start, "waited": self.waited}
        got |= {"end": self.keep(), "left": self.end_others()}
        with suppress(sa.exc.SQLAlchemyError, psycopg.Error):
            connection.close()
        return got

    def _arguments(self, scene: Scene) -> list[Any]:
        if scene.name == "drain":
            held = self.program["Held"]
            return [[held(*each) for each in scene.arguments]]
        if scene.name == "wait":
            watch = Watch(self)
            return [*scene.arguments, Deadline(watch.now() + timedelta(seconds=scene.seconds), watch), watch]
        return [*scene.arguments]

    def _call(self, connection: sa.Connection, *arguments: Any) -> Any:
        self.listens = True
        value = self.program[self.scene.name](connection, *arguments, **self.scene.options)
        if self.scene.name == "wait" and hasattr(value, "model_dump"):
            return value.model_dump(mode="json")
        return value if isinstance(value, str) else shown(value)

    def meanwhile(self, seconds: float, *, exact: bool = False) -> None:
        """While the answer waits: look around, and let others come."""
        self.waits += 1
        if self.waits <= 2 and not self.open:
            self.open = self.open_now()
            self.line = self.open_since() if self.open else ""
        if self.scene.noise and self.waits <= 3:
            self._notify()
        left = self.start + self.scene.at - MACHINE.monotonic()
        if self.came is None and self.scene.other and not self.scene.each and left <= seconds:
            if exact and left > 0:
                MACHINE.sleep(left)
            self._come()

    def _come(self) -> None:
        """Another worker writes, unless what it needs is locked."""
        scene, self.came = self.scene, False
        changes = CHANGES[scene.other]
        sets = ", ".join(f"{name} = %s" for name in changes) + ", token = token + 1" * (scene.other == TAKEN)
        try:
            with self.other.transaction():
                self.other.execute(HOLD, [scene.task])
                done = self.other.execute(f"UPDATE tasks SET {sets} WHERE id = %s", [*changes.values(), scene.task])  # noqa: S608 - ours
        except LockNotAvailable:
            return
        self.came, self.came_at = done.rowcount == 1, MACHINE.monotonic() - self.start
        if scene.notify:
            self._notify()

    def _notify(self) -> None:
        self.other.execute("SELECT pg_notify('tasks', %s)", [self.scene.task])
        self.told = True

    def before_statement(self) -> None:
        """The other worker comes, if this is its moment; whoever looks for ever is ended."""
        if self.sent > LOOKS:
            raise WaitsForEver(f"{LOOKS} statements were sent, in {MACHINE.monotonic() - self.start:g} s")
        now = MACHINE.monotonic() - self.start
        if not self.looks or now > self.looks[-1]:
            self.looks.append(now)
        if self.sent == self.at + 1:
            self._come()

    def _heard(self, real: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(real)
        def notifies(
            connection: Any, *, timeout: float | None = None, stop_after: int | None = None
        ) -> Iterator[psycopg.Notify]:
            before, limit = MACHINE.monotonic(), self.scene.seconds + 60 if timeout is None else timeout
            self.meanwhile(limit)
            try:
                if self.told:
                    yield from real(connection, timeout=limit, stop_after=stop_after)
                else:  # nobody has sent anything
                    MACHINE.sleep(limit)
            finally:
                self.waited += MACHINE.monotonic() - before
            if timeout is None:
                raise WaitsForEver("no notification came, and nothing else ends notifies()")

        return notifies


@dataclass(frozen=True)
class Seen:
    """What came of a scene, once."""

    scene: Scene
    got: dict[str, Any]
    before: list[dict[str, Any]]
    end: list[dict[str, Any]]
    order: list[str]
    """In which workers take what is pending in the end."""

    @property
    def value(self) -> Any:
        """What the call returned."""
        return self.got.get("value")

    @property
    def did(self) -> str:
        """How the call ended, as the predicate of a sentence."""
        if "failed" in self.got:
            return outcome(self.got)
        if isinstance(self.value, dict):
            return f"returned a task that is {self.value['state']}"
        return f"returned {quoted(self.value)}"

    @property
    def said(self) -> str:
        """The call, and what was there: the beginning of a sentence."""
        scene, first = self.scene, ""
        if scene.name == "submit":
            given = [quoted(each) for each in scene.arguments] + [f"{n}={v}" for n, v in scene.options.items()]
            pending = sum(row["state"] == "pending" for row in self.before)
            more = f", and {len(self.before) - pending} not" if len(self.before) > pending else ""
            return f"With {pending} pending {'task' if pending == 1 else 'tasks'}{more}: submit({', '.join(given)})"
        if scene.each and self.got["came"]:
            first = f"Right before statement {self.got['at'] + 1}, another worker {scene.other} {scene.task!r}: "
        elif scene.name == "wait" and self.got["came"]:
            when = f"at {scene.at:g} s" if scene.at else "as it began to wait"
            told_so = "and sent a notification" if scene.notify else "and no notification came"
            first = f"Another worker {scene.other} {when}, {told_so}: "
        elif scene.name == "wait":
            first = f"The task was {self.row(scene.task)['state']}: "
        return f"{first}{scene.name}"

    def row(self, task: str) -> dict[str, Any]:
        """The task as it was before; in a state that is called gone, if it was not there."""
        return next((row for row in self.before if row["id"] == task), {"id": task, "state": "gone"})


def survives_submit(program: Program, rng: Random) -> None:
    """What submit has returned from is there, for all, as it was wanted; killed anywhere, it can be called again."""
    scenes = [_submit(rng, rng.choice(_keys(rng)), rows=[])]
    scenes += [_submit(rng, key, text) for key, text in zip(_keys(rng), rng.sample(TEXTS, 6), strict=False)]
    scenes += [_submit(rng, _key(rng), text, priority=rng.randint(1, 9)) for text in rng.sample(TEXTS, 3)]
    for seen in _play(program, scenes, [_submit(rng, _key(rng))]):
        _check_accepted(seen)
    key, wish = _key(rng), rng.choice(TEXTS)

    def submit() -> str:
        with database.engine().connect() as connection:
            return str(program["submit"](connection, wish, key))

    def run() -> None:
        world.ack(submit())

    def recover() -> None:
        # Told to a process that the answer cannot reach, and before the answer is loaded.
        world.ack(json.dumps([row["id"] for row in _stored()]))
        submit()

    def invariant(seen) -> None:
        *accepted, stored = seen.acknowledged
        assert set(accepted) <= {*json.loads(stored)}, f"submit had returned {accepted[0]!r}, and the task is gone"
        after = {row["id"]: row["state"] for row in _stored()}
        assert [*after] == [key], f"submitted again after the restart, the tasks are {[*after]}; expected {[key]}"
        assert after[key] == "pending", (
            f"submitted again after the restart, the task is {after[key]!r}: nobody takes it"
        )

    assert_survives(sweep(run, recover, invariant, _create, name="submit"), effects=2)


def same_key_once(program: Program, rng: Random) -> None:
    """The same key is the same task, in whatever state, in this process and in others; what only looks alike is not."""
    key, wish = _key(rng), rng.choice(TEXTS[1:7])
    again = [_submit(rng, key, wish, limit=n, priority=n) for n in (100, rng.randint(2, 50))]
    other = _submit(rng, key, f"{wish}, please")
    for seen in _play(program, [other, _submit(rng, key, wish), *again], [_submit(rng, key, wish, rows=[])]):
        if seen.scene is other:
            _check_refused(seen, "KeyReusedError", f"another process used the key with another input, {quoted(wish)}")
        else:
            _check_same(seen)
    row = partial(_row, key, {"user_input": wish, "priority": 3})
    states = [
        row(),
        row("running", 2, journal={"plan": "half"}),
        row("completed", 1, result=""),
        row("failed", 3, error="x"),
    ]
    scenes = [_submit(rng, key, wish, rows=[*_rows(rng, 2), each]) for each in states]
    others = [*_alike(wish), "", rng.choice(TEXTS[7:])]
    refused = [_submit(rng, key, each, rows=[state]) for each, state in zip(others, states * 3, strict=False)]
    blank = _submit(rng, key, wish, rows=[_row(key, {"user_input": "", "priority": 0})])
    alike = [_submit(rng, other, wish, rows=[row()]) for other in _alike(key)]
    nfc, nfd = (unicodedata.normalize(form, f"{key}é") for form in ("NFC", "NFD"))
    alike += [
        _submit(rng, a, wish, rows=[_row(b, {"user_input": wish, "priority": 3})]) for a, b in ((nfc, nfd), (nfd, nfc))
    ]
    for seen in _play(program, [*scenes, *refused, blank, *alike]):
        if seen.scene is blank:
            _check_refused(seen, "KeyReusedError", "the key was used with another input, the empty text")
        elif seen.scene in refused:
            _check_refused(seen, "KeyReusedError", f"the key was used with another input, {quoted(wish)}")
        elif seen.scene in alike:
            _check_accepted(seen)
        else:
            _check_same(seen)

    def both(seen) -> None:
        got, ids = [end.returned for end in seen.workers.values()], [row["id"] for row in _stored()]
        assert ids == [key] and got == [key, key], (
            f"two submitted with the same key, limit=1. They "
            f"{' and '.join(map(_ended, got))}, and {len(ids)} "
            f"task{'s were' * (len(ids) != 1) or ' was'} stored; expected one, and the key for both"
        )

    def one(seen) -> None:
        got = [end.returned for end in seen.workers.values()]
        assert {*got} == {key, "KeyReusedError"}, (
            f"two submitted with the same key, and not the same input. They {' and '.join(map(_ended, got))}; expected "
            f"the key for one, and KeyReusedError for the other"
        )

    _race(program, [(wish, key), (wish, key)], both, _create, {"limit": 1})  # the place is no other task's
    _race(program, [(wish, key), (f"{wish}, please", key)], one, _create, {})


def urgent_first(program: Program, rng: Random) -> None:
    """Workers take the highest number first, whatever its sign and its digits; of equals, who came first."""
    digits = [rng.randint(2, 9), rng.randint(10, 19), rng.randint(100, 999), 2 * rng.randint(2**53, 2**60)]
    priorities = [*digits, *(-n for n in digits), 0, digits[3] + 1, -digits[3] - 1, digits[1], -digits[0], None, None]
    rng.shuffle(priorities)
    scenes = [
        _submit(rng, f"{_key(rng)} {n}", **{} if p is None else {"priority": p}) for n, p in enumerate(priorities)
    ]
    scenes[0] = replace(scenes[0], rows=[])
    seen = _play(program, scenes)
    for each in seen:
        assert "failed" not in each.got, f"{each.said} {each.did}"
    given = {scene.arguments[1]: scene.options.get("priority", 0) for scene in scenes}
    order = seen[-1].order
    assert sorted(order) == sorted(given), f"{len(given)} tasks were submitted, and workers can take {len(order)}"
    for first, second in pairwise(order):
        one, other = given[first], given[second]
        assert one >= other, (
            f"Of two tasks with the priorities {one} and {other}, workers take the first before the second"
        )
        assert one > other or [*given].index(first) < [*given].index(second), (
            f"Two tasks have the priority {one}, and workers take the one first that was submitted later"
        )


def refuses_when_full(program: Program, rng: Random) -> None:
    """With limit tasks pending no other is accepted, and with one less it is; a key that is there is no other task."""
    fits, full, same = [], [], []
    for limit in (1, 2, 7, None):
        options, most = {} if limit is None else {"limit": limit}, limit or 100
        new = partial(_submit, rng, **options)
        fits += [new(_key(rng), rows=_rows(rng, n, most + rng.randint(1, 5))) for n in {most - 1, 0}]
        full += [new(_key(rng), rows=_rows(rng, n, rng.randint(0, 3))) for n in (most, most + rng.randint(1, 3))]
        for old in (_rows(rng, 1)[0], _rows(rng, 0, 1)[0]):
            rows = [*_rows(rng, most, 1), old]
            same.append(_submit(rng, old["id"], old["wish"]["user_input"], rows=rows, **options))
    full.append(_submit(rng, _key(rng), rows=_rows(rng, 2), limit=1, priority=rng.randint(10, 99)))
    chain = [_submit(rng, _key(rng), limit=3, **more) for more in ({"rows": []}, {}, {}, {})]
    full.append(_submit(rng, _key(rng), rows=_rows(rng, 0, 2), limit=0))
    for seen in _play(program, [*fits, *full, *same, *chain]):
        if seen.scene in full or seen.scene is chain[3]:
            limit = seen.scene.options.get("limit", 100)
            _check_refused(seen, "QueueFullError", f"{limit} {'task' if limit == 1 else 'tasks'} may wait")
        elif seen.scene in same:
            _check_same(seen)
        else:
            _check_accepted(seen)
    limit = rng.choice([1, 2])
    rows, keys = _rows(rng, limit - 1, 1), [f"{_key(rng)} {n}" for n in "ab"]

    def last_place(seen) -> None:
        got, count = [end.returned for end in seen.workers.values()], sum(r["state"] == "pending" for r in _stored())
        assert count <= limit, (
            f"two submitted at the same moment, limit={limit}, and there was room for one. Now {count} are pending"
        )
        assert (
            sorted(got, key=keys.count) == ["QueueFullError", *(key for key in got if key in keys)] and count == limit
        ), (
            f"two submitted at the same moment, and there was room for one: they {' and '.join(map(_ended, got))}; "
            f"expected one key and one QueueFullError"
        )

    _race(program, [("deploy", key) for key in keys], last_place, partial(_create, rows), {"limit": limit})


def waits_twice(program: Program, rng: Random) -> None:
    """Whoever asks gets the task with all that came of it, as often as they ask; and wait changes nothing."""
    scenes, texts = [], rng.sample(TEXTS, len(TEXTS))
    for text, other in zip(texts, texts[1:] + texts[:1], strict=True):
        key = _key(rng)
        ended = {"result": text} if len(scenes) % 4 else {"error": text or "no"}
        state = "completed" if "result" in ended else "failed"
        row = _row(key, {"user_input": other, "priority": 1}, state, rng.randint(1, 9), journal={"plan": text}, **ended)
        scene = _wait(key, rows=[*_rows(rng, 1, 1), row], seconds=rng.choice([30, 0, -1]))
        scenes += [scene, replace(scene, rows=None)]
    last = replace(scenes[-1], rows=None)
    late = _wait_for(rng, seconds=1.2)
    scenes += [late, _wait_for(rng, seconds=5, at=1.3, other=COMPLETED, rows=None, task=late.task)]
    scenes += [_wait(late.task, rows=None, seconds=0)]
    for seen in [*_play(program, scenes), *_play(program, [last], scenes[-5:-3])]:
        if seen.scene is late:
            _check_unchanged(seen)
        else:
            _check_task(seen)


def missed_notify(program: Program, rng: Random) -> None:
    """Whoever waits learns of the end in time, with a notification or without; until then it sleeps, and no longer."""
    part = partial(rng.uniform, 0.01, 0.49)
    awaited = partial(_wait_for, rng)
    for scenes in (
        [
            *(awaited(at=n * POLL + part(), other=COMPLETED, notify=n % 2 == 1) for n in (0, 1, 2)),
            *(awaited(at=n * POLL + part(), other=FAILED, notify=n % 2 == 0) for n in (0, 1)),
            awaited(at=1 + part(), other=COMPLETED, noise=True),
            awaited(seconds=1.25, at=1.2, other=COMPLETED),
            *(awaited(seconds=seconds) for seconds in (1 + part(), 0, -part(), part() / 10)),
            awaited(seconds=1, noise=True),
        ],
        [awaited(seconds=1.2, other=COMPLETED, each=True)],
        [awaited(seconds=1.2, other=FAILED, each=True, notify=True)],
    ):
        for seen in _play(program, scenes):
            _check_waited(seen)


def gives_back(program: Program, rng: Random) -> None:
    """What is still its own others can take, as far as it has come; nothing else is changed, and nothing is lost."""
    scenes = [_drain(rng, count) for count in (1, 2, 3, rng.randint(4, 6))]
    scenes += [_drain(rng, 0), _drain(rng, 2, mixed=False), _drain(rng, 0, mixed=False)]
    for other in (TAKEN, COMPLETED):
        scene = _drain(rng, 2, mixed=False)
        scenes += [replace(scene, other=other, each=True, task=task) for task, _ in scene.arguments[:2]]
    for seen in _play(program, scenes):
        _check_given_back(seen)
    scene = _drain(rng, 2, mixed=False)

    def run() -> None:
        with database.engine().connect() as connection:
            program["drain"](connection, [program["Held"](*each) for each in scene.arguments])

    def recover() -> None:
        """Another worker looks."""

    def invariant(_: Any) -> None:
        rows = {row["id"]: row for row in _stored()}
        for row in scene.rows:
            assert row["id"] in rows, f"the task {row['id']!r} is gone"
            now = rows[row["id"]]
            ours = (row["id"], row["token"]) in scene.arguments and row["state"] == "running"
            same = {name: now[name] for name in row if name != "state" or not ours}
            assert same == {name: row[name] for name in same}, _differs("drain", row, now)
            assert now["state"] in {row["state"], "pending"}, _differs("drain", row, now)

    assert_survives(sweep(run, recover, invariant, partial(_create, scene.rows), name="drain"))
    scene = _drain(rng, 1, mixed=False)
    token = scene.arguments[0][1]
    _race_for_task(program, scene, TAKE, "has taken the task over", ("running", token + 1))
    _race_for_task(program, scene, SAVE, "has saved what it did of the task", ("pending", token))


def _race_for_task(program: Program, scene: Scene, change: str, did: str, expected: tuple[str, int]) -> None:
    """A gives back a task, and B changes its row, in every order: the state and the token in the end."""
    ((task, token),) = scene.arguments

    def give_back() -> None:
        with database.engine().connect() as connection:
            program["drain"](connection, [program["Held"](task, token)])

    def others() -> None:
        with Connection.connect(database.url()) as connection:
            connection.execute(change, [task])

    def invariant(seen) -> None:
        end = seen.workers["A"]
        assert not end.raised, f"B {did}, and A's drain raised {end.raised}"
        now = next(((row["state"], row["token"]) for row in _stored() if row["id"] == task), None)
        found = f"{now[0]}, token {now[1]}" if now else "gone"
        assert now == expected, (
            f"B {did}, and A drained at the same moment. The task is {found}; expected {expected[0]}, token "
            f"{expected[1]}"
        )

    workers = {"A": give_back, "B": others}
    assert_no_order_breaks(race(workers, invariant, partial(_create, scene.rows), enough=ENOUGH, name="drain"))


def _check_left(seen: Seen) -> None:
    assert not seen.got["left"], f"{seen.said} {seen.did}, and left a transaction open"


def _check_others(seen: Seen, *but: str) -> None:
    """Nobody has changed these rows."""
    now = {row["id"]: row for row in seen.end}
    for row in seen.before:
        if row["id"] not in but:
            assert row["id"] in now, f"{seen.said} {seen.did}, and the task {row['id']!r} is gone"
            assert {name: now[row["id"]][name] for name in row} == row, _differs(seen.said, row, now[row["id"]])
    new = [task for task in now if task not in {row["id"] for row in seen.before} and task not in but]
    assert not new, f"{seen.said} {seen.did}, and there is a new task {quoted(new[0])}"


def _check_accepted(seen: Seen) -> None:
    """The task is stored, and nothing else has changed."""
    wish, key = seen.scene.arguments
    row = next((row for row in seen.end if row["id"] == key), None)
    assert "failed" not in seen.got, f"{seen.said} {seen.did}; expected the key"
    assert row or not seen.got["left"], f"{seen.said} {seen.did}, and has not committed: others cannot see the task"
    assert row, f"{seen.said} {seen.did}, and others find no such task in the table"
    where, ours, told_ = quoted_apart(key, seen.value)
    assert seen.value == key, f"{seen.said} returned{where} {told_}; expected the key, {ours}"
    where, ours, holds = quoted_apart(wish, row["wish"].get("user_input") if isinstance(row["wish"], dict) else None)
    assert wish == row["wish"].get("user_input"), f"{seen.said}: its wish holds{where} {holds}; expected {ours}"
    fresh = {name: row[name] for name in ("state", "token", "journal", "result", "error")}
    expected = {name: _row(key, {})[name] for name in fresh}
    assert fresh == expected, _differs(seen.said, expected, fresh)
    _check_others(seen, key)
    _check_left(seen)


def _check_same(seen: Seen) -> None:
    """The key was there: it is returned, and nothing has changed."""
    key = seen.scene.arguments[1]
    there = f"{seen.said} {seen.did}, and that key is there already: its task is {seen.row(key)['state']}"
    assert seen.value == key, f"{there}. Expected the key"
    _check_others(seen)
    _check_left(seen)


def _check_refused(seen: Seen, error: str, why: str) -> None:
    assert f"raised {error}" in seen.got.get("failed", ""), f"{seen.said} {seen.did}; expected {error}: {why}"
    _check_others(seen)
    _check_left(seen)


def _check_unchanged(seen: Seen, *but: str) -> None:
    """wait leaves every row as it is."""
    _check_others(seen, *but)
    _check_left(seen)


def _check_task(seen: Seen) -> None:
    """wait has returned the task, as it is stored."""
    task = seen.scene.task
    stored = next((row for row in seen.end if row["id"] == task), None) or seen.row(task)
    if seen.got["came"]:
        stored = seen.row(task) | CHANGES[seen.scene.other]
    assert isinstance(seen.value, dict), f"{seen.said} {seen.did}; expected the task, which is {stored['state']}"
    expected = {"id": task, "user_input": seen.row(task)["wish"]["user_input"]}
    expected |= {
        name: (stored if seen.got["came"] else seen.row(task))[name] for name in ("state", "journal", "result", "error")
    }
    for name, value in expected.items():
        where, ours, got = quoted_apart(value, seen.value.get(name))
        assert seen.value.get(name) == value, (
            f"{seen.said}: {name} of the returned task is{where} {got}; expected {ours}"
        )
    _check_unchanged(seen, *[task] * bool(seen.got["came"]))
    if seen.got["came"]:
        end = next((row for row in seen.end if row["id"] == task), None)
        assert end, f"{seen.said} {seen.did}, and the task is gone: others may wait for it, too"
        assert {name: end[name] for name in stored} == stored, _differs(seen.said, stored, end)


def _check_waited(seen: Seen) -> None:
    """wait was in time, slept as it should, and told the truth."""
    scene, got = seen.scene, seen.got
    assert WaitsForEver.__name__ not in got.get("failed", ""), (
        f"{seen.said} did not end: {got['failed'].partition(': ')[2]}"
    )
    whose = f"{got['line']}'s transaction was open" if got["line"] else "a transaction was open"
    assert not got["open"], f"While wait slept, {whose}: end it before you sleep"
    alone = got["took"] - got["waited"]
    assert alone < SOON, (
        f"{seen.said} let {alone:g} s pass in which it did not sleep by clock.sleep: read and sleep by that clock only"
    )
    end = max(scene.seconds, 0)
    assert got["took"] <= end + SOON, (
        f"{seen.said} ended after {got['took']:g} s, deadline {scene.seconds:g} s: it {seen.did}"
    )
    looks = got["looks"][:-1]  # the last one may be soon after another
    hurried = next((one for one, later in zip(looks, looks[OFTEN:], strict=False) if later - one < POLL - SOON), None)
    assert hurried is None, (
        f"{seen.said} looked more than {OFTEN} times in {POLL} s, from {hurried:g} s on: each look costs the database"
    )
    came = bool(got["came"])
    assert (
        came or scene.each or not scene.other or got["came"] is False or "failed" in got or isinstance(seen.value, dict)
    ), f"wait {seen.did} after {got['took']:g} s, and the task had not ended"
    last = scene.each and got["came_at"] >= scene.seconds - SOON and "failed" in got  # it came after the last look
    if came and not last:
        _check_task(seen)
        late = got["took"] - got["came_at"]
        assert late <= POLL + SOON, f"{seen.said} {seen.did} {late:g} s after that; expected {POLL} s at most"
        return
    assert "failed" in got, f"{seen.said}, and wait {seen.did}; expected DeadlineExceeded, for it has not ended"
    left = scene.seconds - got["took"]
    assert "raised DeadlineExceeded" in got["failed"], f"{seen.said}, and wait {seen.did}; expected DeadlineExceeded"
    assert left <= SOON, f"wait raised DeadlineExceeded with {left:g} s left: the task may still end"
    _check_unchanged(seen, *[scene.task] * came)


def _check_given_back(seen: Seen) -> None:
    """Each row is as it must be."""
    assert "failed" not in seen.got, f"{seen.said} {seen.did}"
    now = {row["id"]: row for row in seen.end}
    order = [row["id"] for row in seen.end if row["id"] in {each["id"] for each in seen.before}]
    for row in seen.before:
        ours, expected = (row["id"], row["token"]) in seen.scene.arguments and row["state"] == "running", row
        if seen.got["came"] and row["id"] == seen.scene.task:
            expected = row | CHANGES[seen.scene.other] | {"token": row["token"] + (seen.scene.other == TAKEN)}
        elif ours:
            expected = row | {"state": "pending"}
        assert row["id"] in now, f"{seen.said} {seen.did}, and the task {row['id']!r} is gone"
        found = {name: now[row["id"]][name] for name in row}
        assert found == expected, f"{_held(seen, row)}: {_differs(seen.said, expected, found)}"
    assert order == [row["id"] for row in seen.before], (
        f"{seen.said} gave back tasks, and they lost their places in the queue"
    )
    assert len(seen.end) == len(seen.before), f"{seen.said} {seen.did}, and there are more tasks than before"
    _check_left(seen)


def _held(seen: Seen, row: dict[str, Any]) -> str:
    """What a row was to drain, in words."""
    held = dict(seen.scene.arguments)
    token = f", and is held with token {held[row['id']]}" if row["id"] in held else ", and is not held"
    return f"A task is {row['state']}, token {row['token']}{token}"


def _race(
    program: Program, calls: Sequence[tuple[str, str]], invariant: Callable[[Any], None], setup: Any, options: Any
) -> None:
    """Two that submit, in every order."""

    def submit(wish: str, key: str) -> str:
        with database.engine().connect() as connection:
            try:
                return str(program["submit"](connection, wish, key, **options))
            except Exception as error:  # noqa: BLE001 - the invariant hears of it
                return type(error).__name__

    workers = {name: partial(submit, *call) for name, call in zip("AB", calls, strict=True)}
    assert_no_order_breaks(race(workers, invariant, setup, enough=ENOUGH, name="submit"))


def _ended(got: Any) -> str:
    return f"returned {got!r}" if not str(got).isidentifier() or "Error" not in str(got) else f"raised {got}"


def _create(rows: Sequence[dict[str, Any]] = ()) -> None:
    with Connection.connect(database.url(), autocommit=True) as connection:
        connection.execute(CREATE)
        connection.execute(INSERT, [json.dumps([*rows])])


def _stored() -> list[dict[str, Any]]:
    with Connection.connect(database.url(), autocommit=True) as connection:
        return connection.execute(ROWS).fetchone()[0] or []


def _key(rng: Random) -> str:
    return rng.choice(_keys(rng))


def _keys(rng: Random) -> list[str]:
    """Keys that nobody knows, in no helpful order."""
    number = rng.randrange(10**9)
    keys = [f"wish-{number}", f'o\'Brien "{number}"', f"zahlung-é-{number}", f"заказ\n{number}", f"100 % :key {number}"]
    return rng.sample(keys, len(keys))


def _alike(text: str) -> list[str]:
    """Others that look like it."""
    others = [f"{text} ", f" {text}", text.upper(), f"{text}\n", f"{text}é", f"{text}%"]
    return [each for each in others if each != text]


def _row(task: str, wish: dict[str, Any], state: str = "pending", token: int = 0, **more: Any) -> dict[str, Any]:
    row = {"id": task, "wish": wish, "state": state, "token": token, "journal": {}, "result": None, "error": None}
    return row | more


def _rows(rng: Random, pending: int, others: int = 0) -> list[dict[str, Any]]:
    """Tasks that wait, and tasks that do not."""
    states = ["pending"] * pending + [("running", "completed", "failed")[n % 3] for n in range(others)]
    return [
        _row(f"{_key(rng)} of {n}", {"user_input": rng.choice(TEXTS), "priority": rng.randint(-9, 99)}, state, n % 3)
        for n, state in enumerate(rng.sample(states, len(states)))
    ]


def _submit(rng: Random, key: str, wish: str | None = None, rows: Any = None, **options: int) -> Scene:
    return Scene("submit", (rng.choice(TEXTS) if wish is None else wish, key), options, rows)


def _wait(task: str, **more: Any) -> Scene:
    return Scene("wait", (task,), task=task, **more)


def _wait_for(rng: Random, **more: Any) -> Scene:
    """Who waits for a task that has not ended, and has come half-way."""
    task = more.pop("task", "") or _key(rng)
    about = {"journal": {"plan": "half"}, "error": rng.choice([None, "the last worker died"])}
    state = rng.choice(["running", "pending"]) if not more.get("other") else "running"
    row = _row(task, {"user_input": rng.choice(TEXTS), "priority": 0}, state, rng.randint(1, 9), **about)
    return _wait(task, **{"rows": [*_rows(rng, 1, 2), row], "seconds": 3, **more})


def _drain(rng: Random, count: int, *, mixed: bool = True) -> Scene:
    """A worker that holds so many tasks; if mixed, it has also finished some, lost some, and taken one again."""
    held, rows = [], []
    others = ["completed", "failed", "lost", "back", "done by another", "taken again"]
    ours = ["running"] * count + others * mixed
    for n, what in enumerate(rng.sample(ours, len(ours))):
        token, wish = n + 1, {"user_input": rng.choice(TEXTS), "priority": rng.choice([0, 7, -3])}
        states = {"lost": "running", "taken again": "running", "back": "pending", "done by another": "completed"}
        state = states.get(what, what)
        more = rng.choice([1, 2]) * (what in {"lost", "done by another", "taken again"})
        about = {"journal": {f"step {n}": rng.choice(TEXTS)}, "result": "ok" if state == "completed" else None}
        rows.append(_row(f"{_key(rng)} of {n}", wish, state, token + more, **about))
        held += [(rows[-1]["id"], token + taken) for taken in ([0, more] if what == "taken again" else [0])]
    strangers = [row | {"token": rng.randint(1, 3), "journal": {"plan": "x"}} for row in _rows(rng, 1, 3)]
    strangers = [row | {"id": f"stranger {row['id']}"} for row in strangers]
    return Scene(
        "drain", tuple(rng.sample(held, len(held))), rows=rng.sample([*rows, *strangers], len(rows + strangers))
    )


def _differs(said: str, expected: dict[str, Any], found: dict[str, Any]) -> str:
    name = next(name for name in expected if found[name] != expected[name])
    where, ours, holds = quoted_apart(expected[name], found[name])
    return f"{said} left{where} {name} {holds}; expected {ours}"


def _play(program: Program, scenes: Sequence[Scene], earlier: Sequence[Scene] = ()) -> list[Seen]:
    """Play the scenes one after another, in one child; those before it in another."""

    def before() -> None:
        stage = Queue(program)
        for scene in earlier:
            stage.play(scene)

    names = " or ".join(dict.fromkeys(scene.name for scene in scenes))
    played, facts = play(partial(Queue, program, first=not earlier), scenes, names, before if earlier else None)
    found, last = [], facts.get(len(earlier), {}).get("tasks") or []
    for scene, each in zip(scenes, played, strict=False):
        for got in each:
            fact = facts.get(got["end"]) or {"tasks": [], "order": []}
            found.append(
                Seen(scene, got, last if scene.rows is None else scene.rows, fact["tasks"] or [], fact["order"] or [])
            )
            last = [{name: row[name] for name in _row("", {})} for row in found[-1].end]
    return found
