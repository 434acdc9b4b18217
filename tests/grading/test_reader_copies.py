"""Of several copies, the one counts that is known to; where nothing says which, somebody must look."""

import os
import zipfile

import pytest
from own_class import RIGHT, WRONG, find_handed, hand_in, make_criteria

from labkit.grading.judge.criteria import exercises

NAME = "90_double.ipynb"


@pytest.fixture
def known(tmp_path):
    """The exercises of the class."""
    return exercises(make_criteria(tmp_path / "criteria"))


@pytest.fixture
def handed(tmp_path):
    """The class's folder."""
    folder = tmp_path / "class"
    folder.mkdir()
    return folder


def put(handed, old, new, *, later=0):
    """The old copy is wrong, the new one right; it was made so many seconds later."""
    for name, answer, when in ((old, WRONG, 1e9), (new, RIGHT, 1e9 + later)):
        os.utime(hand_in(handed, "Ada", answer, name), (when, when))


@pytest.mark.parametrize(
    ("old", "new", "later"),
    [
        (NAME, f"final/{NAME}", 60),
        (NAME, "90_double (2).ipynb", 0),
        (f"Version 9/{NAME}", f"Version 10/{NAME}", 0),
        (f"old/{NAME}", NAME, -60),
        (f"backup/{NAME}", f"work/{NAME}", -60),
        (f"{NAME}~", NAME, -60),
        ("90_double.ipynb.bak", NAME, -60),
        (f"attempt one/{NAME}", f"attempt two/{NAME}", 60),
        (f"2026-10-12/{NAME}", f"2026-10-13/{NAME}", 60),
    ],
)
def test_the_newest_counts_if_it_is_known(known, handed, old, new, later):
    """By its time, by the number in its name or its folder's; what was put aside never does."""
    put(handed, old, new, later=later)
    (found,) = find_handed(handed, known)
    assert found.notebooks == {"90_double": f"Ada/{new}"}
    assert not found.look


@pytest.mark.parametrize(
    ("old", "new", "later", "why"),
    [
        ("a 90_double.ipynb", "90_double b.ipynb", 0, "nothing says which is the newest"),
        (f"Anna/{NAME}", f"Boris/{NAME}", 60, "they may be of several students"),
        (f"week 3/Anna/{NAME}", f"week 3/Boris/{NAME}", 60, "they may be of several students"),
        (f"Anna - {NAME}", f"Boris - {NAME}", 60, "they may be of several students"),
        (NAME, "90_double.sync-conflict-20261012.ipynb", 60, "two devices had one each"),
    ],
)
def test_somebody_must_look_where_it_is_not_known(known, handed, old, new, later, why):
    """One of them is judged all the same, and named."""
    put(handed, old, new, later=later)
    (found,) = find_handed(handed, known)
    assert found.look
    (note,) = [each for each in found.notes if each.startswith("there are two notebooks for 90_double; ")]
    assert why in note
    assert found.notebooks["90_double"] in note


def test_a_file_and_one_in_an_archive_have_no_common_clock(known, handed):
    """An archive keeps the times of whoever packed it."""
    put(handed, NAME, f"x/{NAME}", later=60)
    with zipfile.ZipFile(handed / "Ada" / "all.zip", "w") as archive:
        archive.write(handed / "Ada" / "x" / NAME, NAME)
    (handed / "Ada" / "x" / NAME).unlink()
    (found,) = find_handed(handed, known)
    assert found.look
    assert any("nothing says which is the newest" in note for note in found.notes)


def test_copies_with_the_same_answers_ask_nobody(known, handed):
    """Wherever they lie."""
    for name in (NAME, f"Anna/{NAME}", f"Boris/{NAME}", "90_double.sync-conflict-20261012.ipynb"):
        hand_in(handed, "Ada", RIGHT, name)
    (found,) = find_handed(handed, known)
    assert not found.look


def test_another_exercise_under_this_name_is_told(known, handed):
    """It counts for what is in it, and not for what it is called."""
    stems = [*known]
    other = next(stem for stem in exercises() if stem not in stems)
    both = {**known, other: exercises()[other]}
    hand_in(handed, "Ada", RIGHT, f"{other}.ipynb")
    (found,) = find_handed(handed, both)
    assert found.look
    assert f"Ada/{other}.ipynb holds answers to 90_double, and none to {other}" in found.notes
