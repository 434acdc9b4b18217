"""Judges chapter 5: finishing a task by compare-and-swap, and executing a step outside any transaction.

A trial is one process in which many scenes are played. In each, another worker has its moment: right before a statement
of the answer, however that is sent; with a transaction of its own that is yet to end; or while the step runs. What was
stored is kept by the server, and read when that process is dead. Answers run in children only.
"""

import json
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import Connection, Cursor
from psycopg.errors import LockNotAvailable

from labkit import database, race, step_key, sweep, tool
from labkit.grading.judge.calls import called, shown
from labkit.grading.judge.differences import quoted, quoted_apart
from labkit.grading.judge.orders import ENOUGH, assert_no_order_breaks
from labkit.grading.judge.program import Program
from labkit.grading.judge.scenes import play
from labkit.grading.judge.stage import THROUGH, Stage, outcome
from labkit.grading.judge.survival import assert_survives

CREATE = """
    CREATE TABLE tasks (id text PRIMARY KEY, state text, version int, result text);
    CREATE TABLE notes (text text);
"""
COLUMNS = ("id", "state", "version", "result")
INSERT = "INSERT INTO tasks SELECT * FROM json_populate_recordset(NULL::tasks, %s)"
FACTS = """
    SELECT json_build_object(
        'tasks', (SELECT json_agg(tasks) FROM tasks), 'notes', (SELECT json_agg(text) FROM notes))
"""
CHANGE = "UPDATE tasks SET version = version + 1, {} WHERE id = %(id)s AND (state = 'running' OR %(step)s)"
TAKE = "SELECT 1 FROM tasks WHERE id = %s FOR UPDATE NOWAIT"
FINISHED, ALIKE, PROGRESS = "finished the task", "finished the task, with the same result", "saved its progress"
COUNTED, ELSEWHERE, UNDONE = "counted the version up", "finished another task", "finished the task, and then undid that"
CHANGES = {
    FINISHED: "state = 'completed', result = %(theirs)s",
    ALIKE: "state = 'completed', result = %(ours)s",
    PROGRESS: "result = %(theirs)s",
    COUNTED: "result = result",
    ELSEWHERE: "state = 'completed', result = %(theirs)s",
    UNDONE: "state = 'completed', result = %(theirs)s",
}
"""What another worker did → what it sets. It counts the version up, too."""
UNTIL_SOMEBODY_WAITS = """
    DO $$ BEGIN LOOP
        EXIT WHEN clock_timestamp() > statement_timestamp() + interval '8 s' OR EXISTS (
            SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 5 OR NOT granted
            AND (relation = 'tasks'::regclass OR transactionid = pg_current_xact_id()::xid));
        PERFORM pg_sleep(0.002);
    END LOOP; END $$;
"""
"""The other worker's transaction ends when the answer waits for it, or when the answer has returned: then we ring."""
RING, SILENCE = "SELECT pg_advisory_lock(5, 5)", "SELECT pg_advisory_unlock(5, 5)"
DRIVER = (Connection.execute, Connection.cursor, Cursor.execute)
"""What the judge looks at the database with."""
THEIRS, MINE = "by another worker", "written before by the caller"
MOST = 8
"""Statements before which another worker comes. A right answer sends fewer."""
ORDERS = 24
"""Orders of two workers that are run at most: a usual answer has 8, one that asks for a table's columns thousands."""
EACH, HELD, STEP = "each", "held", "step"
"""When it comes: right before each statement; the same, and its COMMIT comes later; while the step runs."""
TEXTS = [
    *(
        "",
        'it\'s "done"',
        "one line\nand another",
        "готово: 完成 ✓",
        "100 % of :result, %s and \\n",
        " done ",
        "done " * 500,
    ),
    *("NULL", "Zu\u0308rich"),
]
"""What steps may return."""


class StepError(Exception):
    """The step failed."""


class Stopped(BaseException):
    """Somebody wants to stop."""


ERRORS = [
    *(StepError, psycopg.OperationalError, sa.exc.SQLAlchemyError, TimeoutError, ConnectionError, LookupError),
    *(ValueError, RuntimeError, AssertionError, KeyboardInterrupt, SystemExit, Stopped),
]


