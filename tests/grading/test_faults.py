"""What is wrong with an instructor's cases is told before anybody is graded; docs/CASES.md is true."""

import json
import re
import shutil

import pytest
from own_class import CRITERIA, JUDGE, RIGHT, cell, cells, hand_in, make_criteria, notebook

from labkit.cli import main
from labkit.repository import root


@pytest.fixture
def folder(tmp_path):
    """An exercise in which nothing is wrong, with its solution."""
    folder = make_criteria(tmp_path / "mine")
    (folder / "solutions").mkdir()
    (folder / "solutions/90_double.ipynb").write_text(json.dumps(notebook(*cells(RIGHT))))
    return folder


def check(folder, capsys):
    """The exit status of `labkit criteria check`, and what it says."""
    status = main(["criteria", "check", str(folder)])
    return status, capsys.readouterr().out.splitlines()


def test_nothing_is_wrong(folder, capsys):
    """The solution meets every case, and the unsolved notebook none."""
    assert check(folder, capsys) == (0, ["Nothing is wrong: exercises 90, 2 cases"])


LOOSE = JUDGE.replace("    _expect(program, 0, 0)\n", "    pass\n")
STRICT = JUDGE.replace("_expect(program, 0, 0)", "_expect(program, 0, 1)")
EXTRA = f"{JUDGE}\n\ndef halves(program, rng):\n    pass\n"
FAULTS = {
    "a criterion that is not named": (CRITERIA + "\n[criteria]\nsums = 'x'\n", JUDGE, [
        "90.doubles_none counts for zeros, which is no criterion under [criteria]"
    ]),
    "an answer that nobody promises": (CRITERIA.replace('answers = ["double"]', 'answers = ["dubble"]', 1), JUDGE, [
        "90.doubles needs the answer dubble, which has no line under [exercises.90_double.signatures]"
    ]),
    "an answer without a cell": (CRITERIA.replace("double = ", 'half = "half(number)"\ndouble = '), JUDGE, [
        "90_double.ipynb has no cell that begins with `# answer: half`"
    ]),
    "no answer, and no hint": (
        CRITERIA.replace('answers = ["double"]', "answers = []", 1).replace('hints = ["Multiply."]', "hints = []", 1),
        JUDGE, ["90.doubles has no hint", "90.doubles names no answer: it would be judged without one"],
    ),
    "a case that comes later": (CRITERIA.replace('["doubles"]', '["doubles_all"]'), JUDGE, [
        "90.doubles_none needs doubles_all, which is no case above it"
    ]),
    "a case that is there twice": (CRITERIA.replace('"doubles_none"', '"doubles"').replace("depends_on", "#"), JUDGE, [
        "90.doubles is there twice",
        "criteria/90_double.py: {} judges, and is no case in criteria.toml: begin its name with _ if it is none".format(
            "doubles_none"
        ),
    ]),
    "no function": (CRITERIA, JUDGE.replace("def doubles_none", "def _none"), [
        "criteria/90_double.py has no function doubles_none, which criteria.toml names as a case"
    ]),
    "other arguments": (CRITERIA, JUDGE.replace("doubles_none(program, rng)", "doubles_none(program)"), [
        "criteria/90_double.py: doubles_none must take (program, rng)"
    ]),
    "a function that is no case": (CRITERIA, EXTRA, [
        "criteria/90_double.py: halves judges, and is no case in criteria.toml: begin its name with _ if it is none"
    ]),
    "code that does not load": (CRITERIA, "import nothing_of_this_name", [
        "criteria/90_double.py does not load: ModuleNotFoundError: No module named 'nothing_of_this_name'"
    ]),
    "a case that the solution fails": (CRITERIA, STRICT, [
        f"90.doubles_none is not met by solutions/90_double.ipynb (seed {seed}): double(0) returned 0; expected 1"
        for seed in (0, 1)
    ]),
    "a case that the unsolved notebook meets": (CRITERIA, LOOSE, [
        f"90.doubles_none is met by the unsolved notebook (seed {seed})" for seed in (0, 1)
    ]),
    "an exercise without a case": (CRITERIA + "\n[exercises.91_later]\ntitle = 'x'\nsignatures = {}\nreplaces = {}\n",
        JUDGE, ["91_later has no case: nothing of it is judged"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_a_line(folder, capsys, fault):
    """Exit status 1, and nothing else is blamed."""
    criteria, judge, lines = FAULTS[fault]
    (folder / "criteria.toml").write_text(criteria)
    (folder / "criteria/90_double.py").write_text(judge)
    assert check(folder, capsys) == (1, lines)


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("90_double.ipynb", "there is no notebook"),
        ("criteria/90_double.py", "there is no criteria/90_double.py: it judges the cases"),
        ("solutions/90_double.ipynb", "there is no solutions/90_double.ipynb: no case of 90 was tried with a solution"),
    ],
)
def test_a_missing_file_is_a_line(folder, capsys, path, complaint):
    """Which one, and what it is for."""
    (folder / path).unlink()
    status, (line,) = check(folder, capsys)
    assert (status, line.startswith(complaint)) == (1, True)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "there is no criteria.toml in "),
        ("[exercises", "cannot be used: "),
        (CRITERIA.replace("marks = 2", "marks = 1.3"), "90_double.cases.1.marks: Input should be a multiple of 0.5"),
        (CRITERIA.replace("marks = 2", ""), "90_double.cases.1.marks: Field required"),
        (CRITERIA.replace("marks = 2", "marks = 2\nmark = 2"), "90_double.cases.1.mark: Extra inputs"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_line(folder, capsys, text, complaint):
    """Exit status 2, file and key."""
    (folder / "criteria.toml").unlink() if text is None else (folder / "criteria.toml").write_text(text)
    assert main(["criteria", "check", str(folder)]) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1


def blocks():
    """The examples of docs/CASES.md: what each is, and its text."""
    text = (root() / "docs/CASES.md").read_text("utf-8")
    return re.findall(r"^```\w+ (\S+)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_examples_of_the_page_judge(tmp_path, capsys):
    """Built as it says, from a copy of the exercises: nothing is wrong, and a submission gets its half marks."""
    mine = tmp_path / "mine"
    shutil.copytree(root() / "exercises", mine)
    text = (mine / "criteria.toml").read_text("utf-8")
    first, second = text.index("[exercises.01"), text.index("[exercises.02")
    (mine / "criteria.toml").write_text(text[:second], "utf-8")  # the other exercises are judged elsewhere
    assert first < second
    made = {}
    for name, block in blocks():
        if "." in name:
            with (mine / name).open("a", encoding="utf-8") as file:
                file.write(f"\n\n{block}")
        else:
            made[name] = cell(name, block, metadata={"tags": ["given"] if name == "given" else []})
    (mine / "90_total.ipynb").write_text(json.dumps(notebook(made["given"], made["answer"])))
    (mine / "solutions").mkdir()
    (mine / "solutions/90_total.ipynb").write_text(json.dumps(notebook(made["given"], made["solution"])))
    assert check(mine, capsys) == (0, ["Nothing is wrong: exercises 01, 90, 8 cases"])
    hand_in(tmp_path / "class", "Ada", "").write_bytes((root() / "solutions/01_file_storage.ipynb").read_bytes())
    shutil.copy(mine / "solutions/90_total.ipynb", tmp_path / "class/Ada")
    given = "class", "--out", "book", "--criteria", "mine", "--trust", "--marks-only"
    assert main(["grade", *(str(tmp_path / each) if each[0] != "-" else each for each in given)]) == 0
    assert "Ada: 11.5 of 11.5" in capsys.readouterr().out
