"""The coordinator with a worker that is played by the test: whatever comes back, everybody's marks are theirs."""

import shutil

import psycopg
import pytest
from by_workers import CUT_OFF, Grading, submissions, without_password
from own_class import RIGHT, hand_in, make_criteria

from labkit.cli import main
from labkit.grading.distributed import database, lease, tables
from labkit.grading.distributed.coordinator import TWICE
from labkit.grading.distributed.jobs import Jobs
from labkit.grading.distributed.messages import Outcome, Request
from labkit.grading.gradebook.book import Book
from labkit.grading.gradebook.grader import Grader
from labkit.grading.judge.criteria import exercises
from labkit.grading.judge.judge import Result, Status, Verdict
from labkit.grading.sandbox import guarantees
from labkit.grading.sandbox.guarantees import Guarantee
from labkit.repository import UsageError

KEPT = [Guarantee(what="files", by="a test")]


@pytest.fixture
def connection(database_url):
    """A connection to the database that is used."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def made(database_url, connection, tmp_path):
    """Makes a grading of so many, with the worker's outcomes by number: the right one unless another is given."""

    def make(number=2, outcomes=None, out="out", **more):
        students = submissions(tmp_path / "criteria", number)
        grading = Grading(database_url, tmp_path / out, tmp_path / "criteria", **more)
        flush = grading.jobs.flush

        def flush_and_answer():
            flush()
            answer(connection, students[0].exercises, outcomes or {})

        grading.jobs.flush = flush_and_answer
        return grading, students

    return make


def answer(connection, known, outcomes):
    """Judge what nobody has begun; how many these were."""
    rows = "SELECT grading, id, request FROM labkit_grading_1.job WHERE attempt = 0"
    asked = connection.execute(rows).fetchall()
    for of, job, name in asked:
        request = Request.model_validate_json(tables.content(connection, of, name))
        each = int(request.exercises["90_double"].answers["double"].split()[-1])
        outcome = outcomes.get(each, right(request, known))
        if outcome is not None:
            tables.begin(connection, of, job, 1, "v-0", "token")
            tables.end(connection, of, job, 1, tables.keep(connection, of, outcome.model_dump_json().encode()))
    return len(asked)


def right(request, known):
    """Everything is met."""
    journal = {}
    for stem, each in request.exercises.items():
        verdicts = [Verdict.of(case, Status.PASS) for case in known[stem].cases]
        journal[each.judged] = Result(
            stem=stem, title=known[stem].title, seed=request.seed, verdicts=verdicts
        ).model_dump_json()
    return Outcome(journal=journal, enforced=KEPT)


def statuses(grading):
    """By student."""
    return {grade.student: grade.status for grade in grading.book.grades(grading.book.rows())}


def left(connection):
    """How much is in the database."""
    return [connection.execute(f"TABLE labkit_grading_1.{name}").rowcount for name in ("grading", "job", "content")]


def test_what_machines_enforce_is_theirs_and_none_if_nothing_was_judged_there(made):
    """Whatever is in the journal was judged here, or by a grading that is remembered."""
    grading, students = made()
    grading.grade(students)
    assert grading.enforced == KEPT
    grading, students = made()
    grading.grade(students)
    assert grading.enforced == KEPT
    grading, _ = made(out="empty")
    assert grading.coordinator.grade([]) is None


def test_one_who_cannot_be_handed_out_costs_nobody_else(made, monkeypatch):
    """Too large, or whatever it is: somebody must look at it."""
    monkeypatch.setattr(tables, "MOST", 2000)
    grading, students = made(3)
    students[0].submissions["90_double"].answers["double"] += "#" * 3000
    students[1].submissions["90_double"].answers["double"] = None
    grading.grade(students)
    assert statuses(grading) == {"student 00": "look", "student 01": "look", "student 02": "graded"}
    assert sorted(grading.done) == ["student 00", "student 01", "student 02"]