@dataclass(frozen=True)
class Scene:
    """A call of an answer, what is stored before it, and who else comes."""

    name: str
    """Of the answer."""
    task: str
    version: int
    result: str
    """What finish_step is given, or the step returns."""
    state: str = "running"
    had: str = ""
    """The result that is stored."""
    off: int = 0
    """What finish_step is given as its version is off by this."""
    other: str = ""
    when: str = ""
    undo: bool = False
    """Whether the caller of finish_step undoes its transaction, and calls again."""
    error: type[BaseException] | None = None
    """What the step raises the first time. Then execute_step is called again."""
    twice: bool = False
    """Whether execute_step is called again in any case."""

    @property
    def rows(self) -> dict[str, list[Any]]:
        """All that is stored: id → state, version, result. Other tasks are called almost alike."""
        other_form = "NFD" if unicodedata.is_normalized("NFC", self.task) else "NFC"
        as_seen = unicodedata.normalize(other_form, self.task)
        alike = [self.neighbour, self.task.replace("_", "x"), as_seen, f"{self.task} "]
        rows = {f"{self.task}2": ["completed", self.version + 1, "done long ago"]}
        rows |= {task: ["running", self.version, ""] for task in alike}
        return rows | {self.task: [self.state, self.version, self.had]}

    @property
    def neighbour(self) -> str:
        """Another task that is running."""
        return self.task[0].lower() + self.task[1:]


class Workers(Stage):
    """In a child: those who work with the table, and the answers."""

    def __init__(self, program: Program) -> None:
        super().__init__(CREATE, FACTS)
        self.program, self.held = program, False

    def play(self, scene: Scene) -> list[dict[str, Any]]:
        """What came of the scene; if another worker comes at each statement, once for each of them."""
        found = [self._once(scene, -1)]
        if scene.when in {EACH, HELD} and not found[0].get("endless"):
            found = [self._once(scene, at) for at in range(min(found[0]["sent"], MOST))]
        return found

    def _once(self, scene: Scene, at: int) -> dict[str, Any]:
        self.judge.execute("DELETE FROM tasks; DELETE FROM notes")
        self.judge.execute(INSERT, [_as_json(scene.rows)])
        self.scene, self.at, self.sent, self.came, self.raised = scene, at, 0, None, None
        self.look = {"runs": 0, "changed": False, "locked": False, "open": 0, "line": "", "state": "", "moment": 0}
        got = self._finish() if scene.name == "finish_step" else self._execute()
        got |= self.look | {"at": at, "sent": self.sent, "came": self.came, "left": self.end_others()}
        return {**got, "end": self.keep()}

    def _finish(self) -> dict[str, Any]:
        """Finish the task as a caller does that has other work in the same transaction."""
        scene = self.scene
        finish = partial(self._call, "finish_step")
        with self.engine.connect() as conn:
            if scene.version % 2:
                conn.begin()
            conn.execute(sa.text("INSERT INTO notes VALUES (:text)"), {"text": MINE})
            if scene.undo:
                finish(conn, scene.task, scene.version, scene.result)
                conn.rollback()
                conn.execute(sa.text("INSERT INTO notes VALUES (:text)"), {"text": MINE})
            got = finish(conn, scene.task, scene.version + scene.off, scene.result)
            got["early"] = self.keep()
            if "failed" not in got:
                got["caller"] = called(lambda: [conn.execute(sa.text("SELECT 1")).scalar(), conn.commit()])
        return got

    def _execute(self) -> dict[str, Any]:
        """Execute the step; once more, if it raised an error, or if the scene says so."""
        scene = self.scene
        first = self._call("execute_step", self.engine, scene.task, self._step)
        if not scene.error and not scene.twice:
            return first
        left, early = self.end_others(), self.keep()
        first["runs"] = self.look["runs"]
        if scene.error and scene.other:
            self._come()
        again = self._call("execute_step", self.engine, scene.task, self._step)
        return {**again, "first": first, "left_first": left, "early": early}

    def _call(self, name: str, *arguments: Any) -> dict[str, Any]:
        def outcome() -> Any:
            try:
                value = self.program[name](*arguments)
            except BaseException as error:
                if self.raised is None or error is not self.raised:
                    raise
                return THROUGH
            return bool(value) if isinstance(value, int) else shown(value)

        self.listens = True
        got = called(outcome)
        self.listens, self.raised = False, None
        if self.held:
            self.judge.execute(RING)
            while self.other.pgconn.get_result():
                pass
            self.judge.execute(SILENCE)
            self.held = False
        return got

    def _step(self) -> str:
        """The step: it looks around."""
        self.look["runs"] += 1
        self.look["changed"] |= (Connection.execute, Connection.cursor, Cursor.execute) != DRIVER
        self.look["moment"] = self.sent
        open_now = self.open_now()
        try:
            self.judge.execute(TAKE, [self.scene.task])
            state = self.judge.execute("SELECT state FROM tasks WHERE id = %s", [self.scene.task]).fetchone()[0]
        except LockNotAvailable:
            self.look["locked"], state = True, "running"
        if open_now or self.look["locked"]:
            self.look.update(open=open_now, line=self.open_since())
        self.look["state"] = self.look["state"] or state
        if self.scene.when == STEP and self.came is None:
            self._come()
        if self.scene.error and self.look["runs"] == 1:
            self.raised = self.scene.error("the tool has failed")
            raise self.raised
        return self.scene.result

    def _come(self) -> None:
        """Another worker writes, unless what it needs is locked, or the answer has finished it, after its step."""
        scene, self.came = self.scene, False
        task = scene.neighbour if scene.other == ELSEWHERE else scene.task
        written = 0
        with suppress(LockNotAvailable):
            self.other.execute("BEGIN")
            self.other.execute(TAKE, [task])
            words = {"id": task, "theirs": THEIRS, "ours": scene.result, "step": scene.when == STEP}
            written = self.other.execute(CHANGE.format(CHANGES[scene.other]), words).rowcount
        if not written:
            self.other.execute("ROLLBACK")
            return
        self.came, self.held = True, scene.when == HELD
        end = "ROLLBACK" if scene.other == UNDONE else "COMMIT"
        if self.held:
            self.other.pgconn.send_query(f"{UNTIL_SOMEBODY_WAITS} {end}".encode())
            while self.other.pgconn.flush():
                pass
        else:
            self.other.execute(end)

    def before_statement(self) -> None:
        """The other worker comes, if this is its moment."""
        if self.sent == self.at + 1:
            self._come()


