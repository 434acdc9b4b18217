"""What people decide stands in policy.toml: it is applied to the judge's verdicts, shown, and never overwritten."""

import csv
import json
import re

import pytest
from own_class import RIGHT, WRONG, add_exercise, everything, hand_in, make_criteria, quickly, trebled

from labkit.cli import main
from labkit.grading.judge.criteria import exercises, find
from labkit.grading.judge.judge import Result, Status, Verdict
from labkit.repository import root

pytestmark = pytest.mark.usefixtures("judged")
TRUSTED = "--jobs", "1", "--trust", "--marks-only"
BOB = '[[overrides]]\nstudent = "Bob"\nof = "90.doubles"\nmarks = 1.5\ncomment = "Nearly."\nby = "Grace"\n'


@pytest.fixture
def judged(monkeypatch):
    """Nobody's code is run."""
    return quickly(monkeypatch)


@pytest.fixture
def where(tmp_path, monkeypatch):
    """Ada is right, Bob is wrong, Eve's file is empty."""
    make_criteria(tmp_path / "criteria")
    hand_in(tmp_path / "class", "Ada", RIGHT)
    hand_in(tmp_path / "class", "Bob", WRONG)
    hand_in(tmp_path / "class", "Eve", RIGHT).write_text("")
    (tmp_path / "book").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def grade(where, policy="", *more, of="class"):
    """Grade with this policy: student → the row of gradebook.csv."""
    (where / "book/policy.toml").write_text(policy)
    assert main(["grade", of, "--out", "book", "--criteria", "criteria", *TRUSTED, *more]) == 0
    return table(where)


def table(where, name="gradebook.csv", key="student"):
    """A CSV file of the book: a name → its row."""
    with (where / "book" / name).open(newline="") as file:
        return {row[key]: row for row in csv.DictReader(file)}


def page(where, student):
    """A student's page."""
    return (where / f"book/students/{student}.html").read_text()


def test_an_override_gives_half_marks_beside_the_verdict(where):
    """It is in the sums, on the student's page, in every export; what the judge found stays what it was."""
    rows = grade(where, BOB)
    assert (rows["Bob"]["total"], rows["Bob"]["90.doubles"], rows["Bob"]["90"]) == ("1.5", "1.5", "1.5")
    assert rows["Bob"]["decided"] == "90.doubles: 1.5 marks, by Grace: Nearly."
    assert "Decided: 1.5 marks, by Grace. Nearly." in page(where, "Bob")
    assert "90.doubles: 1.5 marks, by Grace: Nearly." in (where / "book/junit.xml").read_text()
    assert table(where, "canvas.csv", "Student")["Bob"]["labkit"] == "1.5"
    told = table(where, "moodle.csv", "Full name")["Bob"]
    assert (told["Grade"], told["Feedback comments"].count("Grace")) == ("1.5", 1)
    result = json.loads((where / "book/results/Bob.json").read_text())
    assert [each["status"] for each in result["results"][0]["verdicts"]] == ["FAIL", "FAIL"]
    assert result["overrides"][0]["by"] == "Grace"


def test_no_grading_takes_an_override_away(where):
    """Forced, in part, or by another answer; only who writes the file does."""
    grade(where, BOB)
    for more in (["--again"], ["--student", "Bob", "--again"], ["--seed", "7"]):
        assert grade(where, BOB, *more)["Bob"]["total"] == "1.5"
        assert (where / "book/policy.toml").read_text() == BOB
    assert grade(where)["Bob"]["total"] == "0"


def test_marks_that_nobody_has_decided_are_blank_for_platforms(where, capsys):
    """They would be imported as 0. The summary says whose, and why."""
    assert grade(where)["Eve"]["status"] == "look"
    assert table(where, "canvas.csv", "Student")["Eve"]["labkit"] == ""
    told = table(where, "moodle.csv", "Full name")["Eve"]
    assert (told["Grade"], told["Feedback comments"][:12]) == ("", "no marks yet")
    assert "Not all marks are decided yet." in page(where, "Eve")
    assert (where / "book/class.html").read_text().count('title="1 to be looked at"') == 2
    said = capsys.readouterr().out
    assert "3 students: 2 graded, 0 handed in nothing, 1 to be looked at" in said
    assert "their marks are blank in canvas.csv and moodle.csv:\n  Eve: 90: Eve/90_double.ipynb" in said