def test_what_the_lab_could_not_do_there_is_told_as_if_it_was_here(made):
    """The same row as on one machine, for an error that is nobody's."""
    grading, students = made(2, {0: Outcome.nothing(RuntimeError())})
    found = grading.grade(students)
    here, _ = made(2, out="here")
    here.coordinator.jobs.close()
    Grader(here.book).give_up(students[0], RuntimeError())
    assert statuses(grading)["student 00"] == "look"
    (mine,) = (row for row in grading.book.rows() if row.student == "student 00")
    (theirs,) = here.book.rows()
    assert mine.entries == theirs.entries
    assert found


def test_an_outcome_that_is_damaged_costs_one_student(made, connection):
    """Somebody must look at it; the others have their marks."""
    grading, students = made()
    flush = grading.jobs.flush

    def flush_and_damage():
        flush()
        connection.execute(
            "UPDATE labkit_grading_1.content SET body = 'x' WHERE hash = (SELECT min(result) FROM labkit_grading_1.job)"
        )

    grading.jobs.flush = flush_and_damage
    grading.grade(students)
    assert sorted(statuses(grading).values()) == ["graded", "look"]


def test_what_others_were_found_is_in_the_book_before_the_instructor_is_told_what_to_mend(made, connection):
    """Who asks again asks only for what is missing."""
    grading, students = made(3, {1: Outcome(refused="criteria.toml cannot be used")})
    with pytest.raises(UsageError, match="cannot be used"):
        grading.grade(students)
    assert sorted(grading.done) == ["student 00", "student 02"]
    assert left(connection) == [0, 0, 0]
    again, students = made(3)
    again.grade(students)
    assert set(statuses(again).values()) == {"graded"}


def test_the_command_keeps_what_it_has_when_it_is_refused(connection, database_url, tmp_path, monkeypatch):
    """Also into a folder that was not there before: the same command asks only for what is missing."""
    known = exercises(make_criteria(tmp_path / "criteria"))
    for each in range(2):
        hand_in(tmp_path / "class", f"student {each}", f"{RIGHT}# {each}\n")
    dsn, password = without_password(database_url)
    monkeypatch.setenv("PGPASSWORD", password)
    monkeypatch.setattr(database, "forget_secrets", lambda: None)
    monkeypatch.setattr(guarantees, "missing", list)
    flush, asked, outcomes = Jobs.flush, [], {1: Outcome(refused="no room")}

    def flush_and_answer(jobs):
        flush(jobs)
        asked.append(answer(connection, known, outcomes))

    monkeypatch.setattr(Jobs, "flush", flush_and_answer)
    command = ["grade", str(tmp_path / "class"), "--criteria", str(tmp_path / "criteria"), "--marks-only", "--on", dsn]
    assert main([*command, "--out", str(tmp_path / "out")]) == 2
    assert list(Book(tmp_path / "out", tmp_path / "criteria").kept.rows()) == ["student 0"]
    outcomes.clear()
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    assert asked == [2, 1]


def test_a_grading_that_somebody_drops_is_not_waited_for(made, connection, monkeypatch):
    """Though nobody may: by hand one can."""
    monkeypatch.setattr("labkit.grading.distributed.coordinator.LONELY", 0)
    grading, students = made(2, {0: None, 1: None})
    flush = grading.jobs.flush

    def flush_and_drop():
        flush()
        tables.drop_grading(connection, tables.gradings(connection)[0][0])

    grading.jobs.flush = flush_and_drop
    with pytest.raises(UsageError, match="somebody has dropped this grading"):
        grading.grade(students)


def test_a_grading_that_somebody_drops_while_it_is_handed_out_costs_no_student_anything(made, connection, monkeypatch):
    """Nobody is given up for it."""
    monkeypatch.setattr("labkit.grading.distributed.jobs.BATCH", 1)
    grading, students = made(3)
    flush = grading.jobs.flush

    def drop_and_flush():
        tables.drop_grading(connection, tables.gradings(connection)[0][0])
        flush()

    grading.jobs.flush = drop_and_flush
    with pytest.raises(UsageError, match="somebody has dropped this grading"):
        grading.grade(students)
    assert grading.done == []
    assert statuses(grading) == {}