class Seen:
    """What came of a scene, once."""

    def __init__(self, scene: Scene, got: dict[str, Any], facts: dict[int, Any]) -> None:
        self.scene, self.got, self.came = scene, got, got["came"]
        self.early, self.end = facts.get(got.get("early")), facts[got["end"]]
        self.value, self.did = got.get("value"), outcome(got)

    @property
    def row(self) -> list[Any]:
        """The task as it is stored in the end."""
        return self.end["tasks"].get(self.scene.task, ["gone", 0, ""])

    @property
    def ours(self) -> list[Any]:
        """The task as it must be if the answer has finished it."""
        return ["completed", self.scene.version + 1, self.scene.result]

    @property
    def theirs(self) -> list[Any]:
        """The task as it must be if the answer has changed nothing."""
        row = self.scene.rows[self.scene.task]
        if not self.came or self.scene.other in {"", ELSEWHERE, UNDONE}:
            return row
        result = {ALIKE: self.scene.result, COUNTED: row[2]}.get(self.scene.other, THEIRS)
        return ["completed" if self.scene.other in {FINISHED, ALIKE} else row[0], row[1] + 1, result]

    @property
    def kept(self) -> bool:
        """Whether that is what is stored. execute_step may have counted the version up before, to claim the task."""
        state, version, result = self.row
        same = version == self.theirs[1] if self.scene.name == "finish_step" else version >= self.theirs[1]
        return same and [state, result] == self.theirs[::2]

    @property
    def strangers(self) -> list[str]:
        """Tasks that somebody changed, and nobody should have."""
        rows = {task: row for task, row in self.scene.rows.items() if task != self.scene.task}
        if self.came and self.scene.other == ELSEWHERE:
            rows[self.scene.neighbour] = ["completed", self.scene.version + 1, THEIRS]
        return [task for task, row in rows.items() if self.end["tasks"].get(task) != row]

    @property
    def happened(self) -> str:
        """Who came, and the name of the answer: the beginning of a sentence."""
        scene, name, number = self.scene, self.scene.name, self.got["at"] + 1
        if scene.off:
            who = "an older version" if scene.off < 0 else "a version that was never stored"
            return f"The task has version {scene.version}, a worker had read {who}, {scene.version + scene.off}: {name}"
        if scene.state == "completed":
            return f"The task was completed already, in version {scene.version}: {name}"
        if scene.error or scene.twice:
            error = scene.error and f"The step raised {scene.error.__name__} the first time"
            return f"{error or f'While the step ran, another worker {scene.other}'}. Called again, {name}"
        if scene.undo:
            return f"The caller undid its transaction, and called again: {name}"
        if not self.came:
            return f"Nobody else was there: {name}"
        moment = "While the step ran" if scene.when == STEP else f"Right before statement {number} of {name}"
        later = ", and ended its transaction later" * (scene.when == HELD)
        return f"{moment}, another worker {scene.other}{later}: {name}"