@pytest.mark.parametrize(("marks", "total"), [("", "0"), ("marks = 2.5\n", "2.5")])
def test_who_has_looked_says_so(where, marks, total):
    """Of a whole exercise, with marks or with what the judge found: then it is decided."""
    looked = f'[[overrides]]\nstudent = "Eve"\nof = "90"\n{marks}comment = "It was empty."\nby = "Grace"\n'
    row = grade(where, looked)["Eve"]
    assert (row["status"], row["total"]) == ("nothing handed in" if not marks else "graded", total)
    assert table(where, "canvas.csv", "Student")["Eve"]["labkit"] == total
    assert "It was empty." in page(where, "Eve")


LATE = "[late]\nper_day = 0.1\nat_most = 0.5\n[due]\n90 = 2026-10-12T12:00:00\n"


@pytest.mark.parametrize(
    ("more", "total"),
    [
        ("[handed_in.90]\nAda = 2026-10-12T12:00:00", "3"),
        ("[handed_in.90]\nAda = 2026-10-12T12:00:01", "2.7"),
        ("[handed_in.90]\nAda = 2026-10-14T11:00:00", "2.4"),
        ("[handed_in.90]\nAda = 2026-12-24T00:00:00", "1.5"),
        ("[handed_in.90]\nAda = 2026-10-14T11:00:00\n[extensions.90]\nAda = 2026-10-14T12:00:00", "3"),
        ("[handed_in.90]\nAda = 2026-10-15T11:00:00\n[extensions.90]\nAda = 2026-10-14T12:00:00", "2.7"),
        ("", "3"),
    ],
)
def test_each_late_day_costs_its_share(where, more, total):
    """Each day begun after what was due, or after an extension, and never more than the most. No time is guessed."""
    assert grade(where, LATE + more)["Ada"]["total"] == total
    assert ("was handed in late" in page(where, "Ada")) == (total != "3")


def test_a_platform_says_when(where):
    """Blackboard and Brightspace by the names of files."""
    names = [
        "HW_ada_attempt_2026-10-13-13-00-00_90_double.ipynb",
        "7-9 - Bob Boole - October 13, 2026 815 AM - x.ipynb",
        "8-9 - Cy Twombly - Oct 12, 2026 1201 PM - x.ipynb",
    ]
    for name in names:
        hand_in(where / "downloaded", ".", RIGHT, name)
    rows = grade(where, LATE, of="downloaded")
    assert {name: row["decided"] for name, row in rows.items() if row["decided"]} == {
        "HW_ada": "90: 2 days late, -20%",
        "Bob Boole_7": "90: 1 day late, -10%",
        "Cy Twombly_8": "90: 1 day late, -10%",
    }


def test_late_without_a_time_is_asked_about(where, capsys):
    """Canvas marks files as late and does not say when: nothing is taken, and somebody is asked."""
    hand_in(where / "downloaded", ".", RIGHT, "lovelaceada_LATE_4711_12_90_double.ipynb")
    row = grade(where, LATE, of="downloaded")["lovelaceada_4711"]
    assert row["total"] == "3"
    assert "90 was handed in late, says the platform, but not when" in row["notes"]
    assert "Decide about these in policy.toml:\n  lovelaceada_4711: 90 was handed in late" in capsys.readouterr().out


ROSTER = """
[roster]
"Ada Lovelace" = { canvas = 4711, sis = "A1", login = "ada@example.edu", section = "B" }
"Bob Boole" = { names = ["bboole"] }
"Cy Twombly" = {}
"""


def test_the_roster_has_a_row_for_everybody(where):
    """Also for who has not handed in; ids go to Canvas; who is not on it stays, with a note."""
    hand_in(where / "downloaded", ".", RIGHT, "lovelaceada_4711_12_90_double.ipynb")
    hand_in(where / "downloaded", "bboole", RIGHT)
    hand_in(where / "downloaded", "Mallory", RIGHT)
    rows = grade(where, ROSTER, of="downloaded")
    assert {name: row["status"] for name, row in rows.items()} == {
        "(marks there are)": "", "Ada Lovelace": "graded", "Bob Boole": "graded", "Cy Twombly": "nothing handed in",
        "Mallory": "graded",
    }  # fmt: skip
    assert rows["Mallory"]["notes"] == "not on the roster in policy.toml"
    ada = table(where, "canvas.csv", "Student")["Ada Lovelace"]
    assert [*ada.values()] == ["Ada Lovelace", "4711", "A1", "ada@example.edu", "B", "3"]


