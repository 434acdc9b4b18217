"""The rows of gradings: contents are what their hash says, an attempt is begun once, its result counts once."""

import psycopg
import pytest

from labkit.grading.distributed import tables


@pytest.fixture
def connection(database_url):
    """A connection to a database that has the tables, with a grading and a job in it."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        tables.make(connection)
        tables.make(connection)
        assert tables.open_grading(connection, "g", "v", "labkit")
        assert tables.new_job(connection, "g", "j", tables.keep(connection, "g", b"asked"))
        yield connection


def test_a_content_is_found_by_its_hash_or_not_at_all(connection):
    """Also a large one; one that was changed, or that another grading has, is none."""
    large = b"x" * 2**22
    name = tables.keep(connection, "g", large)
    assert tables.keep(connection, "g", large) == name
    assert tables.content(connection, "g", name) == large
    for grading, other in (("other", name), ("g", "0" * 64)):
        with pytest.raises(LookupError):
            tables.content(connection, grading, other)
    connection.execute("UPDATE labkit_grading_1.content SET body = substr(body, 1, 20) WHERE hash = %s", [name])
    with pytest.raises(LookupError):
        tables.content(connection, "g", name)


def test_what_is_too_large_is_not_sent(connection, monkeypatch):
    """And the database itself refuses more."""
    monkeypatch.setattr(tables, "MOST", 999)
    with pytest.raises(tables.TooLargeError):
        tables.keep(connection, "g", b"y" * 1000)
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(f"UPDATE labkit_grading_1.content SET body = repeat('x', {64 * 2**20 + 1})::bytea")  # noqa: S608 - a number


def test_an_attempt_is_begun_once(connection):
    """A second worker with the same attempt gets nothing, whoever asks again as its answer was lost gets it."""
    asked = tables.begin(connection, "g", "j", 1, "worker 0", "one")
    assert tables.content(connection, "g", asked) == b"asked"
    assert tables.begin(connection, "g", "j", 1, "worker 0", "two") is None
    assert tables.begin(connection, "g", "j", 1, "worker 0", "one") == asked
    assert tables.leave(connection, "g", "j", 1)
    assert tables.begin(connection, "g", "j", 2, "worker 1", "three") == asked
    assert not tables.leave(connection, "g", "j", 1)


def test_the_result_of_the_last_attempt_counts_and_then_nothing_is_begun(connection):
    """Whoever was taken for dead and comes later changes nothing. Who has taken it does not find it again."""
    tables.begin(connection, "g", "j", 1, "worker 0", "one")
    tables.begin(connection, "g", "j", 2, "worker 1", "two")
    tables.end(connection, "g", "j", 1, "first")
    assert tables.results(connection, "g") == []
    tables.end(connection, "g", "j", 2, "second")
    tables.end(connection, "g", "j", 2, "third")
    assert tables.results(connection, "g") == [("j", "second", 2)]
    assert tables.begin(connection, "g", "j", 3, "worker 1", "three") is None
    assert not tables.leave(connection, "g", "j", 2)
    tables.take(connection, "g", ["j", "k"])
    assert tables.results(connection, "g") == []
    assert tables.open_grading(connection, "g", "v", "labkit")
    assert tables.results(connection, "g") == [("j", "second", 2)]


def test_a_grading_goes_with_all_that_is_its(connection):
    """Of another version it is another one; of another one nothing is touched."""
    assert not tables.open_grading(connection, "g", "other", "labkit")
    assert tables.open_grading(connection, "h", "v", "labkit")
    assert tables.new_job(connection, "h", "j", "asked")
    assert not tables.new_job(connection, "h", "j", "asked")
    assert tables.drop_grading(connection, "g")
    assert not tables.drop_grading(connection, "g")
    assert tables.begin(connection, "g", "j", 1, "worker", "one") is None
    assert tables.begin(connection, "h", "j", 1, "worker", "one") == "asked"
    assert tables.gradings(connection) == [("h", "v", "labkit")]
