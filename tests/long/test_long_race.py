"""Races with hundreds of orders on PostgreSQL."""

import pytest

from labkit import InProgressError, PostgresStateStore, Saga, SagaStep, SystemClock, database, race, tool
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


@pytest.mark.timeout(900)
def test_two_sagas_on_one_log_act_once():
    """Who comes second finds the log saved by another, and is refused or sees what is done."""
    race({"a": go_on_with_the_saga, "b": go_on_with_the_saga}, charged_once, table_is_there).assert_survives()