def no_lost_update(program: Program, rng: Random) -> None:
    """What another worker has written stays, at whichever moment it came; so does what the caller has written."""
    scene = partial(_scene, rng, "finish_step")
    texts = rng.sample(TEXTS, len(TEXTS))
    scenes = [scene(), *(scene(result=text, had=had) for text, had in zip(texts, ["", *texts], strict=False))]
    scenes += [scene(off=off, version=rng.randint(4, 9)) for off in (-1, 1, -rng.randint(2, 4), rng.randint(2, 9))]
    scenes += [scene(version=0), scene(version=0, off=1), scene(undo=True)]
    digit = rng.randint(1, 9)  # a part of the version is not the version
    scenes += [scene(version=1000 + digit, off=-1000), scene(version=10 * digit, off=-9 * digit)]
    scenes += [scene(other=other, when=EACH) for other in (FINISHED, ALIKE, PROGRESS, COUNTED, ELSEWHERE)]
    scenes += [scene(other=other, when=HELD) for other in (FINISHED, PROGRESS, UNDONE)]
    for seen in _play(program, scenes):
        _check_finished(seen)
    scene = partial(_scene, rng, "execute_step")
    scenes = [scene(other=PROGRESS, when=when) for when in (STEP, EACH, HELD)]
    scenes += [scene(other=COUNTED, when=STEP, had=rng.choice(texts))]
    scenes += [scene(result=text, had="half of it") for text in ("", texts[0])]
    for seen in _play(program, scenes):
        _check_progress(seen)
        if not seen.scene.other and "failed" not in seen.got:
            _check_done(seen)
    for seen in _play(program, [scene(other=PROGRESS, when=STEP, twice=True)]):
        _check_again(seen)
    _one_is_first(program, rng)


def completed_is_final(program: Program, rng: Random) -> None:
    """A completed task keeps its result, whoever comes; and it is completed only when its work was done."""
    scenes = []
    for name in "finish_step", "execute_step":
        done = partial(_scene, rng, name, state="completed")
        scenes += [done(had=THEIRS), done(had=""), done(had="as before", result="as before")]
    scene = partial(_scene, rng, "execute_step")
    scenes += [scene(other=other, when=when) for other in (FINISHED, ALIKE) for when in (STEP, EACH)]
    scenes += [scene(other=FINISHED, when=HELD), scene(other=UNDONE, when=HELD)]
    for seen in _play(program, scenes):
        if seen.scene.name == "finish_step":
            _check_finished(seen)
        elif seen.scene.state == "completed":
            assert not seen.got["runs"], "The task was completed already, and execute_step ran the step again"
            _check_kept(seen)
        elif seen.scene.other == UNDONE:
            _check_either(seen)
        elif seen.came:
            _check_kept(seen)
        elif seen.scene.when == STEP:
            assert seen.got["runs"], f"{seen.happened} {seen.did}, and did not run the step"
            raise AssertionError("While the step ran, another worker could not finish the task: its row was locked")
    _work_is_done(program, rng)
    _one_finishes_it(program, rng)


