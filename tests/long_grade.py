"""The whole corpus as a class, and a grader that is killed thirty times: for `make long`, not for `.ci/run`."""

import json
import os
import random
import re
import signal
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest
from criteria_suite import submission
from own_class import RIGHT, WRONG, everything, hand_in, make_criteria

from labkit.grading.book import Book
from labkit.grading.criteria import exercises
from labkit.grading.judge import Status
from labkit.grading.student import Student

ALL = exercises()
LABKIT = Path(sys.executable).with_name("labkit")


def corpus(stem):
    """Who hands in what: wrong answers with the case they break and what must be said, and right ones."""
    answers = import_module(f"answers.a{stem}")
    wrong = {f"wrong {n}": row for n, row in enumerate(answers.WRONG)}
    right = {f"right {n}": cells for n, cells in enumerate(answers.RIGHT.values())}
    return wrong, right


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("stem", ALL)
def test_a_class_of_all_wrong_and_right_answers_gets_its_marks(tmp_path, stem):
    """In the sandbox, a wrong answer loses the case it breaks, with the words it should read; a right one none."""
    wrong, right = corpus(stem)
    number = ALL[stem].number
    given = {name: row[3] for name, row in wrong.items()} | right
    book = Book(tmp_path, run_notebooks=False)
    students = [Student(name, {stem: submission(number, cells)}, [], ALL) for name, cells in given.items()]
    grades = {grade.student: grade for grade in book.grade(students, jobs=len(os.sched_getaffinity(0)))}
    for name in right:
        (result,) = grades[name].results
        assert [(v.case, v.what) for v in result.verdicts if v.status is not Status.PASS] == [], name
    for name, (what, case, message, _) in wrong.items():
        (verdict,) = [v for v in grades[name].results[0].verdicts if v.case == case]
        assert verdict.status is Status.FAIL, what
        stopped = "Operation not permitted" in verdict.what  # by the sandbox, before it did what the row is about
        assert stopped or re.search(message, verdict.what), (what, verdict.what)
        for other in ALL[stem].cases:
            if case in other.depends_on:
                (dependent,) = [v for v in grades[name].results[0].verdicts if v.case == other.id]
                unread = "not Python" in verdict.what or "is missing" in verdict.what  # then no case can be judged
                assert unread or dependent.status in {Status.NOT_JUDGED, Status.TODO}, (what, other.id)


@pytest.mark.timeout(3600)
def test_a_grader_that_is_killed_at_thirty_moments_writes_the_same_book(tmp_path):
    """Of each book thirty kills, one after the other, until it is whole; notebooks are run as well."""
    make_criteria(tmp_path / "criteria")
    for number in range(6):
        hand_in(tmp_path / "class", f"student {number}", WRONG if number % 2 else RIGHT)
    command = [LABKIT, "grade", tmp_path / "class", "--criteria", tmp_path / "criteria", "--out"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    assert subprocess.run([*command, tmp_path / "whole"], check=False, **quiet).returncode == 0
    rng = random.Random(30)
    for _ in range(30):
        with subprocess.Popen([*command, tmp_path / "killed"], **quiet) as process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(rng.uniform(0.5, 4))
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert subprocess.run([*command, tmp_path / "killed"], check=False, **quiet).returncode == 0
    assert everything(tmp_path / "killed") == everything(tmp_path / "whole")
    assert json.loads((tmp_path / "whole/results/student 0.json").read_text())["total"] == {"got": 3, "of": 3}