def test_a_roster_alone_is_no_book(where, capsys):
    """Nothing is graded yet: nobody has 0 marks of 0."""
    (where / "book/policy.toml").write_text(ROSTER)
    assert main(["grade", "--out", "book", "--criteria", "criteria"]) == 2
    assert "there is no book in book" in capsys.readouterr().err
    assert [path.name for path in (where / "book").iterdir()] == ["policy.toml"]


def test_one_student_of_two_weeks_has_one_row(where):
    """Moodle's numbers are others in each assignment. Two who could be one are never joined."""
    add_exercise(where / "criteria")
    hand_in(where / "one", "Ada Lovelace_815_assignsubmission_file_", RIGHT)
    hand_in(where / "two", "Ada Lovelace_922_assignsubmission_file_", trebled(RIGHT), "91_treble.ipynb")
    grade(where, ROSTER, "--only", "90", of="one")
    rows = grade(where, ROSTER, "--only", "91", of="two")
    assert (rows["Ada Lovelace"]["90"], rows["Ada Lovelace"]["91"]) == ("3", "3")
    assert table(where, "moodle.csv", "Full name")["Ada Lovelace"]["Identifier"] == "Participant 922"
    hand_in(where / "two", "Ada Lovelace_923_assignsubmission_file_", trebled(WRONG), "91_treble.ipynb")
    rows = grade(where, ROSTER, "--only", "91", of="two")
    assert {"Ada Lovelace_922", "Ada Lovelace_923"} <= rows.keys()


def test_the_roster_names_who_is_graded(where, judged):
    """As --student says it."""
    hand_in(where / "class", "bboole", RIGHT)
    grade(where, ROSTER, "--student", "Bob Boole")
    assert judged == [("bboole", "90")]


def test_pages_hide_names(where):
    """In their text, their file names, in the class's page; the tables for platforms have them."""
    hand_in(where / "class", "Ada", RIGHT, "holiday.ipynb").write_text("{")
    grade(where)
    (where / "book/students/of mine.html").write_text("")
    assert "Ada" in page(where, "Ada")
    grade(where, f"anonymous = true\n{BOB.replace('Nearly', 'Nearly, Bob')}")
    (where / "book/students/of mine.html").unlink()  # nobody else has
    pages = list((where / "book").rglob("*.html"))
    assert len(pages) == 4
    for path in pages:
        for name in ("Ada", "Bob", "Eve"):
            assert name not in path.read_text(), path
            assert name not in path.name
    assert "Ada" in table(where)
    named = {path.name for path in pages}
    grade(where, "anonymous = true")
    assert {path.name for path in (where / "book").rglob("*.html")} == named


def test_a_second_grader_gets_a_sample(where):
    """Drawn by a seed among those who handed in: the same each time, also when somebody else hands in."""
    for number in range(9):
        hand_in(where / "class", f"s{number}", RIGHT)
    grade(where, "[sample]\nstudents = 3\nseed = 2\n")
    first = (where / "book/sample.csv").read_text()
    assert len(first.splitlines()) == 4
    assert "For a second grader" in (where / "book/class.html").read_text()
    grade(where, "[sample]\nstudents = 3\nseed = 2\n", "--again")
    assert (where / "book/sample.csv").read_text() == first
    grade(where, "[sample]\nstudents = 3\nseed = 3\n")
    assert (where / "book/sample.csv").read_text() != first


