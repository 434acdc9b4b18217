"""An attempt at a job: begun once, and whatever comes of it is written down or left for the next one."""

from types import SimpleNamespace

import psycopg
import pytest
from labkit.grading.distributed.attempts import Attempts
from labkit.grading.distributed.parcels import ALL, Asked, Found
from labkit.grading.distributed.place import find

from labkit.grading.distributed import tables


class LostError(Exception):
    """In place of a worker that begins anew."""


@pytest.fixture
def made(database_url):
    """Makes attempts at a job: `judge` is what the judge does. With a connection, and what was found."""

    def lost():
        raise LostError

    with psycopg.connect(database_url, autocommit=True) as connection:
        tables.make(connection)
        tables.open_grading(connection, "g", "v", "labkit")
        request = Asked(seed=0, exercises={}, journal={}).model_dump_json().encode()
        tables.new_job(connection, "g", "j", tables.keep(connection, "g", request))

        def make(judge, attempt=1):
            judging = SimpleNamespace(judge=lambda *_: judge())
            return Attempts(find(database_url), "v-0", "v", judging, lost)._step("g", "j", attempt)

        def found():
            ((_, result),) = tables.results(connection, "g", ["j"])
            return Found.model_validate_json(tables.content(connection, "g", result))

        yield SimpleNamespace(make=make, found=found, connection=connection)


def die():
    """As when the process is killed."""
    raise LostError


def test_what_was_found_is_written_once(made):
    """Whoever comes later finds it, and judges nothing."""
    assert made.make(lambda: Found(journal={"a": "{}"})) is False
    assert made.make(die) is False
    assert made.make(die, 2) is False
    assert (made.found().journal, made.found().attempts) == ({"a": "{}"}, 1)


def test_there_is_a_second_attempt_and_no_third(made):
    """An attempt that was begun is not begun again, whoever finds it."""
    tables.begin(made.connection, "g", "j", 1, "v-9")
    assert made.make(die) is True
    assert made.make(die) is True
    tables.begin(made.connection, "g", "j", 2, "v-9")
    assert made.make(die, 2) is False
    assert made.found().died
    assert made.found().attempts == 2


def test_an_error_of_the_lab_or_a_result_that_is_too_large_is_told(made, monkeypatch):
    """The asker must not wait for ever."""
    monkeypatch.setattr(tables, "MOST", 2000)
    assert made.make(lambda: Found(refused="x" * 3000)) is False
    assert made.found().failed[ALL].error == "TooLargeError"


def test_a_grading_that_was_dropped_costs_nothing(made):
    """Before it is begun, or while it is judged."""

    def drop():
        tables.drop_grading(made.connection, "g")
        return Found()

    assert made.make(drop) is False
    assert made.make(die) is False


def test_who_loses_the_database_records_nothing(made):
    """Its lock is lost as well: somebody else may be at it already."""

    def lose():
        raise psycopg.OperationalError

    with pytest.raises(LostError):
        made.make(lose)
    assert tables.open_job(made.connection, "g", "j")
