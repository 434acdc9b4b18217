"""What a document says can be done is done here: every command of README and docs/, every worked example, every link.

The commands of a document run one after the other, in a folder that has what a class and its instructor have.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from documents import DOCUMENTS, anchors, blocks, commands, links, says, transcript
from rest import rest_is_long

from labkit.cli import main
from labkit.grading.sandbox.guarantees import missing
from labkit.repository import root

LONGEST = "README.md", "INSTRUCTORS.md", "CASES.md"
"""Documents whose commands take more than half a minute."""
SHORTEST_FIRST = sorted(DOCUMENTS, key=lambda path: path.name in LONGEST)
STANDS_FOR = {
    "SUBMISSIONS": "class", "WEEK3": "class", "DIR": "out", "BOOK": "book", "FOLDER": "mine", "NAME": "Ada",
    "FILE": "solutions/01_file_storage.ipynb",
}  # fmt: skip
GRADING = "postgresql://grader@db.example/grading"
ELSEWHERE = {
    "make lab": "test_the_lab_answers_with_the_start_page",
    "labkit lab": "test_users_share_a_repository_that_is_read_only",
    "labkit lab --port 8888": "test_a_taken_port_is_one_line",
    "LABKIT_WORK=~/lab labkit lab": "test_users_share_a_repository_that_is_read_only",
    "conda env create -f environment.yml": "test_the_packages_resolve",
    "conda activate labkit": "test_the_packages_resolve",
    "pip install -c requirements.lock -e .": "test_the_packages_resolve",
    "py -m venv .venv": "test_the_packages_resolve",
    "labkit grade-worker --on DSN": "test_two_machines_that_share_a_dsn_make_the_book_of_one",
    f"PGPASSWORD=… labkit grade-worker --on {GRADING}": "test_two_machines_that_share_a_dsn_make_the_book_of_one",
    f"PGPASSWORD=… labkit grade week3.zip --out book --on {GRADING}": (
        "test_two_machines_that_share_a_dsn_make_the_book_of_one"
    ),
    "labkit grade-status --on …": "test_gradings_and_workers_are_told_as_they_are",
    "python bench/scale.py": "test_the_page_about_scale_says_what_the_simulation_says",
}
"""What would not end, or would install: which test does it, or as much of it as can be done here."""
NAMES = {
    "labkit grade",
    "labkit grade --jobs 2",
    "labkit grade --on",
    "labkit grade-worker",
    "labkit check",
    "labkit criteria check",
}
"""What a text only names."""
STATUS = {
    "labkit doctor": {0, 1},  # as the machine is
    "labkit check 01": {1},  # nobody has solved it
    "labkit check 01.saves_whole": {1},
    "labkit db status": {0, 1},
    "pytest --nbval-lax --nbval-current-env exercises/01_file_storage.ipynb": {1},
}
BEFORE = {
    "GRADING.md": "labkit grade class --out book --only 03",
    "INSTRUCTORS.md": "labkit grade class --out book --only 03",
}
"""What has been done by the time that a document's commands are given."""
TIME = 240


@pytest.fixture
def place(tmp_path):
    """A folder with the course's exercises, of which the first is left, a class, and an appeal; commands run in it."""
    place, home = tmp_path / "place", Path(tempfile.mkdtemp(prefix="labkit-"))
    home.chmod(0o711)  # the server's user may be another
    (place / "book").mkdir(parents=True)
    for folder in ("exercises", "mine"):
        shutil.copytree(root() / "exercises", place / folder)
        table = place / folder / "criteria.toml"
        text = table.read_text("utf-8")
        table.write_text(text[: text.index("[exercises.02")], "utf-8")
    for folder in ("solutions", "class/Ada", "class/Bob", "theirs"):
        (place / folder).mkdir(parents=True)
        for stem in ("01_file_storage", "03_backoff"):
            shutil.copy(root() / f"solutions/{stem}.ipynb", place / folder)
    shutil.make_archive(str(place / "week3"), "zip", place / "class")
    yield Commands(place, home)
    subprocess.run(["labkit", "db", "stop"], env=Commands(place, home).environment, check=True, capture_output=True)
    shutil.rmtree(home)


