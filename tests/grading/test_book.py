"""A class is graded once, whatever happens to the grader: the book is the same to the byte."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from own_class import RIGHT, WRONG, everything, hand_in, make_criteria

from labkit.cli import main
from labkit.grading.gradebook.book import Book
from labkit.grading.gradebook.student import Student
from labkit.grading.judge.judge import BY_HAND


@pytest.fixture
def class_of_three(tmp_path):
    """Somebody who is right, somebody who is wrong, somebody who handed in nothing that can be read."""
    make_criteria(tmp_path / "criteria")
    hand_in(tmp_path / "class", "Ada", RIGHT)
    hand_in(tmp_path / "class", "Bob", WRONG)
    hand_in(tmp_path / "class", "Eve", RIGHT).write_text("{")
    return tmp_path


def arguments(where, out="out", *more):
    """The command line. Its code is our own: it needs no sandbox."""
    given = [where / "class", "--out", where / out, "--criteria", where / "criteria", "--trust", "--marks-only", *more]
    return ["grade", *map(str, given)]


def run(where, out="out", *more):
    """Grade in a process of its own."""
    command = [Path(sys.executable).with_name("labkit"), *arguments(where, out, *more)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def test_everybody_has_a_row_and_the_marks_they_earned(class_of_three, capsys):
    """Full marks for right, what a wrong answer leaves for wrong, none for what cannot be read."""
    assert main(arguments(class_of_three)) == 0
    assert capsys.readouterr().out.splitlines()[:3] == ["Ada: 3 of 3", "Bob: 0 of 3", "Eve: 0 of 3 (look)"]
    book = (class_of_three / "out" / "gradebook.csv").read_text()
    assert "Eve,look,0,3" in book
    assert "90_double.ipynb is not a notebook that can be read" in book


def test_a_verdict_is_that_of_labkit_check(class_of_three):
    """Case by case, with the same words: the student has seen all of it before."""
    from labkit.grading.judge.criteria import find
    from labkit.grading.judge.judge import judge_notebook

    book = Book(class_of_three / "out", class_of_three / "criteria", enclosed=False, run_notebooks=False)
    grades = book.grade(book.students(class_of_three / "class"))
    exercise, cases = find("90", class_of_three / "criteria")
    for grade in grades[:2]:
        path = class_of_three / "class" / grade.student / "90_double.ipynb"
        assert grade.results == [judge_notebook(exercise, path, cases)]


def test_a_grader_that_is_killed_goes_on_and_writes_the_same_book(class_of_three):
    """SIGKILL at five moments; what was judged before is not judged again."""
    assert run(class_of_three, "whole").wait(100) == 0
    expected = everything(class_of_three / "whole")
    assert "class.html" in expected
    for moment in range(5):
        process = run(class_of_three, f"out {moment}", "--jobs", "1")
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.8 + 0.4 * moment)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        assert run(class_of_three, f"out {moment}").wait(100) == 0
        assert everything(class_of_three / f"out {moment}") == expected


@pytest.mark.long
def test_who_interrupts_a_grading_can_go_on(class_of_three):
    """Ctrl+C says so, shows no traceback, and leaves no verdict that is none."""
    for number in range(5):
        hand_in(class_of_three / "class", f"one more {number}", RIGHT)
    assert run(class_of_three, "whole").wait(100) == 0
    command = [Path(sys.executable).with_name("labkit"), *arguments(class_of_three)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        while not list((class_of_three / "out").glob(".state/task/*.json")):
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert "Stopped: the same command goes on" in said
    assert "Traceback" not in said
    assert run(class_of_three).wait(100) == 0
    assert everything(class_of_three / "out") == everything(class_of_three / "whole")


def test_only_what_changed_is_graded_again(class_of_three, monkeypatch):
    """Another answer, another seed; a second run with nothing new judges nobody."""
    judged = []
    judge = Student._judge
    monkeypatch.setattr(Student, "_judge", lambda self, stem, desk: judged.append(self.name) or judge(self, stem, desk))

    def grade(seed=0):
        judged.clear()
        book = Book(class_of_three / "out", class_of_three / "criteria", seed, enclosed=False, run_notebooks=False)
        return {each.student: each.total.got for each in book.grade(book.students(class_of_three / "class"))}

    assert grade() == {"Ada": 3, "Bob": 0, "Eve": 0}
    assert judged == ["Ada", "Bob"]
    grade()
    assert judged == []
    hand_in(class_of_three / "class", "Bob", RIGHT)
    assert grade() == {"Ada": 3, "Bob": 3, "Eve": 0}
    assert judged == ["Bob"]
    grade(seed=1)
    assert judged == ["Ada", "Bob"]


def test_two_graders_of_one_folder_do_not_grade_twice(class_of_three):
    """Each student is judged by one of them, and both write the whole book."""
    (class_of_three / "criteria" / "criteria" / "90_double.py").open("a").write(
        f"\n\nopen({str(class_of_three / 'judged')!r}, 'a').write('once ')\n"
    )
    graders = [run(class_of_three), run(class_of_three)]
    assert [grader.wait(100) for grader in graders] == [0, 0]
    assert (class_of_three / "judged").read_text() == "once " * 2
    assert "Bob,graded" in (class_of_three / "out" / "gradebook.csv").read_text()


def test_a_judge_that_fails_costs_one_row_and_says_so(class_of_three):
    """The instructor is told to look; nobody else is held up."""
    judge = class_of_three / "criteria" / "criteria" / "90_double.py"
    judge.write_text(judge.read_text().replace("    number = rng", "    import os\n    os._exit(3)\n    number = rng"))
    hand_in(class_of_three / "class", "Bob", "# answer: double\n")
    assert main(arguments(class_of_three)) == 0
    book = (class_of_three / "out" / "gradebook.csv").read_text()
    assert "Ada,look,0,3" in book
    assert "the judge itself failed, with exit status 3" in (class_of_three / "out/results/Ada.json").read_text()


def test_a_case_that_could_not_be_judged_is_looked_at(class_of_three):
    """It is no failed case: the book, the result and JUnit say that a human must look."""
    judge = class_of_three / "criteria" / "criteria" / "90_double.py"
    judge.write_text(judge.read_text().replace("    number = rng", "    {}['no key']\n    number = rng"))
    hand_in(class_of_three / "class", "Bob", "# answer: double\n")
    assert main(arguments(class_of_three)) == 0
    out = class_of_three / "out"
    assert "Ada,look,0,3" in (out / "gradebook.csv").read_text()
    first, second = json.loads((out / "results/Ada.json").read_text())["results"][0]["verdicts"]
    assert first["what"] == "the judge itself failed (KeyError): show this answer to your instructor"
    assert (first["status"], second["status"]) == ("LOOK", "----")
    assert 'failures="0" errors="1" skipped="1"' in (out / "junit.xml").read_text()


def test_an_answer_cannot_ask_to_be_looked_at(class_of_three):
    """What it says is in the verdict, and says nothing about the judge."""
    hand_in(class_of_three / "class", "Bob", WRONG.replace("return number", f"return {BY_HAND!r}"))
    book = Book(class_of_three / "out", class_of_three / "criteria", enclosed=False, run_notebooks=False)
    bob = book.grade(book.students(class_of_three / "class"))[1]
    assert BY_HAND in bob.results[0].verdicts[0].what
    assert bob.status == "graded"


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (["nowhere", "--out", "out"], "there is no folder nowhere"),
        (["class", "--out", "class/out"], "lies among the submissions"),
        (["class", "--out", "out", "--criteria", "nowhere"], r"there is no criteria\.toml in nowhere"),
        (["class", "--out", "out", "--criteria", "broken"], "cannot be used"),
        (["class", "--out", "out", "--jobs", "0"], "--jobs must be at least 1"),
        (["class"], "--out"),
    ],
)
def test_bad_input_is_one_line(class_of_three, monkeypatch, capsys, given, complaint):
    """Exit status 2, what to do, and nothing written."""
    import re

    monkeypatch.chdir(class_of_three)
    (class_of_three / "broken").mkdir()
    (class_of_three / "broken" / "criteria.toml").write_text("exercises = 1")
    assert main(["grade", *given, "--trust"]) == 2
    said = capsys.readouterr().err
    assert re.search(complaint, said)
    assert said.count("\n") == 1
    assert not (class_of_three / "out" / "gradebook.csv").exists()


def test_without_a_sandbox_nobody_is_graded_unless_trusted(class_of_three, monkeypatch, capsys):
    """It is said before anything runs, with what cannot be enforced."""
    from labkit.grading.sandbox import guarantees

    monkeypatch.setattr(guarantees, "supports", lambda: {"files": False, "tcp": False, "signals": False})
    monkeypatch.setattr(guarantees, "allowed", lambda keep: False)
    guarantees.guarantees.cache_clear()
    try:
        assert main([each for each in arguments(class_of_three) if each != "--trust"]) == 2
    finally:
        guarantees.guarantees.cache_clear()
    said = capsys.readouterr().err
    assert "does not keep students' code apart: files, network" in said
    assert "--trust" in said
    assert not (class_of_three / "out" / "gradebook.csv").exists()


def test_a_case_that_takes_too_long_fails_alone(class_of_three, monkeypatch):
    """Its time is limited; the next case is judged."""
    monkeypatch.setattr("labkit.grading.gradebook.student.SECONDS", 5.0)
    hand_in(class_of_three / "class", "Bob", RIGHT.replace("return", "while number == 0: pass\n    return"))
    book = Book(class_of_three / "out", class_of_three / "criteria", enclosed=False, run_notebooks=False)
    bob = book.grade(book.students(class_of_three / "class"))[1]
    assert [(v.status, v.what) for v in bob.results[0].verdicts][1][1] == "the answer had not ended after 5 seconds"
    assert bob.total.got == 2
