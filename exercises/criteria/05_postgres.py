"""Judges chapter 5: finishing a task by compare-and-swap, and executing a step outside any transaction.

Other workers come before each statement that an answer sends. Inputs come from `rng`; answers run in children only.
"""

import sys
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import sqlalchemy as sa
from psycopg import Connection, Cursor
from psycopg.errors import LockNotAvailable
from psycopg.pq import TransactionStatus

from labkit import ack, database, step_key, sweep, tool, trial
from labkit.crash import DidNotSurviveError, Trial
from labkit.grading.judge.program import Program

CREATE = "CREATE TABLE tasks (id text PRIMARY KEY, state text, version int, result text)"
INSERT = "INSERT INTO tasks VALUES (%s, %s, %s, %s)"
ROWS = "SELECT id, state, version, result FROM tasks ORDER BY id"
TAKE = "SELECT 1 FROM tasks WHERE id = %s FOR UPDATE NOWAIT"
FINISH = "UPDATE tasks SET state = 'completed', result = %s, version = version + 1 WHERE id = %s"
PROGRESS = "UPDATE tasks SET result = %s, version = version + 1 WHERE id = %s"
OPEN = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'
"""
connect = Connection.connect
DRIVER = (Connection.execute, Connection.cursor, Cursor.execute)
"""What the judge looks at the database with."""
THEIRS = "by another worker"
MOST = 12
"""Statements before which another worker comes. A right answer sends fewer."""


def no_lost_update(program: Program, rng: Random) -> None:
    """What another worker has written stays, at whichever moment it came."""
    task, version, result = _id(rng), rng.randint(3, 9), _result(rng)
    setup = partial(_setup, (task, "running", version, ""), (f"{task}-2", "running", version, ""))
    finish = partial(_finish, program, task)

    seen = trial(partial(finish, version, result), setup)
    told, rows, _ = _value(seen, "finish_step")
    assert told is True, f"Nobody else was there, and finish_step returned {told}; expected True"
    assert rows[0][1] == "completed", f"finish_step returned True, and the task is {rows[0][1]}; expected completed"
    assert rows[0][3] == result, f"finish_step was given {result!r}, and the task holds {rows[0][3]!r}"
    assert rows[1][1] == "running", "finish_step completed another task, too: the WHERE lost its id"

    for off, who in ((-1, "an older version"), (1, "a version that was never stored")):
        told, rows, _ = _value(trial(partial(finish, version + off, result), setup), "finish_step")
        happened = f"The task has version {version}; a worker that read {who}, {version + off},"
        assert rows[0][1] == "running", f"{happened} completed it"
        assert told is False, f"{happened} was told {told}; expected False"

    _every_moment(partial(finish, version, result), setup, task, "finish_step")
    told, rows, _ = _value(trial(partial(finish, version, result, commit=False), setup), "finish_step")
    assert rows[0][1] == "running", (
        "The caller undid its transaction, and the task is completed: finish_step must leave COMMIT to its caller"
    )
    _seen_from_outside(program, setup, task, version, result)
    _progress_is_kept(program, setup, task, result)


def completed_is_final(program: Program, rng: Random) -> None:
    """A completed task keeps its result, whoever comes; and it is completed only when its work was done."""
    task, version, result = _id(rng), rng.randint(3, 9), _result(rng)
    done = partial(_setup, (task, "completed", version, THEIRS))
    running = partial(_setup, (task, "running", version, ""))

    told, rows, _ = _value(trial(partial(_finish, program, task, version, result), done), "finish_step")
    happened = f"The task was completed already, in version {version}, and finish_step with that version"
    assert rows[0][3] == THEIRS, f"{happened} wrote over its result"
    assert told is False, f"{happened} returned {told}; expected False"

    told, rows, notes = _value(trial(partial(_execute, program, task, result), done), "execute_step")
    assert not notes["runs"], "The task was completed already, and execute_step ran the step again"
    assert rows[0][3] == THEIRS, "The task was completed already, and execute_step wrote over its result"
    assert told is False, f"The task was completed already, and execute_step returned {told}; expected False"

    told, rows, notes = _value(trial(partial(_execute, program, task, result, during=FINISH), running), "execute_step")
    assert notes["came"], "While the step ran, another worker could not finish the task: its row was locked"
    assert rows[0][3] == THEIRS, "While the step ran, another worker completed the task; its result is gone"
    assert told is False, f"While the step ran, another worker completed the task; execute_step returned {told}"
    _work_is_done(program, running, task)


def no_open_transaction(program: Program, rng: Random) -> None:
    """While the step runs, others can change the row, and no transaction is open."""
    task, version, result = _id(rng), rng.randint(3, 9), _result(rng)
    running = partial(_setup, (task, "running", version, ""))

    told, rows, notes = _value(trial(partial(_execute, program, task, result), running), "execute_step")
    assert notes["runs"] == 1, f"execute_step ran the step {notes['runs']} times; expected once"
    assert not notes["changed"], "execute_step changed the database driver, so nobody can look at the transaction"
    whose = f"{notes['line']}'s transaction was open" if notes["line"] else "a transaction was open"
    assert not notes["locked"], f"Another UPDATE waited while deploy ran: {whose}"
    assert not notes["open"], (
        f"While deploy ran, {whose}: it locks no row, but it keeps a connection and a lock on the table"
    )
    assert notes["state"] == "running", (
        f"While deploy ran, the task was {notes['state']} already: a crash at that moment would lose the work"
    )
    assert told is True, f"Nobody else was there, and execute_step returned {told}; expected True"
    assert rows[0][1:] == ["completed", rows[0][2], result], (
        f"The step returned {result!r}, and the task is {rows[0][1]} with {rows[0][3]!r}"
    )

    seen = trial(partial(_execute, program, task, result, fail=True), running)
    told, rows, notes = _value(seen, "execute_step")
    assert told == "raised StepError", f"The step raised an error, and execute_step {_did(told)}: let the error through"
    assert rows[0][1:] == ["running", rows[0][2], ""], f"The step raised an error, and the task is {rows[0][1]}"
    assert not notes["left"], "The step raised an error, and execute_step left a transaction open"


class StepError(Exception):
    """The step failed."""


def _id(rng: Random) -> str:
    return f"task-{rng.randrange(10**6)}"


def _result(rng: Random) -> str:
    return f"the {rng.choice(['shop', 'blog', 'wiki', 'mail'])} number {rng.randrange(10**6)} is online"


def _setup(*rows: tuple[Any, ...]) -> None:
    with connect(database.url(), autocommit=True) as connection:
        connection.execute(CREATE)
        for row in rows:
            connection.execute(INSERT, row)


def _finish(program: Program, task: str, version: int, result: str, *, commit: bool = True, before: int = -1) -> list:
    """In a child: finish the task, in a transaction of the caller's. Another worker comes before statement `before`."""
    finish_step, engine, notes = program["finish_step"], database.engine(), {"sent": 0, "came": False}

    def other(*_args: Any) -> None:
        if notes["sent"] == before:
            notes["came"] = _other_worker(FINISH, task)
        notes["sent"] += 1

    with engine.connect() as conn:
        sa.event.listen(conn, "before_cursor_execute", other)
        told = _told(lambda: finish_step(conn, task, version, result))
        if commit:
            conn.commit()
        else:
            conn.rollback()
    return [told, _rows(), notes]


