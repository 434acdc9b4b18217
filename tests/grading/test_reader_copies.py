"""Of several copies, the one counts that is known to; where nothing says which, somebody must look."""

import os
import zipfile

import pytest
from own_class import RIGHT, WRONG, find_handed, hand_in

from labkit.grading.judge.criteria import exercises

NAME = "90_double.ipynb"


def put(handed, old, new, *, later=0):
    """The old copy is wrong, the new one right; it was made so many seconds later."""
    for name, answer, when in ((old, WRONG, 1e9), (new, RIGHT, 1e9 + later)):
        os.utime(hand_in(handed, "Ada", answer, name), (when, when))


@pytest.mark.parametrize(
    ("old", "new", "later", "why"),
    [
        (NAME, f"final/{NAME}", 60, "it is the newest"),
        (NAME, "90_double (2).ipynb", 0, "it is the newest"),
        (f"hw3/{NAME}", "hw3/90_double (2).ipynb", 0, "it is the newest"),
        (f"Version 9/{NAME}", f"Version 10/{NAME}", 0, "it is the newest"),
        (f"Versuch 9/{NAME}", f"Versuch 10/{NAME}", 0, "it is the newest"),
        (f"old/{NAME}", NAME, -60, "the other was put aside"),
        (f"backup/{NAME}", f"work/{NAME}", -60, "the other was put aside"),
        (f".ipynb_checkpoints/{NAME}", f"work/{NAME}", -60, "the other was put aside"),
        (f"{NAME}~", NAME, -60, "the other was put aside"),
        ("90_double.ipynb.bak", NAME, -60, "the other was put aside"),
        (f"attempt one/{NAME}", f"attempt two/{NAME}", 60, "it is the newest"),
        (f"2026-10-12/{NAME}", f"2026-10-13/{NAME}", 60, "it is the newest"),
        (f"old {NAME}", f"new {NAME}", 60, "it is the newest"),
        (f"Copy of {NAME}", f"Copy of Copy of {NAME}", 60, "it is the newest"),
        ("90_double 30.10.2026.ipynb", "90_double 02.11.2026.ipynb", 60, "it is the newest"),
        (f"2026-10-30/{NAME}", f"2026-11-02/{NAME}", 60, "it is the newest"),
        ("Version 1/90_double (3).ipynb", f"Version 2/{NAME}", 0, "it is the newest"),
        ("Version 1/x/90_double (3).ipynb", f"Version 2/x/{NAME}", 0, "it is the newest"),
    ],
)
def test_the_newest_counts_if_it_is_known(known, handed, old, new, later, why):
    """By its time, by the number in its name or its folder's; what was put aside never does. The note says why."""
    put(handed, old, new, later=later)
    (found,) = find_handed(handed, known)
    assert found.notebooks == {"90_double": f"Ada/{new}"}
    assert not found.look
    assert not found.in_doubt
    assert f"there are two notebooks for 90_double; Ada/{new} counts: {why}" in found.notes


@pytest.mark.parametrize(
    ("old", "new", "later", "why"),
    [
        (NAME, "90_double-final.ipynb", 0, "nothing says which is the newest"),
        (NAME, f"x/{NAME}", 1, "nothing says which is the newest"),
        (f"2026-10-30/{NAME}", f"2026-11-02/{NAME}", 0, "nothing says which is the newest"),
        (NAME, "90_double_4711.ipynb", 0, "nothing says which is the newest"),
        (f"Homework Anna/{NAME}", f"Homework Boris/{NAME}", 60, "they may be of several students"),
        (f"Anna_final_{NAME}", f"Boris_final_{NAME}", 60, "they may be of several students"),
        (f"Anna/{NAME}", f"Boris/{NAME}", 60, "they may be of several students"),
        (f"Анна/{NAME}", f"Борис/{NAME}", 60, "they may be of several students"),
        (f"Dmitry/{NAME}", f"Slater/{NAME}", 60, "they may be of several students"),
        (f"week 3/Anna/{NAME}", f"week 3/Boris/{NAME}", 60, "they may be of several students"),
        (f"Anna - {NAME}", f"Boris - {NAME}", 60, "they may be of several students"),
        (NAME, "90_double.sync-conflict-20261012.ipynb", 60, "two devices had one each"),
    ],
)
def test_somebody_must_look_where_it_is_not_known(known, handed, old, new, later, why):
    """One of them is judged all the same, and named; of this exercise alone."""
    put(handed, old, new, later=later)
    (found,) = find_handed(handed, known)
    assert found.in_doubt == {"90_double"}
    assert not found.look
    judged = found.notebooks["90_double"]
    said = f"there are two notebooks for 90_double, and {why}: look at them yourself; {judged} was judged"
    assert said in found.notes


