"""An attempt at a job: begun once, and whatever comes of it is written down or left for the next one."""

import os
import threading
from contextlib import contextmanager
from types import SimpleNamespace

import psycopg
import pytest
from by_workers import CUT_OFF, reached

from labkit.grading.distributed import tables
from labkit.grading.distributed.attempt import UNJUDGED, Attempts
from labkit.grading.distributed.lease import WORKERS, Lease, living, number
from labkit.grading.distributed.messages import Failed, Outcome, Request


class DiedError(Exception):
    """In place of a process that ends."""


@pytest.fixture
def made(database_url, monkeypatch):
    """Makes attempts at a job: `judge` is what the judge does. With a connection, and what was found."""

    def die(_status):
        raise DiedError

    monkeypatch.setattr(os, "_exit", die)
    lease = Lease(reached(database_url), WORKERS, lambda _: None, 60)
    lease.take("v-0", "v-0 here")
    with psycopg.connect(database_url, autocommit=True) as connection:
        tables.make(connection)
        tables.open_grading(connection, "g", "v", "labkit")
        request = Request(seed=0, criteria=None, exercises={}, journal={}).model_dump_json().encode()
        tables.new_job(connection, "g", "j", tables.keep(connection, "g", request))

        def attempts(judge):
            judging = SimpleNamespace(use=lambda *_: None, judge=lambda _: judge())
            return Attempts(lease, "v", judging, lambda _: None)

        def make(judge, attempt=1):
            return attempts(judge)._step("g", "j", attempt)

        def found():
            ((_, result, attempt),) = tables.results(connection, "g")
            return Outcome.model_validate_json(tables.content(connection, "g", result)), attempt

        yield SimpleNamespace(attempts=attempts, make=make, found=found, connection=connection, lease=lease)
    lease.close()


def die():
    """As when the process is killed."""
    os._exit(9)


def begin(made, attempt, token="other"):  # noqa: S107 - no password
    """Somebody else begins an attempt."""
    return tables.begin(made.connection, "g", "j", attempt, "v-9", token)


def test_what_was_found_is_written_once(made):
    """Whoever comes later finds it, and judges nothing."""
    assert made.make(lambda: Outcome(journal={"a": "{}"})) is False
    assert made.make(die) is False
    assert made.make(die, 2) is False
    outcome, attempt = made.found()
    assert (outcome.journal, attempt) == ({"a": "{}"}, 1)


def test_there_is_a_second_attempt_and_no_third(made):
    """An attempt that was begun is not begun again, whoever finds it."""
    begin(made, 1)
    assert made.make(die) is True
    assert made.make(die) is True
    begin(made, 2)
    assert made.make(die, 2) is False
    outcome, attempt = made.found()
    assert (outcome.unjudged, attempt) == (UNJUDGED, 2)


def test_who_was_taken_for_dead_writes_nothing_once_the_next_attempt_has_begun(made):
    """Before that, what it has found counts, and there is no next attempt."""

    def late():
        begin(made, 2)
        return Outcome(journal={"a": "{}"})

    assert made.make(late) is False
    assert tables.results(made.connection, "g") == []


def test_an_error_of_the_lab_or_an_outcome_that_is_too_large_is_told(made, monkeypatch):
    """The coordinator must not wait for ever."""
    monkeypatch.setattr(tables, "MOST", 2000)
    assert made.make(lambda: Outcome(journal={"a": "x" * 3000})) is False
    assert made.found()[0].given_up.error == "TooLargeError"


def test_a_request_that_is_damaged_is_told(made):
    """It costs this job alone, and no more than the time of another attempt."""
    made.connection.execute("UPDATE labkit_grading_1.content SET body = 'x'")
    assert made.make(die) is True
    assert made.make(die, 2) is False
    assert made.found()[0].given_up.error == "LookupError"


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(refused="no server"),
        Outcome.nothing(OSError("no room")),
        Outcome(journal={"a": "{}"}, failed={"b": Failed(error="DatabaseError")}),
    ],
)
def test_a_machine_that_cannot_judge_leaves_it_to_another_one(made, outcome):
    """What it says is told only if the second attempt comes to no more, whatever was wrong."""
    assert made.make(lambda: outcome) is True
    assert tables.results(made.connection, "g") == []
    assert made.make(lambda: outcome, 2) is False
    assert made.found() == (outcome, 2)


