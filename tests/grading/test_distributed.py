"""A class that is graded by workers: the book is that of one machine, whatever dies meanwhile."""

import random
import time
from threading import Thread

import psycopg
import pytest
from by_workers import Grading, submissions, workers

from labkit.grading.distributed import lease, tables
from labkit.grading.distributed.attempt import UNJUDGED
from labkit.grading.distributed.coordinator import TWICE

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow(seconds=60)]


def left(url):
    """The rows of gradings that are in the database."""
    with psycopg.connect(url) as connection:
        tables = ("labkit_grading_1.grading", "labkit_grading_1.job", "labkit_grading_1.content")
        names = (*tables, "labkit_grading_1_dbos.workflow_status", "labkit_grading_1_dbos.operation_outputs")
        return [connection.execute("TABLE " + name).rowcount for name in names]


def test_a_worker_that_is_killed_costs_nobody_anything(tmp_path, database_url):
    """Three workers, four kills: the book of the undisturbed, nobody judged thrice, and nothing left behind."""
    students = submissions(tmp_path / "criteria", 16)
    with workers(database_url, tmp_path, 1) as judging:
        whole = Grading(database_url, tmp_path / "whole", tmp_path / "criteria").grade(students)
        assert set(judging.attempts().values()) == {1}
        assert left(database_url) == [0, 0, 0, 0, 0]
        judging.begun.unlink()
        grading = Grading(database_url, tmp_path / "out", tmp_path / "criteria")
        found, chance = [], random.Random(4)
        asking = Thread(target=lambda: found.append(grading.grade(students)))
        asking.start()
        for number in (2, 4, 6, 8):
            judging.keep(3)
            wait_until(lambda number=number: len(judging.attempts()) > number)
            judging.kill_one(chance)
        while asking.is_alive():
            judging.keep(2)
            asking.join(0.5)
        attempts = judging.attempts()
    assert found == [whole]
    assert max(attempts.values()) <= 2
    assert len(grading.done) == 16
    assert left(database_url) == [0, 0, 0, 0, 0]


def wait_until(true, seconds=120):
    """Until it is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.long
def test_who_kills_workers_is_looked_at_after_two_and_costs_no_neighbour(tmp_path, database_url):
    """One submission kills two workers and no third one. All others are judged once, or twice if they were at hand."""
    students = submissions(tmp_path / "criteria", 5, deadly=1)
    grading = Grading(database_url, tmp_path / "out", tmp_path / "criteria")
    found = []
    asking = Thread(target=lambda: found.append(grading.grade(students)))
    with workers(database_url, tmp_path) as judging:
        asking.start()
        while asking.is_alive():
            judging.keep(1)
            asking.join(0.2)
        attempts = judging.attempts()
    assert sorted(attempts.values()) == [1, 1, 1, 1, 2]
    grades = {grade.student: grade for grade in grading.book.grades(grading.book.rows())}
    assert [each.status for each in grades.values()] == ["look", "graded", "graded", "graded", "graded"]
    assert UNJUDGED in grades["student 00"].results[0].verdicts[0].what
    assert f"{TWICE}: student 00" in grading.said


@pytest.mark.long
def test_an_asker_that_is_killed_goes_on_where_it_was(tmp_path, database_url):
    """What was handed out is found again, what was judged is not judged again."""
    students = submissions(tmp_path / "criteria", 4)
    grading = Grading(database_url, tmp_path / "out", tmp_path / "criteria")

    class Killed(BaseException):
        pass

    def die(name):
        raise Killed(name)

    grading.coordinator.done = die
    with workers(database_url, tmp_path) as judging:
        with pytest.raises(Killed):
            grading.coordinator.grade(students)
        grading.jobs.close()
        again = Grading(database_url, tmp_path / "out", tmp_path / "criteria")
        again.grade(students)
        assert sorted(judging.attempts().values()) == [1, 1, 1, 1]
        assert sorted(again.done) == [each.name for each in students]
        once_more = Grading(database_url, tmp_path / "out", tmp_path / "criteria", again=True)
        once_more.grade(students)
        assert sorted(judging.attempts().values()) == [2, 2, 2, 2]
    assert left(database_url) == [0, 0, 0, 0, 0]


def test_two_instructors_share_a_database(tmp_path, database_url):
    """Also with the same answers: each has a grading of their own."""
    students = submissions(tmp_path / "criteria", 4)
    whole = {}
    with workers(database_url, tmp_path, 1) as judging:
        asking = [
            Thread(target=lambda name=name: whole.update({name: grade(database_url, tmp_path, name, students)}))
            for name in ("one", "two")
        ]
        for each in asking:
            each.start()
        for each in asking:
            each.join()
        assert sorted(judging.attempts().values()) == [2, 2, 2, 2]
    assert whole["one"] == whole["two"]
    assert left(database_url) == [0, 0, 0, 0, 0]


def grade(url, where, name, students):
    """One instructor."""
    return Grading(url, where / name, where / "criteria").grade(students)


@pytest.mark.long
def test_a_worker_of_another_version_refuses_and_one_that_is_told_to_stop_ends_its_job(tmp_path, database_url):
    """In one line that names both; status 2 of the command. The other ends with 0, and nothing is begun twice."""
    students = submissions(tmp_path / "criteria", 3)
    with psycopg.connect(database_url, autocommit=True) as connection:
        tables.make(connection)
        tables.open_grading(connection, "other", "0" * 16, "labkit 0.0.9")
        with psycopg.connect(database_url, autocommit=True) as asker:
            lease.locked(asker, lease.COORDINATORS, "other")
            with workers(database_url, tmp_path) as judging:
                assert judging.living[0].wait() == 1
                said = (tmp_path / "log").read_text().splitlines()[-1]
                assert said.startswith("labkit: this is labkit ")
                assert "grading other was asked for by labkit 0.0.9" in said
        assert connection.execute("SELECT to_regnamespace('labkit_grading_1_dbos')").fetchone() == (None,)
    grading = Grading(database_url, tmp_path / "out", tmp_path / "criteria")
    asking = Thread(target=lambda: grading.grade(students))
    with workers(database_url, tmp_path, seconds=3) as judging:
        asking.start()
        wait_until(judging.attempts)
        judging.living[0].terminate()
        assert judging.living[0].wait() == 0
        begun = judging.attempts()
        judging.keep(1)
        asking.join()
        assert set(judging.attempts().values()) == {1}
        assert len(begun) <= 2
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT 1 FROM labkit_grading_1.grading WHERE id <> 'other'").fetchone() is None