PLATFORMS = {
    "Canvas": ("ada_4711_12_90_double.ipynb", "ada_4711_13_90_double-1.ipynb"),
    "Blackboard, in Dutch": ("E_ada_poging_2026-11-20-10-00-00_x.ipynb", "E_ada_poging_2026-11-21-10-00-00_x.ipynb"),
    "Blackboard": ("Ex_ada_attempt_2026-11-20-10-00-00_x.ipynb", "Ex_ada_attempt_2026-11-21-10-00-00_x.ipynb"),
    "Brightspace": ("12-34 - Ada - Nov 30, 2026 1159 PM - x.ipynb", "12-34 - Ada - Dec 1, 2026 1201 AM - x.ipynb"),
    "Autolab": ("ada@x.edu_1_x.ipynb", "ada@x.edu_2_x.ipynb"),
}


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("packed", [False, True])
def test_a_platform_says_which_attempt_is_the_last(known, handed, platform, packed):
    """In a folder and in the archive of the class, whatever the files' times are."""
    old, new = PLATFORMS[platform]
    for name, answer, when in ((old, WRONG, 2e9), (new, RIGHT, 1e9)):
        os.utime(hand_in(handed, ".", answer, name), (when, when))
    place = handed
    if packed:
        place = handed.parent / "class.zip"
        with zipfile.ZipFile(place, "w") as archive:
            for name in (old, new):
                archive.write(handed / name, name)
    (found,) = find_handed(place, known)
    assert found.notebooks["90_double"].endswith(new)
    assert not found.look
    assert not found.in_doubt


@pytest.mark.parametrize("folder", ["Ada/Feedback Attachment(s)", "Ada_4711_assignfeedback_file_"])
def test_what_a_grader_has_given_back_is_not_handed_in(known, handed, folder):
    """Sakai and Moodle download it beside the student's: a corrected copy would count as theirs."""
    hand_in(handed, "Ada", WRONG)
    hand_in(handed, folder, RIGHT)
    (found,) = find_handed(handed, known)
    assert found.notebooks["90_double"].startswith("Ada/90")
    assert not found.in_doubt


def test_what_icloud_leaves_of_a_file_is_said(known, handed):
    """It holds nothing of what the student wrote: somebody must look, and the student can download it."""
    hand_in(handed, "Ada", RIGHT, f".{NAME}.icloud")
    (found,) = find_handed(handed, known)
    assert (found.look, found.submissions) == (True, {})
    assert "is in iCloud: download it, hand it in again" in found.notes[0]


def test_a_name_is_one_however_its_accents_are_written(known, handed):
    """As macOS writes them, and as others do."""
    hand_in(handed, ".", WRONG, f"Zo\xeb_{NAME}")
    hand_in(handed, "Zoe\u0308", RIGHT)
    (found,) = find_handed(handed, known)
    assert found.student == "Zo\xeb"


def test_a_checkpoint_in_the_class_folder_is_put_aside(known, handed):
    """Though it came later."""
    hand_in(handed, ".", RIGHT, "ada_4711_12_90_double.ipynb")
    hand_in(handed, ".", WRONG, "ada_4711_13_90_double-checkpoint.ipynb")
    (found,) = find_handed(handed, known)
    assert found.notebooks == {"90_double": "ada_4711_12_90_double.ipynb"}


def test_a_file_and_one_in_an_archive_have_no_common_clock(known, handed):
    """An archive keeps the times of whoever packed it."""
    put(handed, NAME, f"x/{NAME}", later=60)
    with zipfile.ZipFile(handed / "Ada" / "all.zip", "w") as archive:
        archive.write(handed / "Ada" / "x" / NAME, NAME)
    (handed / "Ada" / "x" / NAME).unlink()
    (found,) = find_handed(handed, known)
    assert found.in_doubt
    assert any("nothing says which is the newest" in note for note in found.notes)


def test_copies_with_the_same_answers_ask_nobody(known, handed):
    """Wherever they lie."""
    for name in (NAME, f"Anna/{NAME}", f"Boris/{NAME}", "90_double.sync-conflict-20261012.ipynb"):
        hand_in(handed, "Ada", RIGHT, name)
    (found,) = find_handed(handed, known)
    assert not found.in_doubt


def test_another_exercise_under_this_name_is_told(known, handed):
    """It counts for what is in it, and not for what it is called."""
    stems = [*known]
    other = next(stem for stem in exercises() if stem not in stems)
    both = {**known, other: exercises()[other]}
    hand_in(handed, "Ada", RIGHT, f"{other}.ipynb")
    (found,) = find_handed(handed, both)
    assert found.look
    assert f"Ada/{other}.ipynb holds answers to 90_double, and none to {other}" in found.notes