def no_open_transaction(program: Program, rng: Random) -> None:
    """While the step runs, others can change the row, and no transaction is open; its error is the caller's."""
    scene = partial(_scene, rng, "execute_step")
    scenes = [scene(), *(scene(result=text, had=had) for text in rng.sample(TEXTS, 2) for had in ("", "half"))]
    scenes += [scene(result="", had="half of it"), scene(other=ELSEWHERE, when=STEP)]
    scenes += [scene(error=kind, other=rng.choice(["", PROGRESS, COUNTED]), had=rng.choice(TEXTS)) for kind in ERRORS]
    scenes += [scene(error=StepError, other=PROGRESS), scene(state="completed", had=THEIRS)]
    scenes += [scene(other=other, when=STEP) for other in (FINISHED, PROGRESS, COUNTED)]
    for seen in _play(program, scenes):
        _check_left(seen)
        if seen.scene.state == "completed":
            continue  # the other cases ask for what it is to do
        _check_looked(seen)
        if seen.scene.error:
            _check_error(seen)
        if seen.scene.error or seen.scene.other in {"", ELSEWHERE}:
            _check_done(seen)


def _check_finished(seen: Seen) -> None:
    """finish_step has finished the task, or changed nothing; and what else its caller wrote is there."""
    scene = seen.scene
    caller = seen.got.get("caller", {})
    assert "failed" not in caller, (
        f"{seen.happened} {seen.did}. Then the caller's own statement in that transaction {outcome(caller)}"
    )
    if scene.other == UNDONE and seen.came:
        _check_either(seen)
    elif scene.off or scene.state == "completed" or (seen.came and scene.other != ELSEWHERE):
        _check_kept(seen)
    else:
        _check_done(seen)
    early = seen.early or {"notes": [], "tasks": {}}
    visible = early["tasks"].get(scene.task) == seen.ours != seen.theirs
    assert not early["notes"] and not visible, (
        f"{seen.happened} {seen.did}, and others could see what the caller had written, before the caller committed it:"
        f" finish_step must leave COMMIT to its caller"
    )
    assert seen.end["notes"] == [MINE], (
        f"{seen.happened} {seen.did}, and what the caller had written before, in the same transaction, is gone: "
        f"leave ROLLBACK to the caller"
    )


def _check_done(seen: Seen) -> None:
    """The answer has finished the task."""
    _check_answer(seen, expected=True)
    state, version, result = seen.row
    assert state == "completed", f"{seen.happened} {seen.did}, and the task is {state}; expected completed"
    where, ours, holds = quoted_apart(seen.scene.result, result)
    assert result == seen.scene.result, (
        f"{seen.happened} was to store the result{where} {ours}, and the task holds {holds}"
    )
    expected = seen.scene.version + 1
    counted = version == expected if seen.scene.name == "finish_step" else version >= expected
    assert counted, (
        f"{seen.happened} changed a row of version {seen.scene.version}, and its version is {version}; "
        f"expected {expected}"
    )


def _check_kept(seen: Seen) -> None:
    """The answer has changed nothing, and says so."""
    if not seen.kept:
        completed = seen.row[0] == "completed" and seen.theirs[0] != "completed"
        over = " completed it all the same" if completed else " wrote over it"
        raise AssertionError(f"{seen.happened}{over}. Stored is now {_row(seen.row)}; expected {_row(seen.theirs)}")
    _check_answer(seen, expected=False)


def _check_either(seen: Seen) -> None:
    """Another worker had begun, and undid it: the task is finished by us, or by nobody."""
    if seen.value is False:
        _check_kept(seen)
    else:
        _check_done(seen)


def _check_answer(seen: Seen, *, expected: bool) -> None:
    _check_left(seen)
    if others := seen.strangers:
        where, theirs, ours = quoted_apart(others[0], seen.scene.task)
        raise AssertionError(f"{seen.happened} changed another task, too:{where} {theirs} in place of {ours} alone")
    assert "failed" not in seen.got, f"{seen.happened} {seen.did}"
    assert seen.value is expected, f"{seen.happened} {seen.did}; expected {expected}"


