"""A class has weeks: a part is graded into the book of the whole course, and nothing else in it changes."""

import csv
import re

import pytest
from own_class import RIGHT, WRONG, add_exercise, everything, hand_in, make_criteria, quickly, trebled

from labkit.cli import main

pytestmark = pytest.mark.usefixtures("where", "judged")


@pytest.fixture
def where(tmp_path, monkeypatch):
    """Two weeks: Ada is right, Bob is wrong; Cyn has handed in the first alone, Eve the second."""
    add_exercise(make_criteria(tmp_path / "criteria"))
    for student, answer in {"Ada": RIGHT, "Bob": WRONG, "Cyn": RIGHT}.items():
        hand_in(tmp_path / "week 1", student, answer)
    for student, answer in {"Ada": RIGHT, "Bob": WRONG, "Eve": RIGHT}.items():
        hand_in(tmp_path / "week 2", student, trebled(answer), "91_treble.ipynb")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def judged(monkeypatch):
    """Who was judged, in which exercise."""
    return quickly(monkeypatch)


TRUSTED = "--trust", "--marks-only"


def grade(*arguments):
    """`labkit grade`, with the class's criteria. Its code is our own: it needs no sandbox."""
    return main(["grade", "--out", "book", "--criteria", "criteria", "--jobs", "1", *TRUSTED, *arguments])


def table(name="gradebook.csv"):
    """A CSV file of the book: the name in each row → the row."""
    with open(f"book/{name}", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def marks():
    """Student → marks of both exercises, and how many there could be."""
    return {name: (row["90"], row.get("91"), row["of"]) for name, row in table().items() if not name.startswith("(")}


def test_a_week_is_graded_into_the_book_of_the_course(judged):
    """What was graded before stays as it was, and the marks there could be are those of what was graded."""
    assert grade("week 1", "--only", "90") == 0
    assert marks() == {"Ada": ("3", None, "3"), "Bob": ("0", None, "3"), "Cyn": ("3", None, "3")}
    assert grade("week 2", "--only", "91") == 0
    assert marks() == {
        "Ada": ("3", "3", "6"), "Bob": ("0", "0", "6"), "Cyn": ("3", "0", "6"), "Eve": ("0", "3", "6"),
    }  # fmt: skip
    assert judged == [("Ada", "90"), ("Bob", "90"), ("Cyn", "90"), ("Ada", "91"), ("Bob", "91"), ("Eve", "91")]


def test_what_is_told_of_a_week_is_out_of_that_week(where, capsys):
    """On the screen, in the column of Canvas, and in the grade of Moodle."""
    grade("week 1")
    grade("week 2", "--only", "91")
    head, points, *rows = csv.reader((where / "book/canvas.csv").read_text().splitlines())
    assert (head[-1], points[-1]) == ("labkit 91", "3")
    assert {row[0]: row[-1] for row in rows} == {"Ada": "3", "Bob": "0", "Cyn": "0", "Eve": "3"}
    assert "\nAda: 3 of 3\nBob: 0 of 3\nEve: 3 of 3\n" in capsys.readouterr().out
    assert {row["Maximum Grade"] for row in csv.DictReader((where / "book/moodle.csv").open())} == {"3"}


def test_some_students_are_graded_again(where, judged):
    """Forced, though nothing has changed; nobody else is judged, and the class's book is whole."""
    grade("week 1")
    before = everything(where / "book")
    judged.clear()
    assert grade("week 1", "--only", "90", "--student", "Bob") == 0
    assert judged == []
    assert grade("week 1", "--only", "90", "--student", "Bob", "--again") == 0
    assert judged == [("Bob", "90")]
    grade("week 1")
    assert everything(where / "book") == before


def test_a_student_who_is_graded_alone_changes_alone(where):
    """The others stay in the book, with what their files were then."""
    grade("week 1")
    hand_in(where / "week 1", "Ada", WRONG)
    hand_in(where / "week 1", "Bob", RIGHT)
    grade("week 1", "--student", "Bob")
    assert marks() == {"Ada": ("3", "0", "6"), "Bob": ("3", "0", "6"), "Cyn": ("3", "0", "6")}


def test_what_is_not_handed_in_now_stays_as_it_was(where):
    """A later week without --only takes nothing from an earlier one, also from somebody who hands in rubbish."""
    grade("week 1")
    hand_in(where / "week 2", "Ada", "").write_text("{")
    grade("week 2")
    assert {name: row[0] for name, row in marks().items()} == {"Ada": "3", "Bob": "0", "Cyn": "3", "Eve": "0"}
    assert table()["Ada"]["status"] == "look"
    assert "90_double.ipynb is not a notebook that can be read" in table()["Ada"]["notes"]


def test_weeks_in_turn_judge_nobody_twice(judged):
    """What was judged is kept, whichever week comes next."""
    for week, only in [("week 1", "90"), ("week 2", "91"), ("week 1", "90"), ("week 2", "91")]:
        grade(week, "--only", only)
    assert len(judged) == 6


def test_the_book_is_written_anew_without_submissions(where, judged):
    """From what it has: nobody is judged."""
    grade("week 1")
    before = everything(where / "book")
    judged.clear()
    assert grade() == 0
    assert judged == []
    page = (where / "book/class.html").read_bytes()
    assert {**everything(where / "book"), "class.html": b""} == {**before, "class.html": b""}
    assert b"Ada" in page


def test_a_row_that_should_not_be_there_is_taken_out(where, capsys):
    """As after the wrong folder was graded. The others stay, its page goes; a name that nobody has is refused."""
    grade("week 1")
    hand_in(where / "wrong", "week 9", RIGHT)
    grade("wrong")
    assert "week 9" in table()
    assert grade("--forget", "week9") == 2
    assert "no row is called 'week9': did you mean 'week 9'?" in capsys.readouterr().err
    assert grade("--forget", "week 9") == 0
    assert [*marks()] == ["Ada", "Bob", "Cyn"]
    assert {path.stem for path in (where / "book/students").iterdir()} == {"Ada", "Bob", "Cyn"}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (["week 1", "--only", "92"], "there is no exercise 92: choose from 90, 91"),
        (["week 1", "--only", ""], "is not the name of an exercise"),
        (["week 1", "--only", "90.doubles"], "--only 90.doubles is a case: name an exercise, as in --only 90"),
        (["week 1", "--student", "Bbo"], "nobody is called 'Bbo': did you mean 'Bob'"),
        (["week 1", "--jobs", "0"], "--jobs must be at least 1"),
        (["week 3"], "there is no folder week 3"),
        (["empty"], "there is nothing to grade"),
        (["--student", "Bob"], "say where the SUBMISSIONS are"),
        (["--again"], "say where the SUBMISSIONS are"),
        ([], "there is no book in book"),
    ],
)
def test_a_refused_command_leaves_nothing_behind(where, capsys, given, complaint):
    """One line, exit status 2, and no folder."""
    (where / "empty").mkdir()
    assert grade(*given) == 2
    said = capsys.readouterr().err
    assert re.search(complaint, said)
    assert said.count("\n") == 1
    assert not (where / "book").exists()