def _execute(program: Program, task: str, result: str, *, during: str = "", fail: bool = False) -> list:
    """In a child: execute a step that looks around. Another worker comes while it runs, if there is a statement."""
    execute_step, engine = program["execute_step"], database.engine()
    notes = {"runs": 0, "locked": False, "open": 0, "line": "", "state": "", "came": False, "left": 0}
    notes["changed"] = False
    lines: dict[Any, str] = {}

    def remember(_conn: Any, cursor: Any, *_rest: Any) -> None:
        if cursor.connection.info.transaction_status is TransactionStatus.IDLE:
            lines[cursor.connection] = _line()

    def step() -> str:
        notes["runs"] += 1
        notes["changed"] = (Connection.execute, Connection.cursor, Cursor.execute) != DRIVER
        ours = [line for connection, line in lines.items() if connection.info.transaction_status]
        with connect(database.url(), autocommit=True) as other:
            notes["open"] = other.execute(OPEN).fetchone()[0]
            notes["line"] = ours[0] if ours else ""
            notes["state"] = next(row[1] for row in _rows() if row[0] == task)
            notes["locked"] = not _free(other, task)
        if during:
            notes["came"] = _other_worker(during, task)
        if fail:
            raise StepError("the tool has failed")
        return result

    sa.event.listen(engine, "before_cursor_execute", remember)
    told = _told(lambda: execute_step(engine, task, step))
    with connect(database.url(), autocommit=True) as other:
        notes["left"] = other.execute(OPEN).fetchone()[0]
    return [told, _rows(), notes]


def _told(call: Callable[[], Any]) -> Any:
    """What a call returned, as plain data, or how it failed."""
    try:
        value = call()
    except NotImplementedError:
        return "NotImplementedError"
    except Exception as error:  # noqa: BLE001 - the judge says what it means
        return f"raised {type(error).__name__}"
    return bool(value) if isinstance(value, int) else repr(value)


