"""A class that is graded in seconds: an instructor's own exercise, and notebooks that answer it."""

import json
from pathlib import Path

from labkit.grading.gradebook.handed_in import Reading
from labkit.grading.gradebook.student import Student
from labkit.grading.judge.criteria import find
from labkit.grading.judge.judge import Result, Status, Verdict

RIGHT = "# answer: double\ndef double(number):\n    return 2 * number\n"
WRONG = "# answer: double\ndef double(number):\n    return number\n"
CRITERIA = """
[exercises.90_double]
title = "Twice as much"

[exercises.90_double.signatures]
double = "double(number) -> float: twice the number"

[exercises.90_double.replaces]

[[exercises.90_double.cases]]
id = "doubles"
criterion = "sums"
title = "a number comes back twice as large"
marks = 2
answers = ["double"]
next = "What is twice one?"
hints = ["Multiply."]

[[exercises.90_double.cases]]
id = "doubles_none"
criterion = "zeros"
title = "nothing stays nothing"
marks = 1
answers = ["double"]
depends_on = ["doubles"]
next = "What is twice nothing?"
hints = ["Multiply."]
"""
JUDGE = """
from functools import partial

from labkit import trial


def doubles(program, rng):
    number = rng.randint(1, 1000)
    _expect(program, number, 2 * number)


def doubles_none(program, rng):
    _expect(program, 0, 0)


def _expect(program, number, expected):
    seen = trial(partial(_doubled, program, number))
    assert seen.how == "returned", f"double({number}) {seen.failure}"
    assert seen.value == expected, f"double({number}) returned {seen.value}; expected {expected}"


def _doubled(program, number):
    return program["double"](number)
"""


def cell(id_, source, kind="code", **more):
    """A cell of a notebook."""
    code = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "id": id_, "metadata": {}, "source": source, **code, **more}


def notebook(*cells):
    """A notebook as it is stored."""
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return {"cells": list(cells), "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}


def cells(answer):
    """The cells of the exercise with this answer in it."""
    return [
        cell("given", "import math", metadata={"tags": ["given"]}),
        cell("start", "from labkit import check"),
        cell("double", answer),
        cell("check-doubles", 'check("90.doubles")'),
        cell("use", "print(double(4))"),
        cell("check-all", 'check("90_double")'),
    ]


def make_criteria(folder: Path) -> Path:
    """An instructor's folder with one exercise."""
    (folder / "criteria").mkdir(parents=True)
    (folder / "criteria.toml").write_text(CRITERIA)
    (folder / "criteria" / "90_double.py").write_text(JUDGE)
    stub = '# answer: double\ndef double(number):\n    raise NotImplementedError("exercise 90: double")\n'
    (folder / "90_double.ipynb").write_text(json.dumps(notebook(*cells(stub))))
    return folder


def add_exercise(folder: Path) -> Path:
    """Give the instructor's folder a second exercise, 91_treble, whose answer is another one."""
    for name in "criteria.toml", "criteria/90_double.py", "90_double.ipynb":
        text = trebled((folder / name).read_text())
        path = folder / name.replace("90_double", "91_treble")
        path.write_text(path.read_text() + text if path.exists() else text)
    return folder


def trebled(text: str) -> str:
    """What is written for 90_double, for 91_treble."""
    return text.replace("2 * number", "3 * number").replace("90", "91").replace("double", "treble")


def quickly(monkeypatch) -> list[tuple[str, str]]:
    """Have answers judged at once, by their text alone; whose exercise was judged, in order."""
    judged = []
    real = Student._judge

    def judge(request):
        exercise, cases = find(request.name, request.criteria)
        right = "* number" in request.submission.answers[exercise.stem[3:]]
        verdicts = [Verdict.of(case, Status.PASS if right else Status.FAIL, "" if right else "wrong") for case in cases]
        result = Result(stem=exercise.stem, title=exercise.title, seed=request.seed, verdicts=verdicts)
        return 0, result.model_dump_json().encode()

    monkeypatch.setattr("labkit.grading.gradebook.student._judge_apart", judge)
    monkeypatch.setattr(
        Student, "_judge", lambda self, stem, desk: judged.append((self.name, stem[:2])) or real(self, stem, desk)
    )
    return judged


def hand_in(folder: Path, student: str, answer: str, name: str = "90_double.ipynb") -> Path:
    """Put a student's notebook into the class's folder."""
    path = folder / student / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook(*cells(answer))))
    return path


def everything(folder: Path) -> dict[str, bytes]:
    """All that was written for people, by name."""
    paths = [path for path in folder.rglob("*") if path.is_file() and ".state" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def find_handed(folder: Path, known, servers=None):
    """What was handed in, by students: read in this process, or by readers that `servers` fork."""
    reading = Reading(folder, known, servers)
    return [reading.handed(bundle, number) for number, bundle in enumerate(reading.bundles())]
