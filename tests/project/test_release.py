"""What students get has all that they need, and nothing that tells them answers."""

import json
import os
import subprocess
import sys

import pytest

from labkit.cli import main
from labkit.repository import root

SOLUTION = root() / "solutions/01_file_storage.ipynb"
TOP = {
    ".binder", ".devcontainer", ".gitignore", ".release.json", "LICENSE", "Makefile", "README.md", "docs",
    "environment.yml", "exercises", "labkit", "notebooks", "pyproject.toml", "requirements.lock",
}  # fmt: skip


@pytest.fixture
def released(tmp_path):
    """A release, in a folder with a space in its name."""
    folder = tmp_path / "for students"
    assert main(["release", str(folder)]) == 0
    return folder


def names(folder):
    """All its files."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_it_has_what_students_need_and_nothing_else(released):
    """Every chapter, every exercise with its cases; no solution, no test, no tool; nothing that an editor left."""
    assert {path.name for path in released.iterdir()} == TOP
    for folder, pattern in [("notebooks", "*.ipynb"), ("exercises", "*.ipynb"), ("exercises/criteria", "*.py")]:
        ours = {path.name for path in (root() / folder).glob(pattern)}
        assert {path.name for path in (released / folder).glob(pattern)} == ours
    assert not [name for name in names(released) if "__pycache__" in name or "-checkpoint." in name]
    notebooks = [path.read_text("utf-8") for path in released.rglob("*.ipynb")]
    assert not [text for text in notebooks if "BEGIN SOLUTION" in text]


def test_git_takes_in_what_students_write(released):
    """work/ is where they hand in from: it is not ignored; what tools make is."""
    subprocess.run(["git", "init", "-q"], cwd=released, check=True)
    for name, ignored in {"work/exercises/01_file_storage.ipynb": False, ".venv/made": True}.items():
        found = subprocess.run(["git", "check-ignore", "-q", name], cwd=released, check=False)
        assert (found.returncode == 0) == ignored


def of_the_release(released, *command):
    """A command in the release, with the release's own labkit."""
    environment = {**os.environ, "PYTHONPATH": str(released)}
    return subprocess.run(command, cwd=released, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_lab_and_the_judge_work_in_it(released):
    """`make lab` has all that it is made of, and `labkit check` judges by the release's own cases."""
    assert of_the_release(released, "make", "--dry-run", "lab").returncode == 0
    main_of_it = "import sys; from labkit.cli import main; sys.exit(main())"
    where = of_the_release(released, sys.executable, "-c", "from labkit.repository import root; print(root())")
    assert where.stdout.strip() == str(released)
    judged = of_the_release(released, sys.executable, "-c", main_of_it, "check", "01.stays_completed", str(SOLUTION))
    assert "1 of 1 cases met" in judged.stdout


@pytest.mark.long
@pytest.mark.slow
def test_a_student_checks_an_exercise_in_it(released):
    """The lab makes their copies there, and in a kernel of one, `check` judges the answers that they have written."""
    main_of_it = "import sys; from labkit.cli import main; sys.exit(main())"
    made = of_the_release(released, sys.executable, "-c", main_of_it, "lab", "--copy")
    assert "New in work/: 00_start_here, 01_file_storage" in made.stdout, made.stderr
    copy = released / "work/exercises/01_file_storage.ipynb"
    notebook, solved = json.loads(copy.read_text("utf-8")), json.loads(SOLUTION.read_text("utf-8"))
    answers = {cell["id"]: cell["source"] for cell in solved["cells"]}
    for cell in notebook["cells"]:
        cell["source"] = answers.get(cell["id"], cell["source"])
    copy.write_text(json.dumps(notebook), "utf-8")
    run = of_the_release(
        released, sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", copy
    )
    assert run.returncode == 0, run.stderr
    said = [output for cell in json.loads(copy.read_text("utf-8"))["cells"] for output in cell.get("outputs", [])]
    assert "6 of 6 cases met" in json.dumps(said)


def test_the_next_release_takes_the_place_of_an_earlier_one(released):
    """What is no longer released goes; what students or git have put beside it stays."""
    (released / "exercises/01_file_storage.ipynb").unlink()
    (released / "notebooks/gone.ipynb").write_text("{}")
    manifest = released / ".release.json"
    manifest.write_text(manifest.read_text().replace("[", '["notebooks/gone.ipynb",', 1))
    (released / "work").mkdir()
    (released / "work/mine.ipynb").write_text("{}")
    before = names(root() / "exercises")
    assert main(["release", str(released)]) == 0
    assert (released / "exercises/01_file_storage.ipynb").exists()
    assert not (released / "notebooks/gone.ipynb").exists()
    assert (released / "work/mine.ipynb").exists()
    assert names(root() / "exercises") == before


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (
            lambda folder: (folder.mkdir(), (folder / "thesis.tex").touch()),
            "holds thesis.tex, and is no earlier release",
        ),
        (lambda folder: folder.touch(), "is no folder: choose another name"),
    ],
)
def test_nothing_else_is_overwritten(tmp_path, capsys, make, complaint):
    """One line, exit status 2, and nothing written."""
    make(tmp_path / "there")
    before = names(tmp_path)
    assert main(["release", str(tmp_path / "there")]) == 2
    assert complaint in capsys.readouterr().err
    assert names(tmp_path) == before


def test_it_is_not_written_into_the_repository(capsys):
    """It would be a copy of itself."""
    assert main(["release", str(root() / "released")]) == 2
    assert "lies in the repository" in capsys.readouterr().err
    assert not (root() / "released").exists()