def _check_progress(seen: Seen) -> None:
    """The version that counts is the one read before the step, not one read after it."""
    _check_once(seen)
    _check_left(seen)
    if not seen.came or "failed" in seen.got:
        return  # the other cases ask for what it is to do
    moment = seen.got["moment"]
    if seen.scene.when == STEP or (seen.got["runs"] and seen.got["at"] >= moment):
        assert seen.kept, f"{seen.happened} wrote over it. Stored is now {_row(seen.row)}"
        assert seen.value is False, f"{seen.happened} {seen.did}; expected False"


def _check_again(seen: Seen) -> None:
    """Who was too late is refused once: the task still runs, and may be executed again."""
    if seen.came and seen.got["first"].get("value") is False:
        runs = seen.got["runs"] - seen.got["first"]["runs"]
        assert runs == 1, f"{seen.happened} {seen.did}, and ran the step {runs} times. The task was running still"
        _check_answer(seen, expected=True)
        assert seen.row[::2] == seen.ours[::2], (
            f"{seen.happened} {seen.did}. Stored is now {_row(seen.row)}; expected completed, with "
            f"{quoted(seen.scene.result)}"
        )


def _check_looked(seen: Seen) -> None:
    """What the step saw when it looked around."""
    got = seen.got
    runs = got["first"]["runs"] if seen.scene.error else got["runs"]
    assert runs, f"{seen.happened} {seen.did}, and did not run the step"
    assert not got["changed"], "execute_step changed the database driver, so nobody can look at the transaction"
    whose = f"{got['line']}'s transaction was open" if got["line"] else "a transaction was open"
    assert not got["locked"], f"Another UPDATE waited while the step ran: {whose}"
    assert not got["open"], (
        f"While the step ran, {whose}: it locks no row, but it keeps a connection and a lock on the table"
    )
    assert got["state"] in {"running", ""}, (
        f"While the step ran, the task was {got['state']} already: a crash at that moment would lose the work"
    )
    _check_once(seen)


def _check_once(seen: Seen) -> None:
    runs = seen.got.get("first", seen.got)["runs"]
    assert runs <= 1, f"execute_step ran the step {runs} times in one call; expected once"


def _check_left(seen: Seen) -> None:
    assert not seen.got["left"], f"{seen.happened} {seen.did}, and left a transaction open"


def _check_error(seen: Seen) -> None:
    """The step raised an error: it is the caller's, and the task is as it was."""
    first, kind = seen.got["first"], seen.scene.error.__name__
    happened = f"The step raised {kind}, and execute_step"
    assert first.get("value") == THROUGH, f"{happened} {outcome(first)}: let the error through, as it is"
    state, _, result = seen.early["tasks"][seen.scene.task]
    assert state == "running", f"{happened} left a task that is {state}; expected running"
    assert result == seen.scene.had, (
        f"{happened} wrote {quoted(result)} as the task's result, which was {quoted(seen.scene.had)}"
    )
    assert not seen.got["left_first"], f"{happened} left a transaction open"
    again = {0: "did not run the step"}.get(seen.got["runs"] - 1, f"ran the step {seen.got['runs'] - 1} times")
    assert seen.got["runs"] == 2, f"{seen.happened} {seen.did}, and {again}"


def _work_is_done(program: Program, rng: Random) -> None:
    """Killed at any point, and called again: the task is completed, and the tool has acted."""
    task, version = f"task-{rng.randrange(10**6)}", rng.randint(0, 9)
    deploy = partial(tool, "deploy_container", service="shop", key=step_key(task, "deploy"))

    def run() -> None:
        program["execute_step"](database.engine(), task, deploy)

    def recover() -> list[str]:
        run()
        return _stored()

    def invariant(seen) -> None:
        state, result = seen.state
        assert state == "completed", f"after the restart, the task is {state}; expected completed"
        assert seen.ledger, "the task is completed, and the step has never run"
        assert result, "the task is completed, and its result is missing"

    setup = partial(_create, task, version)
    assert_survives(sweep(run, recover, invariant, setup, name="execute_step"), effects=3)


