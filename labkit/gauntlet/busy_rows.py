"""A busy day of one process, of chapter 5: rows at which others have been, and steps that fail."""

from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg
import sqlalchemy as sa

from labkit import database
from labkit.crash import trial
from labkit.gauntlet.busy_tasks import TEXTS, brief
from labkit.gauntlet.parts import Parts
from labkit.grading.judge.survival import did

OFF = (0, -1, 1)
"""How far a worker's version is from the one in the table."""
ERRORS = (ConnectionError, KeyError, sa.exc.SQLAlchemyError, KeyboardInterrupt)


def rows_are_kept(parts: Parts) -> None:
    """One row after another: what a worker may finish is finished, and all else stays, whatever the step raised."""
    seen = trial(partial(_finish_all, parts), _make_table)
    assert seen.how == "returned", f"Rows were finished in one process, and finish_step {did(seen)}"
    for text, off, undone, told, state, version, result in seen.value:
        worker = f"A worker had read version {4 + off} of a task in version 4"
        what = f"{worker}, {'and undid its transaction' if undone else f'with the result {brief(text)}'}"
        assert told == (off == 0), f"{what}: finish_step returned {told}"
        expected = ["running", 4, ""] if off or undone else ["completed", 5, text]
        assert [state, version, result] == expected, f"{what}: stored is {[state, version, brief(result)]}"
    seen = trial(partial(_execute_all, parts), _make_table)
    assert seen.how == "returned", f"Steps were executed in one process, and execute_step {did(seen)}"
    for error, (came, between, told, after) in zip(ERRORS, seen.value, strict=True):
        what = f"The step raised {error.__name__}, and execute_step"
        assert came == error.__name__, f"{what} {came}; expected that error"
        assert between == ["running", ""], f"{what} left a task that is {between[0]}, with {brief(between[1])}"
        assert told, f"{what}, called again, returned {told}"
        assert after == ["completed", TEXTS[3]], f"{what}, called again, left a task that is {after[0]}"


def _make_table() -> None:
    with psycopg.connect(database.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE tasks (id text PRIMARY KEY, state text, version int, result text)")


def _rows(*ids: str) -> list[list[Any]]:
    with psycopg.connect(database.url(), autocommit=True) as connection:
        rows = connection.execute("SELECT id, state, version, result FROM tasks").fetchall()
    found = {row[0]: list(row[1:]) for row in rows}
    return [found[each] for each in ids]


def _add(*ids: str) -> None:
    with psycopg.connect(database.url(), autocommit=True) as connection:
        for each in ids:
            connection.execute("INSERT INTO tasks VALUES (%s, 'running', 4, '')", [each])


def _finish_all(parts: Parts) -> list[Any]:
    scenes = [(text, off, undone) for text in TEXTS for off, undone in [*((off, False) for off in OFF), (0, True)]]
    ids, told, engine = [f"task-{n}" for n in range(len(scenes))], [], database.engine()
    _add(*ids)
    for task_id, (text, off, undone) in zip(ids, scenes, strict=True):
        with engine.connect() as conn:
            told.append(bool(parts["finish_step"](conn, task_id, 4 + off, text)))
            (conn.rollback if undone else conn.commit)()
    return [[*scene, said, *row] for scene, said, row in zip(scenes, told, _rows(*ids), strict=True)]


def _execute_all(parts: Parts) -> list[Any]:
    ids, told, engine = [f"step-{n}" for n in range(len(ERRORS))], [], database.engine()
    _add(*ids)
    for task_id, error in zip(ids, ERRORS, strict=True):
        came = _came(partial(parts["execute_step"], engine, task_id, partial(_fail, error)))
        ((state, _, result),) = _rows(task_id)
        said = bool(parts["execute_step"](engine, task_id, lambda: TEXTS[3]))
        told.append([came, [state, result], said, _rows(task_id)[0][::2]])
    return told


def _fail(error: type[BaseException]) -> str:
    raise error("it did not work")


def _came(call: Callable[[], Any]) -> str:
    """The name of the error that comes out."""
    try:
        call()
    except BaseException as error:  # noqa: BLE001 - its name is what counts
        return type(error).__name__
    return "returned as if nothing had been"
