"""One submission never stops another: whatever fails, at whatever step, costs that submission alone."""

import json
import pkgutil
import signal
from contextlib import closing

import pytest
from own_class import RIGHT, hand_in, make_criteria

from labkit.grading.gradebook import exports
from labkit.grading.gradebook.book import Book
from labkit.grading.gradebook.student import Student
from labkit.grading.judge.judge import Status
from labkit.grading.run_through.attempt import Attempt
from labkit.grading.sandbox.warm import Servers

STEPS = {
    "find": "labkit.grading.gradebook.handed_in:whose",
    "read": "labkit.grading.reader.reader:taken",
    "open": "labkit.grading.reader.reader:unpacked",
    "choose": "labkit.grading.reader.choice:_copies",
    "take out answers": "labkit.grading.reader.choice:submission_of",
    "compare": "labkit.grading.reader.reader:tokens",
    "check what was told": "labkit.grading.gradebook.handed_in:checked",
    "lock": "labkit.grading.gradebook.student:short",
    "know": "labkit.grading.gradebook.student:Student.told",
    "begin": "labkit.files:FileStateStore.insert",
    "journal": "labkit.files:FileStateStore.save",
    "lend": "labkit.grading.gradebook.grader:Room",
    "judge": "labkit.grading.gradebook.student:_judge_apart",
    "rebuild": "labkit.grading.gradebook.student:rebuilt",
    "run": "labkit.grading.run_through.attempt:Attempt.run",
    "results": "labkit.grading.gradebook.student:Student.entries",
    "when it was handed in": "labkit.grading.gradebook.student:handed_in",
    "add up": "labkit.grading.gradebook.rows:Row.grade",
    "export a page": "labkit.grading.gradebook.exports:student_page",
    "export the class": "labkit.grading.gradebook.exports:class_page",
    "export a table": "labkit.grading.gradebook.exports:gradebook",
    "export for Canvas": "labkit.grading.gradebook.exports:canvas",
    "export for Moodle": "labkit.grading.gradebook.exports:moodle",
    "export for JUnit": "labkit.grading.gradebook.exports:junit",
}
"""Each step of each stage: the function that does it, or begins it."""
HARMLESS = {"find", "lend"}
"""Where the step is about nobody's files: Eve's name alone is not understood, or a slot of hers."""
EVE = f"{RIGHT}# Eve\n"


@pytest.fixture
def where(tmp_path):
    """A class of Ada, who is right, and Eve."""
    make_criteria(tmp_path / "criteria")
    hand_in(tmp_path / "class", "Ada", RIGHT)
    hand_in(tmp_path / "class", "Eve", EVE)
    return tmp_path


def failing(real, error):
    """Raises where it is about Eve, and something of hers is to be done."""

    def do(*args, **more):
        if "Eve" in repr((args, more)) and "results=[]" not in repr(args):
            raise error
        return real(*args, **more)

    return do


def rows(where, book):
    """Grade and write the book: student → status and marks."""
    students = book.students(where / "class")
    grades = book.grade(students)
    exports.write_all(where / "out", grades, [], [])
    lines = (where / "out" / "gradebook.csv").read_text().splitlines()[2:]
    return {line.split(",")[0]: tuple(line.split(",")[1:3]) for line in lines}


@pytest.mark.parametrize("error", [RuntimeError("Eve"), MemoryError(), RecursionError(), UnicodeError(), KeyError("x")])
@pytest.mark.parametrize("step", STEPS)
def test_an_exception_at_any_step_costs_one_submission(where, monkeypatch, step, error):
    """Ada has her marks and the book is whole; somebody must look at Eve's."""
    monkeypatch.setattr(Attempt, "run", lambda self, *_: [])
    module, _, name = STEPS[step].partition(":")
    owner, _, name = name.rpartition(".")
    holder = pkgutil.resolve_name(f"{module}:{owner}" if owner else module)
    monkeypatch.setattr(holder, name, failing(getattr(holder, name), error))
    found = rows(where, Book(where / "out", where / "criteria", enclosed=False))
    assert found["Ada"] == ("graded", "3")
    assert found["Eve"][0] == ("graded" if step in HARMLESS else "look")


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
