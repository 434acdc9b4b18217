"""A roster is read as platforms export it, and as spreadsheets leave it."""

import csv
import unicodedata

import pytest
from own_class import RIGHT, hand_in, make_criteria, quickly

from labkit.cli import main
from labkit.grading.gradebook.policy import Person
from labkit.grading.gradebook.roster import read_roster
from labkit.repository import UsageError

ADA = "Ada Lovelace"
CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,Homework (1)
,,,,,
    Points Possible,,,,,3
"Lovelace, Ada",4711,A1,ada@example.edu,B,
"Student, Test",9,,x,B,
"""
FILES = {
    "canvas, csxl 624: an empty row above the points": (
        CANVAS.encode(),
        {
            "Lovelace, Ada": Person(
                names=[ADA, "ada@example.edu"], canvas=4711, sis="A1", login="ada@example.edu", section="B"
            )
        },
    ),
    "moodle, Autolab 874: a byte order mark": (
        "\ufeffFirst name,Last name,ID number,Email address,Groups\nAda,Lovelace,A1,ada@x.edu,B\n".encode(),
        {ADA: Person(names=["ada@x.edu"], sis="A1", login="ada@x.edu", section="B")},
    ),
    "moodle's worksheet": (
        b"Identifier,Full name,Email address,Grade\nParticipant 815,Ada Lovelace,ada@x.edu,\n",
        {ADA: Person(names=["ada@x.edu"], login="ada@x.edu")},
    ),
    "classroom 1184: of GitHub Classroom": (
        b'"identifier","github_username","github_id","name"\n"Ada Lovelace","wizzkid8769","1",""\n',
        {ADA: Person(names=["wizzkid8769"], login="wizzkid8769")},
    ),
    "talim-ai 48: semicolons": (
        b"name;email\r\nAda Lovelace;a@x.edu\r\n",
        {ADA: Person(names=["a@x.edu"], login="a@x.edu")},
    ),
    "classroom50 746: Windows-1252": ("name,group\nZo\xeb,B\n".encode("cp1252"), {"Zo\xeb": Person(section="B")}),
    "UTF-16 with tabs": ("name\tgroup\nAda Lovelace\tB\n".encode("utf-16"), {ADA: Person(section="B")}),
    "gradecraft 2097, registrar 173: blanks": (b" Name , Group \n Ada Lovelace , B \n\n", {ADA: Person(section="B")}),
    "RunestoneServer 1038: two of one name": (
        b"name,username\nAda Lovelace,a1\nada lovelace,a2\n",
        {f"{ADA} (a1)": Person(names=["a1"], login="a1"), "ada lovelace (a2)": Person(names=["a2"], login="a2")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("report", FILES)
def test_a_roster_is_read_however_it_was_saved(tmp_path, report):
    """Who is on it, with all that an import needs."""
    data, people = FILES[report]
    (tmp_path / "roster.csv").write_bytes(data)
    assert read_roster(tmp_path / "roster.csv") == people


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "it needs a column `name`"),
        ("Nom,Courriel\nAda,a@x.fr\n", "it needs a column `name`"),
        ("name\nAda\nAda\n", "two students are called Ada"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_roster_is_one_line(tmp_path, text, complaint):
    """It names the file, and nobody becomes a student called Nom."""
    path = tmp_path / "roster.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=complaint) as caught:
        read_roster(path)
    assert str(path) in str(caught.value)


def test_the_policy_names_the_roster(tmp_path, monkeypatch):
    """Its students have rows, whatever GitHub puts before their logins; what policy.toml says of one goes first."""
    quickly(monkeypatch)
    monkeypatch.chdir(tmp_path)
    make_criteria(tmp_path / "criteria")
    for name in ("hw3-wizzkid", "hw3-bob-boole", unicodedata.normalize("NFD", "Zo\xeb")):
        hand_in(tmp_path / "class", name, RIGHT)
    (tmp_path / "book").mkdir()
    roster = "identifier,github_username\nAda,wizzkid\nBob,bob-boole\nZo\xeb,\nCy,\n"
    (tmp_path / "book/roster.csv").write_text(roster, "utf-8")
    (tmp_path / "book/policy.toml").write_text('roster_file = "roster.csv"\n[roster]\nAda = { section = "B" }\n')
    assert (
        main(["grade", "class", "--out", "book", "--criteria", "criteria", "--jobs", "1", "--trust", "--marks-only"])
        == 0
    )
    with (tmp_path / "book/gradebook.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["student"]: row["status"] for row in csv.DictReader(file) if row["status"]}
    assert rows == {"Ada": "graded", "Bob": "graded", "Cy": "nothing handed in", "Zo\xeb": "graded"}
    assert "Ada,,,wizzkid,B,3" in (tmp_path / "book/canvas.csv").read_text("utf-8")
