"""Whether a notebook runs through is told cell by cell, whatever becomes of its kernel. It never touches a mark."""

import json
import re
import sys
from contextlib import closing, nullcontext

import pytest
from own_class import RIGHT, WRONG, make_criteria

from labkit.grading.judge.criteria import exercises
from labkit.grading.judge.judge import Result, Status, Verdict
from labkit.grading.notebook.submission import Submission
from labkit.grading.run_through import attempt
from labkit.grading.run_through.attempt import Attempt, checks, rebuilt
from labkit.grading.run_through.errand import CheckCell
from labkit.grading.sandbox.room import Room
from labkit.grading.sandbox.warm import Servers


@pytest.fixture
def exercise(tmp_path):
    """The exercise of the class."""
    return exercises(make_criteria(tmp_path / "criteria"))["90_double"]


def result(exercise, *statuses):
    """What a judge might have found."""
    verdicts = [
        Verdict(case=case.id, criterion=case.criterion, title="", marks=1, status=status, what="because")
        for case, status in zip(exercise.cases, statuses, strict=True)
    ]
    return Result(stem=exercise.stem, title="", seed=0, verdicts=verdicts)


@pytest.fixture(params=["trusted", *(["enclosed"] if sys.platform == "linux" else [])])
def run(request, exercise):
    """Tells what is told of a notebook with some answer that was judged in some way: trusted, and in the sandbox."""
    with closing(Servers()) if request.param == "enclosed" else nullcontext() as servers:

        def run(answer, *statuses):
            submission = Submission(answers={"double": answer})
            given = {exercise.stem: rebuilt(exercise, submission)}
            return Attempt(given, {exercise.stem: checks(exercise, result(exercise, *statuses))}).run(Room(0), servers)

        yield run


PASS, FAIL = Status.PASS, Status.FAIL
CELL = "90_double, code cell"
NOT_RUN = "not run: an earlier cell did not end, or ended the kernel"


def test_a_right_notebook_has_nothing_to_tell(run):
    """Every cell runs; check cells pass as they were judged."""
    assert run(RIGHT, PASS, PASS) == []


def test_what_the_judge_found_is_not_told_twice(run):
    """A check cell that fails is a verdict, not a cell that does not run."""
    assert run(WRONG, FAIL, FAIL) == []


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise ValueError('no')", [f"{CELL} 3: ValueError: no", f"{CELL} 5: NameError: name 'double' is not defined"]),
        (
            "import os; os._exit(0)",
            [f"{CELL} 3: the kernel died in this cell", f"{CELL} 5: {NOT_RUN}"],
        ),
        ("import sys; sys.exit()", [f"{CELL} 3: SystemExit", f"{CELL} 5: NameError: name 'double' is not defined"]),
    ],
    ids=["an error", "a dead kernel", "an exit"],
)
def test_a_cell_that_fails_is_named_with_its_reason(run, code, told):
    """And so is each that could not run for it; nothing is expected to fail, or skipped."""
    assert run(RIGHT.replace("\n", f"\n{code}\n", 1), PASS, PASS) == told


@pytest.mark.long
def test_a_cell_that_never_ends_is_interrupted_and_one_that_does_not_mind_is_ended(run, monkeypatch):
    """What follows the second is told as not run."""
    monkeypatch.setattr(attempt, "TIMEOUT", 2)
    loop = "while True:\n    pass\n"
    deaf = "while True:\n    try:\n        while True:\n            pass\n    except KeyboardInterrupt:\n        pass\n"
    told = run(RIGHT.replace("\n", f"\n{loop}", 1), PASS, PASS)
    assert told[0] == f"{CELL} 3: Timeout of 2 seconds exceeded executing cell"
    told = run(RIGHT.replace("\n", f"\n{deaf}", 1), PASS, PASS)
    assert "Failed to interrupt kernel" in told[0]
    assert told[1:] == [f"{CELL} 5: {NOT_RUN}"]


@pytest.mark.long
def test_notebooks_that_together_take_too_long_are_stopped(run, monkeypatch):
    """The reason is told."""
    monkeypatch.setattr(attempt, "SECONDS", 12)
    told = run(RIGHT.replace("\n", "\nimport time; time.sleep(60)\n", 1), PASS, PASS)
    missing, stopped = told
    assert re.fullmatch(r"90_double: [4-6] of its 6 code cells did not come to an end", missing)  # a kernel takes long
    assert stopped == "the notebooks were stopped: they had not ended after 12 seconds"


def test_the_notebook_that_is_run_is_the_instructors(exercise):
    """With the student's answers in it, and no outputs, tags or metadata."""
    made = rebuilt(exercise, Submission(answers={"double": RIGHT, "other": "x"}))
    given = json.loads(exercise.notebook.read_text())
    assert [cell["id"] for cell in made["cells"]] == [cell["id"] for cell in given["cells"]]
    assert [cell["source"] for cell in made["cells"] if cell["id"] == "double"] == [RIGHT]
    assert all(cell["outputs"] == [] and cell["metadata"] == {} for cell in made["cells"])


def test_a_check_of_a_whole_exercise_passes_if_all_its_cases_do(exercise):
    """And names the first that does not."""
    found = checks(exercise, result(exercise, PASS, FAIL))
    assert found == {
        "check-doubles": CheckCell("90.doubles", "PASS"),
        "check-all": CheckCell("90_double", "FAIL", "doubles_none: because"),
    }


def test_cells_that_did_not_come_to_an_end_are_counted(tmp_path):
    """As when a cell has ended what runs the notebook: what is missing is no success."""
    path = tmp_path / "outcomes"
    told = {"cell": 1, "name": "", "outcome": "passed", "reason": "", "judged": False}
    path.write_text("".join(json.dumps({**told, "notebook": name}) + "\n" for name in ("one", "one", "two")))
    missing = [
        "one: 2 of its 3 code cells did not come to an end",
        "three: 1 of its 1 code cells did not come to an end",
    ]
    assert attempt._told(path, "", {"one": 3, "two": 1, "three": 1}) == missing


@pytest.mark.parametrize("forged", ["", "{", '{"notebook": 1}', "\x00" * 10, "[]\n" * 10])
def test_what_the_sandbox_wrote_is_not_believed_blindly(tmp_path, forged):
    """It is somebody else's file: what cannot be understood is told as such."""
    path = tmp_path / "outcomes"
    path.write_text(forged)
    told = attempt._told(path, "", {})
    assert told == ([] if not forged else ["what became of the cells was not written down"])


def test_a_link_in_place_of_the_outcomes_is_not_followed(tmp_path):
    """Nor is a missing file more than a line."""
    (tmp_path / "secret").write_text("SECRET")
    (tmp_path / "outcomes").symlink_to(tmp_path / "secret")
    for name in ("outcomes", "nowhere"):
        assert attempt._told(tmp_path / name, "", {}) == ["what became of the cells was not written down"]
