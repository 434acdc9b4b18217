"""The rows of gradings: contents are what their hash says, an attempt is begun once, the first result counts."""

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
    """Also a large one; one that was changed, that another grading has, or that is a bomb is none."""
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


def test_what_is_too_large_is_refused_on_both_sides(connection, monkeypatch):
    """It is not sent, and not unpacked if somebody has sent it all the same."""
    name = tables.keep(connection, "g", b"x" * 1000)
    monkeypatch.setattr(tables, "MOST", 999)
    with pytest.raises(tables.TooLargeError):
        tables.keep(connection, "g", b"y" * 1000)
    with pytest.raises(LookupError):
        tables.content(connection, "g", name)


def test_an_attempt_is_begun_once(connection):
    """A second worker with the same attempt gets nothing; the next attempt is another one."""
    asked = tables.begin(connection, "g", "j", 1, "worker 0")
    assert tables.content(connection, "g", asked) == b"asked"
    assert tables.begin(connection, "g", "j", 1, "worker 1") is None
    assert tables.open_job(connection, "g", "j")
    assert tables.begin(connection, "g", "j", 2, "worker 1") == asked


def test_the_first_result_counts_and_then_nothing_is_begun(connection):
    """Whoever was taken for dead and comes later changes nothing."""
    tables.end(connection, "g", "j", "first")
    tables.end(connection, "g", "j", "second")
    assert tables.results(connection, "g", ["j", "k"]) == [("j", "first")]
    assert tables.begin(connection, "g", "j", 2, "worker 1") is None
    assert not tables.open_job(connection, "g", "j")


def test_a_grading_goes_with_all_that_is_its(connection):
    """Of another version it is another one; of another one nothing is touched."""
    assert not tables.open_grading(connection, "g", "other", "labkit")
    assert tables.open_grading(connection, "h", "v", "labkit")
    assert tables.new_job(connection, "h", "j", "asked")
    assert not tables.new_job(connection, "h", "j", "asked")
    assert tables.drop_grading(connection, "g")
    assert not tables.drop_grading(connection, "g")
    assert not tables.open_job(connection, "g", "j")
    assert tables.open_job(connection, "h", "j")
    with pytest.raises(LookupError):
        tables.criteria(connection, "g")
    tables.judge_by(connection, "h", "hash")
    assert tables.criteria(connection, "h") == "hash"