class StoppedError(BaseException):
    """As when the coordinator is killed."""


def stop(grading, students):
    """Grade, and be killed when all is handed out."""
    flush = grading.jobs.flush

    def flush_and_stop():
        flush()
        raise StoppedError

    grading.jobs.flush = flush_and_stop
    with pytest.raises(StoppedError):
        grading.grade(students)


def test_one_that_was_interrupted_and_begun_again_leaves_nothing_behind(made, connection):
    """Nobody judges for nobody."""
    stop(*made(2, {0: None, 1: None}))
    ((first, *_),) = tables.gradings(connection)
    stop(*made(2, {0: None, 1: None}, again=True))
    ((second, *_),) = tables.gradings(connection)
    assert first != second
    grading, students = made(2, {})
    connection.execute("UPDATE labkit_grading_1.job SET attempt = 0")
    grading.grade(students)
    assert left(connection) == [0, 0, 0]


def test_whose_was_begun_twice_is_told_also_after_the_coordinator_was_killed(made, connection):
    """By the one that goes on."""
    grading, students = made(2)
    flush = grading.jobs.flush

    def flush_twice():
        flush()
        connection.execute("UPDATE labkit_grading_1.job SET attempt = 2")

    grading.jobs.flush = flush_twice

    def done(_name):
        raise StoppedError

    grading.coordinator.done = done
    with pytest.raises(StoppedError):
        grading.grade(students)
    again, students = made(2)
    again.grade(students)
    assert f"{TWICE}: student 00, student 01" in again.said


def test_a_copy_of_a_book_whose_grading_is_waited_for_has_one_of_its_own(made, connection, monkeypatch, tmp_path):
    """Two would take results from each other."""
    monkeypatch.setattr("labkit.grading.distributed.jobs.MISSED", 1)
    grading, students = made(2, {0: None, 1: None})
    stop(grading, students)
    ((first, *_),) = tables.gradings(connection)
    shutil.copytree(tmp_path / "out", tmp_path / "copy")
    copy, students = made(out="copy")
    while not lease.locked(connection, lease.COORDINATORS, first):
        pass
    copy.grade(students)
    assert set(statuses(copy).values()) == {"graded"}
    assert "Somebody waits for this grading" in copy.said[0]
    assert [grading for grading, *_ in tables.gradings(connection)] == [first]


def test_who_comes_back_and_finds_somebody_else_waiting_is_told_so(made, connection, monkeypatch):
    """Two would take results from each other."""
    monkeypatch.setattr(lease, "MISSED", 1)
    grading, students = made(2, {0: None, 1: None})
    flush = grading.jobs.flush

    def flush_and_lose():
        flush()
        ((of, *_),) = tables.gradings(connection)
        connection.execute(CUT_OFF)
        while not lease.locked(connection, lease.COORDINATORS, of):
            pass

    grading.jobs.flush = flush_and_lose
    with pytest.raises(UsageError, match="somebody else goes on"):
        grading.grade(students)


def test_other_criteria_are_another_request(made, tmp_path, connection):
    """The hash of the list of files travels with the job: nobody is judged by what came later."""
    grading, students = made(1, {0: None})
    stop(grading, students)
    (first,) = requests(connection)
    code = tmp_path / "criteria" / "criteria" / "90_double.py"
    code.write_text(code.read_text() + "\n# changed\n")
    stop(*made(1, {0: None}))
    both = requests(connection)
    assert len(both) == 2
    assert len({each.criteria for each in both}) == 2
    assert first.criteria in {each.criteria for each in both}


def requests(connection):
    """What is asked for."""
    rows = connection.execute("SELECT grading, request FROM labkit_grading_1.job").fetchall()
    return [Request.model_validate_json(tables.content(connection, *row)) for row in rows]