def test_a_machine_that_could_not_judge_leaves_it_again_as_long_as_others_live(made, database_url):
    """The last attempt is another one's. If nobody else is left, it is its own, and counts."""
    tries = []
    attempts = made.attempts(lambda: tries.append(1) or Outcome(refused="no server"))
    other = Lease(reached(database_url), WORKERS, lambda _: None, 60)
    assert other.take("v-1", "v-1 there")
    assert [attempts._step("g", "j", number) for number in (1, 2, 3)] == [True, True, True]
    assert len(tries) == 1
    other.close()
    while number("v-1") in living(made.connection, WORKERS):
        pass
    assert attempts._step("g", "j", 4) is False
    assert made.found()[0].refused == "no server"


def test_two_who_could_not_judge_do_not_leave_it_to_each_other_for_ever(made, database_url):
    """What another one has left is judged, also by who could not when it was asked for before."""
    tries = []
    attempts = made.attempts(lambda: tries.append(1) or Outcome(refused="no server"))
    other = Lease(reached(database_url), WORKERS, lambda _: None, 60)
    assert other.take("v-1", "v-1 there")
    assert attempts._step("g", "j", 1) is True
    assert attempts._step("g", "j", 3) is False
    assert len(tries) == 2
    other.close()


def test_what_another_one_has_begun_is_not_left_to_a_third(made, database_url):
    """Also if it comes back to the first, who could not judge it."""
    attempts = made.attempts(lambda: Outcome(refused="no server"))
    other = Lease(reached(database_url), WORKERS, lambda _: None, 60)
    assert other.take("v-1", "v-1 there")
    assert attempts._step("g", "j", 1) is True
    begin(made, 2)
    assert attempts._step("g", "j", 2) is False
    assert made.found()[0].unjudged == UNJUDGED
    other.close()


def test_a_grading_that_was_dropped_costs_nothing(made):
    """Before it is begun, or while it is judged."""

    def drop():
        tables.drop_grading(made.connection, "g")
        return Outcome()

    assert made.make(drop) is False
    assert made.make(die) is False


def test_a_connection_that_ends_while_it_judges_uses_up_no_attempt(made):
    """It goes on under the same name, and what it has found counts."""

    def judge():
        made.connection.execute(CUT_OFF)
        return Outcome(journal={"a": "{}"})

    assert made.make(judge) is False
    assert made.found()[1] == 1
    assert made.lease.name == "v-0"


def test_who_loses_its_lease_to_somebody_else_ends_and_records_nothing(made, monkeypatch, database_url):
    """Somebody else is at it already."""
    monkeypatch.setattr("labkit.grading.distributed.lease.MISSED", 1)
    other = Lease(reached(database_url), WORKERS, lambda _: None, 60)

    def judge():
        made.connection.execute(CUT_OFF)
        while not other.take("v-0"):
            pass
        return Outcome()

    with pytest.raises(DiedError):
        made.make(judge)
    assert tables.results(made.connection, "g") == []
    other.close()


def test_a_process_has_one_attempt_at_a_time(made):
    """Also if its own job is given to it once more while it judges, as others have missed it."""
    judging, asked, go = threading.Event(), threading.Event(), threading.Event()

    def judge():
        judging.set()
        go.wait(60)
        return Outcome(journal={"a": "{}"})

    attempts, again = made.attempts(judge), []
    one = attempts._one

    @contextmanager
    def turn():
        asked.set()
        with one:
            yield

    first = threading.Thread(target=lambda: attempts._step("g", "j", 1))
    first.start()
    judging.wait(60)
    attempts._one = turn()
    second = threading.Thread(target=lambda: again.append(attempts._step("g", "j", 1)))
    second.start()
    assert asked.wait(60)
    go.set()
    for each in (first, second):
        each.join(60)
    assert again == [False]
    assert made.found()[1] == 1