def _one_finishes_it(program: Program, rng: Random) -> None:
    """Two workers execute the step, in every order: who was told True has its result in the table, and one was."""
    task, version = f"task-{rng.randrange(10**6)}", rng.randint(0, 9)
    results = {who: f"{who} {rng.randrange(10**6)}" for who in "AB"}

    def work(who: str) -> bool:
        def step() -> str:
            tool("deploy_container", service="shop", key=step_key(task, "deploy"))
            return results[who]

        return bool(program["execute_step"](database.engine(), task, step))

    def invariant(seen) -> None:
        state, result = _stored()
        told = [who for who, end in seen.workers.items() if end.returned]
        assert len(told) < 2, f"both were told True by execute_step, and the task holds {quoted(result)}"
        for who in told:
            assert result == results[who], f"execute_step told {who} True, and the task holds {quoted(result)}"
        if not any(end.raised for end in seen.workers.values()):
            assert state == "completed", f"execute_step was called by both, and the task is {state}"

    workers = {who: partial(work, who) for who in results}
    setup = partial(_create, task, version)
    assert_no_order_breaks(race(workers, invariant, setup, limit=ORDERS, enough=ENOUGH, name="execute_step"))


def _one_is_first(program: Program, rng: Random) -> None:
    """Two workers finish the task, in every order, each in its own transaction: one is told True, and one False."""
    task, version = f"task-{rng.randrange(10**6)}", rng.randint(0, 9)
    results = {who: f"{who} {rng.randrange(10**6)}" for who in "AB"}

    def work(who: str) -> bool:
        with database.engine().connect() as conn, conn.begin():
            return bool(program["finish_step"](conn, task, version, results[who]))

    def invariant(seen) -> None:
        state, result = _stored()
        told = {who: end.returned for who, end in seen.workers.items()}
        for who, end in seen.workers.items():
            assert not end.raised, f"while another worker finished the task, finish_step raised {end.raised} for {who}"
        first = [who for who in told if told[who]]
        whom = " and ".join(first) or "nobody"
        assert len(first) == 1, f"{whom} was told True by finish_step, and the task is {state}"
        assert result == results[first[0]], f"finish_step told {first[0]} True, and the task holds {quoted(result)}"

    workers = {who: partial(work, who) for who in results}
    setup = partial(_create, task, version)
    assert_no_order_breaks(race(workers, invariant, setup, limit=ORDERS, enough=ENOUGH, name="finish_step"))


def _create(task: str, version: int) -> None:
    with Connection.connect(database.url(), autocommit=True) as connection:
        connection.execute(CREATE)
        connection.execute(INSERT, [_as_json({task: ["running", version, ""]})])


def _stored() -> list[str]:
    with Connection.connect(database.url(), autocommit=True) as connection:
        return list(connection.execute("SELECT state, result FROM tasks").fetchone())


def _scene(rng: Random, name: str, **more: Any) -> Scene:
    """A scene with a name, a version and a result that nobody knows."""
    what, number = rng.choice(["Shop", "Blog", "Wiki", "Mail"]), rng.randrange(10**6)
    accented = unicodedata.normalize(rng.choice(["NFC", "NFD"]), "é")
    words = {
        "task": f"{what}_{accented}_{number}" if number % 2 else f"{what}_{accented}_o'{number}%",
        "version": rng.choice([1, 2, rng.randint(3, 9), rng.randint(10, 10**6)]),
        "result": f'the {what}\'s number {number} is "online"',
    }
    return Scene(name, **{**words, **more})


def _play(program: Program, scenes: list[Scene]) -> list[Seen]:
    """Play the scenes one after another, in one child."""
    names = " or ".join(dict.fromkeys(scene.name for scene in scenes))
    found, facts = play(partial(Workers, program), scenes, names)
    for fact in facts.values():
        fact["tasks"] = {row["id"]: [row[name] for name in COLUMNS[1:]] for row in fact["tasks"]}
        fact["notes"] = fact["notes"] or []
    return [Seen(scene, got, facts) for scene, each in zip(scenes, found, strict=False) for got in each]


def _row(row: list[Any]) -> str:
    state, version, result = row
    return f"{state}, version {version}, with {quoted(result)}"


def _as_json(rows: dict[str, list[Any]]) -> str:
    return json.dumps([dict(zip(COLUMNS, [task, *row], strict=True)) for task, row in rows.items()])