def _other_worker(statement: str, task: str) -> bool:
    """Another worker writes to the task, unless its row is locked. Whether it did."""
    with connect(database.url(), autocommit=True) as other:
        free = _free(other, task)
        if free:
            other.execute(statement, (THEIRS, task))
    return free


def _free(connection: Connection, task: str) -> bool:
    try:
        connection.execute(TAKE, (task,))
    except LockNotAvailable:
        return False
    return True


def _rows() -> list:
    with connect(database.url(), autocommit=True) as connection:
        return [list(row) for row in connection.execute(ROWS).fetchall()]


def _line() -> str:
    """The student's line that is being executed."""
    frame = sys._getframe()  # noqa: SLF001 - the way to see who called
    while frame and not frame.f_code.co_filename.startswith("<answer"):
        frame = frame.f_back
    return f"line {frame.f_lineno} of {frame.f_code.co_filename[len('<answer ') : -1]}" if frame else ""


def _value(seen: Trial, name: str) -> list:
    """What a child found out. What the answer raised is a verdict."""
    assert seen.how == "returned", f"{name} {seen.failure}"
    told = seen.value[0]
    raised = isinstance(told, str) and told.startswith("raised ") and told != "raised StepError"
    assert not raised, f"{name} {told}"
    return seen.value


def _did(told: Any) -> str:
    return told if isinstance(told, str) and told.startswith("raised") else f"returned {told}"


def _every_moment(finish: Callable, setup: Callable, task: str, name: str) -> None:
    """Another worker finishes the task right before each statement of the answer in turn."""
    for number in range(MOST):
        told, rows, notes = _value(trial(partial(finish, before=number), setup), name)
        if notes["sent"] <= number:
            return
        happened = f"Right before statement {number + 1} of {name}, another worker finished the task"
        theirs = next(row[3] for row in rows if row[0] == task) == THEIRS
        assert not notes["came"] or theirs, f"{happened}: its result is lost"
        assert not notes["came"] or told is False, f"{happened}; {name} returned {told}, expected False"
        assert notes["came"] or told is True, f"{name} had locked the row, and returned {told}; expected True"


def _seen_from_outside(program: Program, setup: Callable, task: str, version: int, result: str) -> None:
    """The same two promises, looked at by a process that never loaded the answer."""

    def run() -> None:
        for number, text in ((version - 1, "out of date"), (version, result)):
            with database.engine().begin() as conn:
                told = bool(program["finish_step"](conn, task, number, text))
            ack(f"{text}: {told}")

    def invariant(seen) -> None:
        found, told = next(row for row in seen.state if row[0] == task), seen.acknowledged
        assert f"out of date: {True}" not in told, "A worker that had read an older version was told True"
        assert found[3] in ("", result), f"The task holds {found[3]!r}, from a worker that had read an older version"
        assert f"{result}: {True}" not in told or found[1] == "completed", (
            f"finish_step returned True, and another process finds the task {found[1]}"
        )

    report = sweep(run, _rows, invariant, setup, name="finish_step")
    if report.problem or not report.broken:
        report.assert_survives(effects=3)
    for point in report.broken:
        raise AssertionError(point.broken()[0].reason)


def _progress_is_kept(program: Program, setup: Callable, task: str, result: str) -> None:
    """The version that counts is the one read before the step, not one read after it."""
    seen = trial(partial(_execute, program, task, result, during=PROGRESS), setup)
    if seen.how == "returned" and seen.value[0] == "NotImplementedError":
        return  # execute_step is yet to be written; the other cases ask for it
    told, rows, notes = _value(seen, "execute_step")
    happened = "While the step ran, another worker saved its progress"
    assert not notes["came"] or rows[0][3] == THEIRS, f"{happened}: execute_step wrote over it"
    assert not notes["came"] or told is False, f"{happened}; execute_step returned {told}, expected False"


def _work_is_done(program: Program, setup: Callable, task: str) -> None:
    """Killed at any point, and called again: the task is completed, and the tool has acted."""
    deploy = partial(tool, "deploy_container", service="shop", key=step_key(task, "deploy"))

    def run() -> list:
        told = program["execute_step"](database.engine(), task, deploy)
        ack(f"told {told}")
        return _rows()

    def invariant(seen) -> None:
        rows = seen.state
        assert rows[0][1] == "completed", f"after the restart, the task is {rows[0][1]}; expected completed"
        assert seen.ledger, "the task is completed, and deploy has never run"
        assert rows[0][3], "the task is completed, and its result is missing"

    report = sweep(run, run, invariant, setup, name="execute_step")
    if report.problem or not report.broken:
        report.assert_survives(effects=3)
    for point in report.broken:
        what = f"Killed at crash point {point.k}: {point.broken()[0].reason}"
        raise DidNotSurviveError(what, "", report.score(), report.timeline())
