"""Whose a file is: by the names that platforms make; and no two students ever share a name in the output."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.grading.reader.whose import file_names, short, shown, whose

STEMS = ["03_backoff"]
ROWS = {
    "Canvas": ("lovelaceada_4711_12_03_backoff.ipynb", "lovelaceada_4711", "Canvas", "4711"),
    "Canvas, late": ("lovelaceada_LATE_4711_12_03_backoff.ipynb", "lovelaceada_4711", "Canvas", "4711"),
    "Canvas, sent again": ("lovelaceada_4711_12_03_backoff-1.ipynb", "lovelaceada_4711", "Canvas", "4711"),
    "Canvas, a group": ("group_a_4711_12_work.zip", "group_a_4711", "Canvas", "4711"),
    "Canvas, text": ("lovelaceada_4711_text.html", "lovelaceada_4711", "Canvas", "4711"),
    "Canvas, Chinese": ("王小明_4711_12_作业.ipynb", "王小明_4711", "Canvas", "4711"),
    "Canvas, anonymous": ("anon_a1b2c_900009_03_backoff.ipynb", "anon_a1b2c", "Canvas", ""),
    "Moodle, folders": ("Ada Lovelace_815_assignsubmission_file_", "Ada Lovelace_815", "Moodle", "815"),
    "Moodle, newer folders": ("Ada Lovelace_815_assignsubmission_file", "Ada Lovelace_815", "Moodle", "815"),
    "Moodle, files": ("Ada O'Neil_815_assignsubmission_file_my work.ipynb", "Ada O'Neil_815", "Moodle", "815"),
    "Moodle, text": ("Ada_815_assignsubmission_onlinetext_onlinetext.html", "Ada_815", "Moodle", "815"),
    "Moodle, Arabic": ("آدا_815_assignsubmission_file_", "آدا_815", "Moodle", "815"),
    "Blackboard": ("Week 3_ada_attempt_2026-11-20-10-00-00_03.ipynb", "Week 3_ada", "Blackboard", "ada"),
    "Blackboard, in German": ("Ü 3_ada_Versuch_2026-11-20-10-00-00_03.ipynb", "Ü 3_ada", "Blackboard", "ada"),
    "nbgrader, its inbound folder": ("ada+ps3+2026-11-20 10:00:02.000001 UTC+Zk3_x-9aBcDe", "ada", "nbgrader", ""),
    "nbgrader, without chance": ("ada+ps3+2026-11-20 10:00:02.000001 +03", "ada", "nbgrader", ""),
    "a student's own name for a copy": (
        "90_backup_2026-09-01-12-00-00_v2.ipynb",
        "90_backup_2026-09-01-12-00-00_v2",
        "",
        "",
    ),
    "Blackboard, about it": ("Week 3_ada_attempt_2026-11-20-10-00-00.txt", "Week 3_ada", "Blackboard", "ada"),
    "Autolab": ("ada@example.edu_2_handin.zip", "ada@example.edu", "Autolab", ""),
    "Autolab, a name that begins with a number": (
        "ada@example.edu_2_03_backoff.ipynb",
        "ada@example.edu",
        "Autolab",
        "",
    ),
    "Gradescope": ("submission_246", "submission_246", "Gradescope", "246"),
    "Brightspace": ("12-34 - Ada B - Nov 28, 2026 530 PM - 03.ipynb", "Ada B_12", "Brightspace", "12"),
    "Brightspace, in French": ("12-34 - Ada B - 28 nov., 2026 17 30 - 03.ipynb", "Ada B_12", "Brightspace", "12"),
    "GitHub Classroom": ("backoff-ada-lovelace", "backoff-ada-lovelace", "", ""),
    "people": ("ada_03_backoff.ipynb", "ada", "", ""),
    "people, behind": ("03_backoff-Ada.ipynb", "Ada", "", ""),
    "people, a copy": ("ada_03_backoff (1).ipynb", "ada", "", ""),
    "people, Jupyter's copy": ("ada_03_backoff-Copy1.ipynb", "ada", "", ""),
    "people, no name": ("03_backoff (1).ipynb", "03_backoff (1)", "", ""),
    "people, endings": ("ada.03_backoff.ipynb.txt", "ada", "", ""),
    "people, a stand-in of iCloud's": (".ada_03_backoff.ipynb.icloud", "ada", "", ""),
    "people, accents as macOS writes them": ("Zoe\u0308.zip", "Zo\xeb", "", ""),
    "people, an archive": ("ada.tar.gz", "ada", "", ""),
}
FOLDERS = {"GitHub Classroom", "Gradescope"}


@pytest.mark.parametrize("row", ROWS)
def test_each_form_of_name_says_whose_it_is(row):
    """As platforms and people make them."""
    name, student, platform, number = ROWS[row]
    found = whose(name, STEMS, folder=row in FOLDERS)
    assert (found.student, found.platform, found.id) == (student, platform, number)


def test_what_was_written_beside_the_files_is_no_file():
    """Online text, a link, and Blackboard's own description."""
    told = [row for row, (name, *_) in ROWS.items() if whose(name, STEMS, folder=row in FOLDERS).told]
    assert told == ["Canvas, text", "Moodle, text", "Blackboard, about it"]


def test_a_later_attempt_sorts_later():
    """Whatever number of digits it has."""
    names = ["ada_1_9_x.ipynb", "ada_1_10_x.ipynb", "ada_1_900_x.ipynb"]
    assert sorted(names, key=lambda name: whose(name).attempt) == names


def test_a_time_in_another_language_sorts_nowhere():
    """Whose month is not known is not told to be later or earlier than another."""
    names = [f"12-34 - Ada - {time} - 03.ipynb" for time in ("28 nov., 2026 17 30", "1 déc., 2026 9 00")]
    assert len({whose(name).attempt for name in names}) == 1


def test_bytes_that_are_no_text_are_two_students():
    """Two folders whose names differ in such a byte only."""
    names = [os.fsdecode(b"Zo\xeb"), os.fsdecode(b"Zo\xe8"), "Zo\u202e", "Zo\u200c"]
    assert len({shown(name) for name in names}) == len(names)
    assert all(shown(name).encode() for name in names)


ALIKE = ["Ada", "ada", "ADA", "\u0410da", "Zoe\u0308", "Zo\xeb", "Zoe", "a/b", "a-b", "..", "", "x" * 200, "x" * 201]
ALIKE += [
    "con",
    "CON.txt",
    "İ",
    "i",
    "Paul",
    "PauI",
    "ada.",
    "ada ",
    "👩‍💻",
    "👩💻",
    "%61da",
    "王" * 200,
    "O'Neil",
    "O\u2019Neil",
]


def test_students_who_look_alike_have_files_of_their_own():
    """Case, accents, look-alikes, length, reserved names: no two share a file on any system."""
    made = file_names(ALIKE)
    assert len({name.casefold() for name in made.values()}) == len(ALIKE)
    assert all(0 < len(name.encode()) <= 120 for name in made.values())
    assert file_names(["ada", "bob"]) == {"ada": "ada", "bob": "bob"}


@given(st.sets(st.text(max_size=300), max_size=8))
def test_any_names_have_files_of_their_own(students):
    """None leads out of the folder, none is too long, none is another's."""
    made = file_names(students)
    assert len({name.casefold() for name in made.values()}) == len(students)
    for name in made.values():
        assert not set('/\\\0:*?"<>|') & set(name)
        assert name not in {"", ".", ".."}
        assert len(name.encode()) <= 120
    assert len({short(student) for student in students}) == len(students)