@pytest.mark.parametrize(
    ("policy", "complaint"),
    [
        ("late = ", "cannot be read: Invalid value (at end of document)"),
        ("[latte]\n", "latte: there is no such key"),
        ("[late]\nper_day = 10\n", "late.per_day: Input should be less than or equal to 1"),
        ("[due]\n90 = 2026-10-12\n", "due.90: Input should be a valid datetime"),
        ("[due]\n90 = 2026-10-12T12:00:00Z\n", "due.90: write it without an offset"),
        ("[due]\n92 = 2026-10-12T12:00:00\n", "due.92: there is no exercise '92'"),
        (
            "[extensions.90]\nAdda = 2026-10-12T12:00:00\n",
            "extensions.90.Adda: there is no student 'Adda': did you mean",
        ),
        (BOB.replace("Bob", "Bbo"), "overrides.1.student: there is no student 'Bbo': did you mean 'Bob'?"),
        (BOB.replace("doubles", "doubled"), "overrides.1.of: there is no case of exercise 90 'doubled'"),
        (BOB.replace("1.5", "2.5"), "overrides.1.marks: 90.doubles has 2 marks at most"),
        (BOB.replace("1.5", "1.2"), "overrides.1.marks: Input should be a multiple of 0.5"),
        (BOB.replace('of = "90.doubles"\n', ""), "overrides.1.marks: say in `of` what they are for"),
        (BOB.replace('by = "Grace"', ""), "overrides.1.by: it is missing"),
        (BOB + BOB, "overrides.2: Bob has another override for the same, above it"),
        ('[roster]\nAda = { mail = "x" }\n', "roster.Ada.mail: there is no such key"),
        ('[roster]\nAda = {}\nBob = { names = ["ada"] }\nEve = {}\n', "roster.Bob: 'ada' is also a name of 'Ada'"),
        ("[sample]\nstudents = 0\n", "sample.students: Input should be greater than or equal to 1"),
        ("\udcff", "cannot be read"),
    ],
)
def test_what_is_wrong_in_the_file_is_one_line(where, judged, capsys, policy, complaint):
    """File and key, before anybody is graded; the book is as it was."""
    grade(where)
    before = everything(where / "book")
    judged.clear()
    capsys.readouterr()
    (where / "book/policy.toml").write_text(policy, errors="surrogateescape")
    hand_in(where / "class", "Ada", WRONG)
    assert main(["grade", "class", "--out", "book", "--criteria", "criteria", *TRUSTED]) == 2
    said = capsys.readouterr().err
    assert f"labkit: book/policy.toml: {complaint}" in said or f"labkit: book/policy.toml {complaint}" in said
    assert said.count("\n") == 1
    assert judged == []
    assert {**everything(where / "book"), "policy.toml": b""} == {**before, "policy.toml": b""}


def test_the_example_of_the_page_is_what_it_says(tmp_path, monkeypatch):
    """docs/GRADING.md: a class with those names, graded in its third week."""
    text = (root() / "docs/GRADING.md").read_text("utf-8")
    (example,) = re.findall(r"^```toml\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    for name in "lovelaceada_4711_12_03_backoff.ipynb", "bboole/03_backoff.ipynb":
        path = tmp_path / "class" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((root() / "solutions/03_backoff.ipynb").read_bytes())
    (tmp_path / "book").mkdir()
    (tmp_path / "book/policy.toml").write_text(example)
    monkeypatch.setattr("labkit.grading.gradebook.student._judge_apart", all_met)
    assert main(["grade", "class", "--out", "book", "--only", "03", *TRUSTED]) == 0
    rows = table(tmp_path)
    whole, penalised = float(rows["Ada Lovelace"]["total"]), float(rows["Bob Boole"]["total"])
    most = next(case.marks for case in exercises()["03_backoff"].cases if case.id == "gives_up")
    assert (whole, round(penalised, 2)) == (float(rows["Ada Lovelace"]["of"]), round((whole - most + 0.5) * 0.9, 2))
    assert rows["Bob Boole"]["decided"].split("; ") == [
        "03.gives_up: 0.5 marks, by Grace Hopper: Right, but for the last wait.",
        "03: 1 day late, -10%",
    ]
    assert rows["Cy Twombly"]["status"] == "nothing handed in"
    assert table(tmp_path, "canvas.csv", "Student")["Ada Lovelace"]["ID"] == "4711"


def all_met(request):
    """A judge that is content."""
    exercise, cases = find(request.name)
    verdicts = [Verdict.of(case, Status.PASS) for case in cases]
    result = Result(stem=exercise.stem, title=exercise.title, seed=0, verdicts=verdicts)
    return 0, result.model_dump_json().encode()
