"""Exercises never drift from their solutions, are unsolved, and are judged by cases that exist."""

import ast
import json
import os
import subprocess
import sys

import pytest
from rest import rest_is_long

from labkit.grading.judge.as_text import as_text
from labkit.grading.judge.criteria import criteria, exercises
from labkit.grading.judge.judge import Status, judge, judge_notebook
from labkit.grading.notebook.cells import read_notebook
from labkit.grading.notebook.submission import submission_from
from labkit.repository import root

ALL = exercises()
READY = {stem: exercise for stem, exercise in ALL.items() if exercise.cases}
LONGEST = "06_saga", "08_capstone", "10_events", "13_engines", "14_service"
"""Chapters that take more than a minute on two processors, and so are run by `make long`, as the solutions are."""


def stems(folder: str, ending: str = "ipynb") -> set[str]:
    """The names of the notebooks in a folder."""
    return {path.stem for path in (root() / folder).glob(f"*.{ending}")}


def notebook(name: str) -> list[dict]:
    """The cells of a notebook."""
    return json.loads((root() / name).read_text())["cells"]


def code(name: str) -> list[str]:
    """The sources of its code cells."""
    return ["".join(cell["source"]) for cell in notebook(name) if cell["cell_type"] == "code"]


def extra() -> set[str]:
    """The notebooks that have no mirror."""
    import tomllib

    return set(tomllib.loads((root() / "exercises/criteria.toml").read_text())["extra"]["notebooks"])


def test_exercises_are_what_the_solutions_make():
    """Regenerated in memory, every exercise equals the committed one."""
    done = subprocess.run(
        [sys.executable, root() / "tools/exercises.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"stale: {done.stdout}; run `make exercises`"


def test_no_file_is_unlisted():
    """One stem per chapter in all three folders; what has no mirror is listed."""
    assert stems("exercises") == stems("solutions") == set(READY) == stems("exercises/criteria", "py")
    assert stems("notebooks") == set(READY) | extra()
    assert {stem[:2] for stem in ALL} == {f"{number:02}" for number in (*range(1, 8), 9, 10, 11, 12, 13)}


@pytest.mark.parametrize("stem", READY)
def test_every_exercise_is_unsolved(stem):
    """Its answers are stubs that name their task, and the judge says TODO to every case."""
    exercise = READY[stem]
    submission = submission_from(read_notebook(exercise.notebook), {})
    for name, source in submission.answers.items():
        assert f'raise NotImplementedError("exercise {exercise.number}: {name}")' in source
        assert "SOLUTION" not in source
    result = judge(exercise, submission, exercise.cases)
    assert {verdict.status for verdict in result.verdicts} == {Status.TODO}


@pytest.mark.slow(seconds=15)
@pytest.mark.parametrize("stem", READY)
def test_every_solution_passes_everything(stem):
    """The judge says of it what its last check has said."""
    (last,) = [cell for cell in notebook(f"solutions/{stem}.ipynb") if "".join(cell["source"]) == f'check("{stem}")']
    result = judge_notebook(READY[stem], root() / f"solutions/{stem}.ipynb", READY[stem].cases)
    assert "".join(last["outputs"][0]["text"]) == as_text(result) + "\n"
    assert {verdict.status for verdict in result.verdicts} == {Status.PASS}


@pytest.mark.parametrize("stem", READY)
def test_answers_have_the_promised_signatures(stem):
    """What criteria.toml promises is what the notebook asks for."""
    exercise = READY[stem]
    assert set(exercise.stubs) == set(exercise.signatures)
    for name, signature in exercise.signatures.items():
        body = ast.parse(exercise.stubs[name].source).body
        functions = [node for node in body if isinstance(node, ast.FunctionDef)]
        asked = {node.name: [argument.arg for argument in node.args.args] for node in functions}
        asked |= {node.name: [] for node in body if isinstance(node, ast.ClassDef)}
        promised = ast.parse(f"def {signature.partition(':')[0].replace('…', '...')}: ...").body[0]
        assert asked[name] == [argument.arg for argument in promised.args.args]


@pytest.mark.parametrize("stem", READY)
def test_every_case_can_be_judged_and_explained(stem):
    """It has a function, a criterion of the course, hints, and depends only on cases before it."""
    exercise, seen = READY[stem], set()
    judges = exercise.judges()
    for case in exercise.cases:
        assert callable(judges[case.id])
        assert case.criterion in criteria()
        assert case.hints
        assert set(case.depends_on) <= seen
        assert set(case.answers) <= set(exercise.signatures)
        seen.add(case.id)


@pytest.mark.parametrize("stem", READY)
def test_what_an_answer_replaces_exists_in_labkit(stem):
    """Each exercise names the piece of labkit that its answer can stand in for."""
    import importlib

    for target in READY[stem].replaces.values():
        module, _, name = target.rpartition(".")
        assert hasattr(importlib.import_module(module), name)


SHORTER = sorted(stems("notebooks").difference(LONGEST))
NOTEBOOKS = [
    *(f"notebooks/{stem}.ipynb" for stem in (*SHORTER, *LONGEST)),
    *(f"solutions/{stem}.ipynb" for stem in sorted(stems("solutions"))),
]


def nbval(*arguments: object) -> subprocess.CompletedProcess[str]:
    """pytest with nbval, as an instructor runs it."""
    command = [sys.executable, "-m", "pytest", "-q", "--noconftest"]
    command += [f"-p{name}" for name in ("nbval.plugin", "pytest_timeout", "no:cacheprovider")]
    command += ["--timeout", "600"]  # of one cell: a busy machine changes no output, but takes its time
    env = {
        **os.environ,
        "LABKIT_WORK": str(root() / "tests"),  # whoever runs this may have answers in work/
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "yes",
    }
    return subprocess.run(
        [*command, "--nbval-current-env", *arguments], cwd=root(), env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.slow(seconds=60)
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", rest_is_long(NOTEBOOKS, len(SHORTER)))
def test_notebooks_do_what_they_show(name):
    """Strict nbval: every output of every chapter and solution is as committed."""
    done = nbval("--nbval", name)
    assert done.returncode == 0, done.stdout


@pytest.mark.long
@pytest.mark.slow(seconds=120)
@pytest.mark.timeout(600)
def test_an_unsolved_exercise_fails_at_its_checks_and_only_there():
    """In one line that a learner understands, with no traceback of ours."""
    done = nbval("--nbval-lax", "exercises")
    checks = [
        f"FAILED exercises/{stem}.ipynb::Cell {number}"
        for stem in sorted(READY)
        for number, source in enumerate(code(f"exercises/{stem}.ipynb"))
        if source.startswith("check(")
    ]
    failed = [line.partition(" - ")[0] for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert failed == checks
    report = done.stdout.partition("short test summary info")[0]  # the summary repeats it, at full length under CI
    assert report.count("CriteriaNotMet: 0 of") == len(checks)
    assert "labkit/" not in done.stdout
