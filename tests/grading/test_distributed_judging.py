"""What a worker has at hand to judge: tries twice as on one machine, and leaves no hidden case behind."""

import pytest
from own_class import RIGHT, make_criteria

from labkit.grading.distributed import judging
from labkit.grading.distributed.judging import Judging
from labkit.grading.distributed.messages import Request
from labkit.grading.gradebook.steps import Key
from labkit.grading.gradebook.student import Student
from labkit.grading.judge.criteria import exercises
from labkit.grading.notebook.submission import Submission
from labkit.repository import UsageError


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Something to judge with, and a request."""
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "home"))
    student = Student(
        "Ada", {"90_double": Submission({"double": RIGHT})}, [], exercises(make_criteria(tmp_path / "here"))
    )
    request = Request.of(student, "hash", {"90_double": Key("90_double a")}, {})
    judge = Judging()
    yield judge, request
    judge.close()


@pytest.mark.parametrize(("fails", "error"), [(1, None), (2, "RuntimeError")])
def test_what_the_lab_cannot_do_is_tried_twice(made, monkeypatch, fails, error):
    """The second time counts."""
    judge, request = made
    tries = []

    def steps(*_):
        tries.append(1)
        if len(tries) <= fails:
            raise RuntimeError
        return {}

    monkeypatch.setattr(judging, "do_steps", steps)
    judge.use("hash", make_criteria)
    outcome = judge.judge(request)
    assert len(tries) == 2
    assert (outcome.given_up.error if outcome.given_up else None) == error


def test_what_is_for_the_instructor_to_mend_is_told_at_once(made, monkeypatch):
    """A second try would not help."""
    judge, request = made

    def refuse(*_):
        raise UsageError("mend it")

    monkeypatch.setattr(judging, "do_steps", refuse)
    judge.use("hash", make_criteria)
    assert judge.judge(request).refused == "mend it"


def test_criteria_lie_where_nobody_else_looks_and_go_when_others_come(made, tmp_path):
    """Also those of a worker that was killed: whoever has its number next removes them."""
    judge, _ = made
    kept = tmp_path / "home" / "grade-worker-0"
    judge.use("hash", make_criteria)
    assert kept.stat().st_mode & 0o777 == 0o700
    assert (kept / "criteria.toml").exists()
    judge.use(None, make_criteria)
    assert not kept.exists()
    judge.use("hash", make_criteria)
    judge._lock.release()
    again = Judging()
    assert not kept.exists()
    again.close()
