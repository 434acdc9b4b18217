"""The corpus as a class, attackers where there are no namespaces, a grader that is killed 30 times: for `make long`."""

import csv
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from answers import informed
from answers.hostile import ATTACKS
from attacked import UNAPART, as_nobody, attackers, two_cases
from corpora import CORPORA, submission
from own_class import RIGHT, WRONG, everything, hand_in, make_criteria

from labkit.grading.gradebook.book import Book
from labkit.grading.gradebook.student import Student
from labkit.grading.judge.criteria import exercises
from labkit.grading.judge.judge import Status, judge
from labkit.repository import root

ALL = exercises()
LABKIT = Path(sys.executable).with_name("labkit")


def corpus(number):
    """Who hands in what: wrong answers with the case they break and what must be said, and right ones."""
    answers = CORPORA[number]
    wrong = {f"wrong {n}": row for n, row in enumerate(answers.WRONG)}
    right = {f"right {n}": cells for n, cells in enumerate(answers.RIGHT.values())}
    return wrong, right


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("stem", ALL)
def test_a_class_of_all_wrong_and_right_answers_gets_its_marks(tmp_path, stem):
    """In the sandbox, a wrong answer loses the case it breaks, with the words it should read; a right one none."""
    number = ALL[stem].number
    wrong, right = corpus(number)
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
@pytest.mark.parametrize("seed", range(2, 12))
@pytest.mark.parametrize("stem", ALL)
def test_the_solution_passes_whatever_the_inputs(stem, seed):
    """Inputs drawn from another seed than the notebooks' change nothing; `make test` takes one other."""
    result = judge(ALL[stem], submission(ALL[stem].number, []), ALL[stem].cases, seed)
    assert [(v.case, v.what) for v in result.verdicts if v.status is not Status.PASS] == []


@pytest.mark.timeout(3600)
def test_who_attacks_gets_no_more_where_there_are_no_namespaces():
    """Under Landlock alone, as an ordinary user: no more marks than for an honest wrong answer, and nothing reached."""
    with tempfile.TemporaryDirectory(prefix="labkit-grade-", dir="/var/tmp") as name:
        where = Path(name)
        canary = where / "canary"
        canary.mkdir()
        (canary / "secret").write_text("SECRET")
        two_cases(where / "criteria")
        attackers(where, 9)
        for each in (where, canary):
            each.chmod(0o777)
        given = ["grade", where / "class", "--criteria", where / "criteria", "--out", where / "out", "--marks-only"]
        done = subprocess.run(
            [*as_nobody(where, root()), sys.executable, "-P", "-c", UNAPART, *given],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "processes: enforced by a subreaper" in done.stderr
        rows = csv.DictReader((where / "out" / "gradebook.csv").read_text().splitlines())
        marks = {row["student"]: int(row["total"]) for row in rows if row["student"] in ATTACKS}
        assert set(marks) == set(ATTACKS)
        assert marks["an honest wrong answer"] == 1
        assert {attack for attack, got in marks.items() if got > 1} == set()
        assert [path.name for path in canary.iterdir()] == ["secret"]
        for path, data in everything(where / "out").items():
            assert b"SECRET" not in data, path


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
    assert json.loads((tmp_path / "whole/results/student 0.json").read_text())["total"]["got"] == 3


@pytest.mark.timeout(3600)
def test_whatever_of_a_grading_is_killed_the_book_is_the_same(tmp_path, monkeypatch):
    """The grader, its fork servers, keepers, judges, readers, zygotes, a database server: thirty of them, at random."""
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o711)
        monkeypatch.setenv("LABKIT_HOME", home)
        toml = make_criteria(tmp_path / "criteria") / "criteria.toml"
        toml.write_text(toml.read_text().replace('title = "Twice', 'database = true\ntitle = "Twice', 1))
        for number, attack in enumerate(QUICK):
            hand_in(tmp_path / "class", f"attack {number}", informed.answer(attack))
        hand_in(tmp_path / "class", "right", RIGHT)
        hand_in(tmp_path / "class", "wrong", WRONG)
        command = [LABKIT, "grade", tmp_path / "class", "--marks-only", "--criteria", tmp_path / "criteria", "--out"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
        assert subprocess.run([*command, tmp_path / "whole"], check=False, **quiet).returncode == 0
        rng = random.Random(19)
        for _ in range(30):
            with subprocess.Popen([*command, tmp_path / "killed", "--again"], **quiet) as process:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(rng.uniform(1, 8))
                with suppress(psutil.NoSuchProcess):
                    rng.choice(_of_the_lab(process.pid, Path(home))).kill()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(2)
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        assert subprocess.run([*command, tmp_path / "killed"], check=False, **quiet).returncode == 0
        assert everything(tmp_path / "killed") == everything(tmp_path / "whole")
        assert json.loads((tmp_path / "whole/results/right.json").read_text())["total"]["got"] == 3


QUICK = ["leaves a key", "JSON that nests deep", "has loaded programs", "traces its parent", "no number"]
"""Attacks that do not last."""


def _of_the_lab(grader, home):
    """The processes of a grading that run nothing of a student."""
    found = level = [psutil.Process(grader)]
    for _ in ("fork servers", "keepers", "judges, readers and zygotes"):
        level = [child for each in level for child in each.children()]
        found = [*found, *level]
    servers = [path.read_text().split()[0] for path in home.glob("grading-*/data/postmaster.pid")]
    return [*found, *(psutil.Process(int(pid)) for pid in servers)]
