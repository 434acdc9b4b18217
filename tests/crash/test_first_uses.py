"""What a library does at its first use, a child finds done."""

import sys

import pytest
import sqlalchemy as sa

from labkit import WorldClock, database, llm
from labkit.crash import trial


def calls(use):
    """How many Python functions are called by a use of it."""
    events = []
    sys.setprofile(lambda _frame, event, _argument: events.append(event))
    use()
    sys.setprofile(None)
    return events.count("call")


def ask_a_model():
    """By openai's client, as the agent does."""
    client = llm.client(WorldClock(), scripted=True)
    client.chat.completions.create(model="any", messages=[{"role": "user", "content": "Hello"}])


def ask_the_database():
    """By an engine of its own, as a program does that labkit has not written."""
    engine = sa.create_engine(database.url())
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT :one"), {"one": 1}).all()
    engine.dispose()


@pytest.mark.parametrize("use", [ask_a_model, ask_the_database])
def test_a_childs_first_use_is_not_its_first(use):
    """It calls less than twice as many functions as its second."""
    use()  # so all that it imports is loaded here, and in the zygote
    first, second = trial(lambda: [calls(use), calls(use)]).value
    assert 100 < second <= first < 2 * second  # 3.6 and 2.5 times as many without