def test_a_judge_that_is_missing_is_one_line_and_leaves_nothing_behind(where, capsys):
    """It is found when the grading has begun."""
    (where / "criteria/criteria/90_double.py").unlink()
    assert grade("week 1") == 2
    assert "criteria/90_double.py cannot be read: No such file" in capsys.readouterr().err.splitlines()[-1]
    assert not (where / "book").exists()


def test_a_book_of_other_exercises_is_not_mixed(where, capsys):
    """An exercise that the criteria do not have would be lost from the totals."""
    grade("week 1")
    text = (where / "criteria/criteria.toml").read_text()
    (where / "criteria/criteria.toml").write_text(text[text.index("[exercises.91") :])
    capsys.readouterr()
    assert grade("week 2") == 2
    assert "has exercise 90_double: say its folder with --criteria" in capsys.readouterr().err


@pytest.mark.parametrize(
    "folders", [("hw3/Ada", "hw3/Bob"), ("assignment_7_export/submission_1", "assignment_7_export/submission_2")]
)
def test_the_folder_above_a_class_is_asked_about(where, folders):
    """Notebooks of the same name in folders of one student may be those of several: nobody's marks are told."""
    for folder in folders:
        hand_in(where / "above", folder, RIGHT)
    assert grade("above") == 0
    (row,) = (row for name, row in table().items() if not name.startswith("("))
    assert row["status"] == "look"
    assert "if those folders are students" in row["notes"]
