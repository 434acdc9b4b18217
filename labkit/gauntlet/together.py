"""The runs of chapters 5 and 6: a shared database with a second worker that dies under them, and several systems."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from labkit import database, llm, stories, world
from labkit.agent_tools import AgentTool, Risk
from labkit.crash import Observation, Report, Stop, sweep, trial
from labkit.gauntlet.parts import Parts, arrange, go_on
from labkit.postgres import connect
from labkit.store import StoreError
from labkit.task import TaskState

CREATE = "CREATE TABLE tasks (id text PRIMARY KEY, state text, version int, result text)"
INSERT = "INSERT INTO tasks VALUES ('shop', 'running', 3, '')"
ROW = "SELECT state, result FROM tasks WHERE id = 'shop'"
END_ALL = """
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND application_name = current_setting('application_name')
"""
SEEN = "seen by"


def transactions(parts: Parts) -> Iterator[Report]:
    """A step in a shared database. A second worker comes in the middle of it; then the connections die; then all of it.

    The work has a key, so that it acts once, whoever does it.
    """
    run = partial(execute, parts, second_worker)
    yield sweep(run, run, _acted_once, make_table, name="a second worker")
    run = partial(execute, parts, connections_die)
    yield sweep(run, run, _acted_once, make_table, name="connections that die")
    _server_dies(parts)


def make_table(url: str | None = None) -> None:
    """The table of exercise 5, with one running task."""
    with psycopg.connect(url or database.url(), autocommit=True) as connection:
        connection.execute(CREATE)
        connection.execute(INSERT)


def row(url: str | None = None) -> list[str]:
    """The state and the result of that task."""
    with psycopg.connect(url or database.url(), autocommit=True) as connection:
        return list(connection.execute(ROW).fetchone())


def execute(parts: Parts, *meanwhile: Callable[[Parts], None]) -> list[str]:
    """What a worker does: execute the step until it is done, by whomever. These happen in the middle of it."""
    happens = [*meanwhile]

    def step() -> str:
        result = _work("the first")
        while happens:
            happens.pop(0)(parts)
        return result

    for _ in range(3):
        with suppress(SQLAlchemyError, StoreError):
            _tell("the first", parts["execute_step"](database.engine(), "shop", step))
            break
    return row()


def _work(who: str) -> str:
    return f"{SEEN} {who}: {world.tool('notify', key='shop', service='shop')}"


def _tell(who: str, told: object) -> None:
    world.ack(f"{who} {bool(told)}")


def second_worker(parts: Parts) -> None:
    """Another worker executes the same step, from its beginning to its end."""
    _tell("the second", parts["execute_step"](connect(database.url()), "shop", lambda: _work("the second")))


def connections_die(_parts: Parts) -> None:
    """The server ends the connections of all workers, as it does when it is restarted."""
    with psycopg.connect(database.url(), autocommit=True) as connection:
        connection.execute(END_ALL)


def _acted_once(seen: Observation) -> None:
    assert [call.tool for call in seen.ledger] == ["notify"], f"the team was told {len(seen.ledger)} times"
    one_winner(seen.acknowledged, seen.state)


def one_winner(acknowledged: list[str], stored: list[str]) -> None:
    """The task is completed, and who was told that it won has its result in the table."""
    state, result = stored
    assert state == "completed", f"the task is {state}; expected completed"
    winners = [label.removesuffix(" True") for label in acknowledged if label.endswith(" True")]
    assert len(winners) < 2, f"{' and '.join(winners)} worker were both told that they finished the task"
    for who in winners:
        assert result.startswith(f"{SEEN} {who}:"), f"{who} worker was told True, and the task holds {result!r}"
    assert result.startswith(SEEN), f"the task is completed, and holds {result!r}"


def _server_dies(parts: Parts) -> None:
    """A worker dies in the middle of its step, and the whole database server with it. Both start again."""
    with database.throwaway_cluster() as cluster:
        cluster.make_database("work")
        url = database.as_url(cluster.owner("work"))
        make_table(url)
        once = partial(_execute_at, parts, url)
        seen = trial(once, stop=Stop(after="tool notify"))
        assert seen.how == "stopped", f"The step was to be killed in its middle, and it {seen.failure}"
        cluster.kill()
        cluster.start()
        after = trial(once, world=seen.world)
        assert after.how == "returned", f"The server was killed and started again, and execute_step {after.failure}"
        state, result = row(url)
        told = f"The server was killed in the middle of the step. After the restart, the task is {state}: {result!r}"
        assert state == "completed", told
        assert result.startswith(SEEN), told
        assert len(after.world.ledger) == 1, f"{told}; the team was told {len(after.world.ledger)} times"


def _execute_at(parts: Parts, url: str) -> bool:
    return bool(parts["execute_step"](connect(url), "shop", lambda: _work("the first")))


UNDO = {"create_dns": "delete_dns", "issue_certificate": "revoke_certificate", "deploy_container": "remove_container"}
NEEDS = {"create_dns": (), "issue_certificate": ("create_dns",), "deploy_container": ("issue_certificate",)}
LISTED = ("deploy_container", "create_dns", "issue_certificate")


def compensates(parts: Parts) -> Iterator[Report]:
    """The agent has one tool, which is a saga of three systems. A step refuses, and so does a compensation."""
    story = _story(parts)
    again = partial(go_on, parts, story)
    refuses = {"deploy_container": ["permanent"]}
    seen = trial(again, arrange(story, **refuses))
    assert seen.how == "returned", f"The last step of the saga refused, and the agent {seen.failure}"
    _all_or_nothing("compensated", [], Observation(seen.value, [], seen.world.ledger, seen.world.calls))
    setup = arrange(story, issue_certificate=["none", "permanent"])
    yield sweep(again, again, partial(_all_or_nothing, None, None), setup, name="a step that refuses after the restart")
    parked = partial(_all_or_nothing, "parked", ["issue_certificate"])
    setup = arrange(story, **refuses, revoke_certificate=["permanent"])
    yield sweep(again, again, parked, setup, name="a compensation that refuses")


def _story(parts: Parts) -> stories.Story:
    tool = AgentTool("put_online", "Put the shop online, or leave nothing", stories.Nothing, Online(parts), Risk.READ)
    turns = (llm.Turn(calls=(("put_online", {}),)), llm.Turn("I have done what could be done."))
    return stories.Story("Put the shop online.", (tool,), turns)


class Online:
    """A tool that runs a saga."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def __call__(self, _arguments: dict[str, Any], _key: str | None, _timeout: float) -> str:
        """Its outcome, in a word."""
        parts = self.parts
        steps = [parts["Step"](n, partial(_act, n), partial(_act, UNDO[n]), NEEDS[n]) for n in LISTED]
        return str(parts["run_saga"]("saga-1", steps, parts["Log"]()))


def _act(name: str, key: str) -> str:
    return world.tool(name, key=key, service="shop")


def _all_or_nothing(state: str | None, left: list[str] | None, seen: Observation) -> None:
    there = sorted(call.tool for call in world.standing(seen.ledger))
    assert seen.state["state"] == TaskState.COMPLETED, f"the run is {seen.state['state']}: {seen.state['error']}"
    told = seen.state["said"]
    if state is None:
        assert there in ([], sorted(UNDO)), f"now {', '.join(there)} is in the world: half of it"
        state, left = ("completed", list(UNDO)) if there else ("compensated", [])
    assert there == sorted(left), f"now {', '.join(there) or 'nothing'} is in the world; expected {left or 'nothing'}"
    assert told == state, f"run_saga returned {told!r}; expected {state!r}"
    for name in {call.tool for call in seen.ledger}:
        count = sum(call.tool == name for call in seen.ledger)
        assert count == 1, f"{name} acted {count} times"
