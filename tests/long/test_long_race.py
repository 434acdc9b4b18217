"""Races with hundreds of orders on PostgreSQL."""

from functools import partial

import pytest
import whole_agent

from labkit import InProgressError, PostgresStateStore, Saga, SagaStep, SystemClock, database, race, tool
from labkit.course.stories import DEPLOY, Story
from labkit.llm import Turn
from labkit.saga import Kind
from labkit.store import StoreError


def table_is_there():
    PostgresStateStore(database.engine())


def go_on_with_the_saga():
    step = SagaStep("charge", lambda key, *_: tool("charge", customer="c", amount=1, key=key), kind=Kind.PIVOT)
    try:
        return Saga([step], PostgresStateStore(database.engine()), SystemClock()).run("saga").state
    except (StoreError, InProgressError):
        return "refused"


def charged_once(seen):
    assert len(seen.ledger) == 1, f"charged {len(seen.ledger)} times"


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("crash", [False, True])
def test_two_sagas_on_one_log_act_once(crash):
    """Who comes second finds the log saved by another, and is refused or sees what is done; a kill repeats nothing."""
    workers, recover = {"a": go_on_with_the_saga, "b": go_on_with_the_saga}, go_on_with_the_saga if crash else None
    race(workers, charged_once, table_is_there, crash=crash, recover=recover, limit=100_000).assert_survives()


STORY = Story("tell the team", (DEPLOY.tools[-1],), (Turn(calls=(("notify", {"service": "shop"}),)), Turn("done")))


def go_on_with_the_run():
    try:
        return whole_agent.agent(STORY, whole_agent.in_postgres).resume("run-1").state
    except (StoreError, InProgressError) as error:
        return type(error).__name__


def told_once(seen):
    assert [call.tool for call in seen.ledger] == ["notify"], f"told {len(seen.ledger)} times"


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("crash", [False, True])
def test_two_agents_on_one_run_act_once(crash):
    """Whoever comes second is refused by the version of the run; a kill repeats nothing, as the tool knows the key."""
    workers, recover = {"a": go_on_with_the_run, "b": go_on_with_the_run}, go_on_with_the_run if crash else None
    begin = partial(whole_agent.begin, STORY, whole_agent.in_postgres)
    race(workers, told_once, begin, crash=crash, recover=recover, limit=100_000).assert_survives()


COUNT = "UPDATE task SET n = n + 1 "
KINDS = """
    CREATE TABLE task (id int PRIMARY KEY, kind text, n int NOT NULL);
    INSERT INTO task VALUES (1, 'x', 0), (2, 'y', 0)
"""


def two_kinds():
    with database.engine().begin() as connection:
        connection.exec_driver_sql(KINDS)


def count(statement):
    with database.engine().begin() as connection:
        connection.exec_driver_sql(statement)


def four_are_counted(_):
    with database.engine().begin() as connection:
        assert connection.exec_driver_sql("SELECT sum(n) FROM task").scalar() == 4


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("others", "orders", "crowded"),
    [(("WHERE kind = 'x'", "WHERE kind = 'y'"), 43, False), (("WHERE id = 1", "WHERE kind = 'x'"), 16, True)],
)
def test_two_may_go_on_at_once_and_of_two_that_wait_for_one_row_it_is_said(others, orders, crowded):
    """One COMMIT frees the rows of two; PostgreSQL chooses who of two has a row first, so one of them is let wait."""
    workers = {text or "all": partial(count, COUNT + text) for text in ("", *others)}
    report = race(workers, four_are_counted, two_kinds)
    assert (len(report.broken), len(report.orders), report.crowded) == (0, orders, crowded)
