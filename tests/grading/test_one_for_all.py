"""One submission never stops another: whatever fails, at whatever step, costs that submission alone."""

import json
import signal
from contextlib import closing
from itertools import cycle

import pytest
from failing_steps import ERRORS, STEPS, assert_costs_one_submission, class_of_two, rows
from own_class import RIGHT
from rest import rest_is_long

from labkit.grading.gradebook.book import Book
from labkit.grading.gradebook.student import Student
from labkit.grading.judge.judge import Status
from labkit.grading.sandbox.warm import Servers


@pytest.fixture
def where(tmp_path):
    """Ada's and Eve's class."""
    return class_of_two(tmp_path)


@pytest.mark.parametrize(("step", "error"), rest_is_long(zip(STEPS, cycle(ERRORS)), 8))
def test_an_exception_at_any_step_costs_one_submission(where, monkeypatch, step, error):
    """The first steps, each by another error; `make long` has each error at each step."""
    assert_costs_one_submission(where, monkeypatch, step, error)


@pytest.mark.parametrize("times", [1, 2])
def test_what_the_lab_could_not_do_is_tried_again_and_not_journalled(where, monkeypatch, times):
    """A judge that dies once costs nothing; one that dies twice is told, and the same command judges anew."""
    judge, died = Servers.judge, []

    def dying(self, request, room):
        if "Eve" in request.submission.answers["double"] and len(died) < times:
            died.append(1)
            return -signal.SIGKILL, b""
        return judge(self, request, room)

    monkeypatch.setattr(Servers, "judge", dying)
    book = Book(where / "out", where / "criteria", run_notebooks=False)
    assert rows(where, book)["Eve"] == (("graded", "3") if times == 1 else ("look", "0"))
    journals = [path.read_text() for path in (where / "out/.state/task").glob("*.json")]
    assert (len(journals), "exit status" in json.dumps(journals)) == (2, False)
    assert rows(where, book) == {"Ada": ("graded", "3"), "Eve": ("graded", "3")}


def test_a_crash_lab_that_dies_is_no_verdict(where):
    """The zygote's death is the lab's own: the case is not judged, and is judged when the next one lives."""
    from labkit.crash.client import CLIENT
    from labkit.grading.judge.criteria import exercises
    from labkit.grading.judge.judge import judge
    from labkit.grading.notebook.submission import Submission

    exercise = exercises(where / "criteria")["90_double"]
    submission = Submission(answers={"double": RIGHT.replace("return", "import os, signal\n    return")})
    killed = Submission(
        answers={"double": RIGHT.replace("return", "import os\n    os.kill(os.getppid(), 9)\n    return")}
    )
    with closing(CLIENT):
        first = judge(exercise, killed, exercise.cases).verdicts[0]
        assert (first.status, "own process ended" in first.what) in {(Status.LOOK, True), (Status.FAIL, False)}
        assert judge(exercise, submission, exercise.cases).met == 2


def test_a_database_server_that_died_judged_nobody(where, monkeypatch):
    """Whatever the answer got then is not kept."""
    sound = iter([False, True])
    real = Student._judge

    def judged(self, stem, desk):
        monkeypatch.setitem(vars(desk), "sound", lambda: "Ada" in self.name or next(sound, True))
        return real(self, stem, desk)

    monkeypatch.setattr(Student, "_judge", judged)
    book = Book(where / "out", where / "criteria", enclosed=False, run_notebooks=False)
    assert rows(where, book) == {"Ada": ("graded", "3"), "Eve": ("graded", "3")}
    assert next(sound, None) is None