class Commands:
    """A shell in the folder: what it says, and the exit status."""

    def __init__(self, place, home):
        self.place = place
        path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
        mine = {"PATH": path, "HOME": str(place.parent), "LABKIT_HOME": str(home), "LABKIT_WORK": str(place / "work")}
        dropped = {"LABKIT_DSN", "COLUMNS", "PYTEST_ADDOPTS", "PYTHONPATH"}
        kept = {name: value for name, value in os.environ.items() if name not in dropped}
        self.environment = {**kept, **mine, "PYTHONDONTWRITEBYTECODE": "1", "LABKIT_PROGRESS": "off"}

    def __call__(self, command):  # noqa: D102 - the class says it
        ran = subprocess.run(
            ["sh", "-c", command], cwd=self.place, env=self.environment, input="yes\n", capture_output=True, text=True,
            check=False, timeout=TIME,
        )  # fmt: skip
        return ran.returncode, ran.stdout + ran.stderr


def as_typed(command):
    """With something in the place of its capitals, and without a sandbox where this machine has none."""
    words = [STANDS_FOR.get(word, word) for word in command.removeprefix(".venv/bin/").split(" ")]
    if words[:2] == ["labkit", "grade"] and missing():
        words.append("--trust")
    return " ".join(words)


@pytest.mark.slow(seconds=60)
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "document", rest_is_long(SHORTEST_FIRST, len(DOCUMENTS) - len(LONGEST)), ids=lambda path: path.name
)
def test_every_command_of_a_document_runs(document, place):
    """With the exit status that it should have; `make` says what it would do, in the repository."""
    place("labkit lab --copy")
    place(as_typed(BEFORE.get(document.name, "true")))
    failed = {}
    for command in map(as_typed, commands(document)):
        if command in ELSEWHERE or command in NAMES:
            continue
        run = f"make -C {root()} --dry-run{command.removeprefix('make')}" if command.startswith("make") else command
        status, said = place(run)
        if status not in STATUS.get(command, {0}) or "Traceback (most recent call last):\n  File" in said:
            failed[command] = status, said
    assert failed == {}


@pytest.mark.long
@pytest.mark.slow(seconds=60)
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "document", [each for each in DOCUMENTS if any(b.language == "console" for b in blocks(each))], ids=lambda p: p.name
)
def test_every_worked_example_comes_out_as_it_says(document, place):
    """Written and typed as it stands, in an empty folder."""
    place.place = place.place / "fresh"
    place.place.mkdir()
    for block in blocks(document):
        if block.name:
            (place.place / block.name).write_text(block.text, "utf-8")
        for command, expected in transcript(block) if block.language == "console" else []:
            _, said = place(command)
            assert says(expected, said), f"$ {command}\n{said}"


def test_what_is_run_elsewhere_is():
    """The tests that are named are there."""
    tests = "\n".join(path.read_text("utf-8") for path in (root() / "tests").rglob("test_*.py"))
    assert [name for name in ELSEWHERE.values() if f"def {name}(" not in tests] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document):
    """To a file that is there, and to a heading that it has."""
    astray = [
        (path.name, anchor)
        for path, anchor in links(document)
        if not path.exists() or (anchor and anchor not in anchors(path))
    ]
    assert astray == []


def test_what_students_get_leads_nowhere_outside(tmp_path):
    """A link in a release ends in the release."""
    assert main(["release", str(tmp_path / "released")]) == 0
    found = {path.name: links(path) for path in (tmp_path / "released").rglob("*.md")}
    assert {name: [str(to) for to, _ in links if not to.exists()] for name, links in found.items()} == {
        name: [] for name in found
    }
    assert {"README.md", "STUDENTS.md", "YOUR_OWN_CODE.md"} <= found.keys()


def test_the_readme_links_each_document():
    """Nobody has to look for one."""
    linked = {path for path, _ in links(root() / "README.md")}
    assert [path.name for path in (root() / "docs").glob("*.md") if path not in linked] == []


@pytest.mark.parametrize(
    ("expected", "said", "right"),
    [
        ("a\n…\nd\n", "a\nb\nc\nd\n", True), ("a\n…\nd\n", "a\nd\n", True), ("1 in …\n", "1 in 2s\n", True),
        ("a\n", "a\nb\n", False), ("a\n…\nd\n", "a\nb\n", False), ("a.c\n", "abc\n", False),
    ],
)  # fmt: skip
def test_a_transcript_is_compared_line_by_line(expected, said, right):
    """Nothing but what … stands for may differ."""
    assert says(expected, said) is right
