"""Whatever is handed in, in whatever folder and under whatever name, is found, and what is left out is told."""

import json
import os
import zipfile

import pytest
from attacked import deep
from own_class import RIGHT, WRONG, cell, find_handed, hand_in, notebook

from labkit.grading.gradebook.handed_in import MOST_LOOKED_AT, Reading
from labkit.grading.reader.copies import ASIDE
from labkit.isolation.removal import remove
from labkit.repository import UsageError
from labkit.update import KEPT


def test_a_folder_for_each_student(known, handed):
    """The folder's name is the student's; notebooks may lie deeper in it."""
    hand_in(handed, "Ada", RIGHT)
    hand_in(handed, "Борис", RIGHT, "work/exercises/90_double.ipynb")
    assert {each.student: list(each.notebooks) for each in find_handed(handed, known)} == {
        "Ada": ["90_double"],
        "Борис": ["90_double"],
    }


def test_notebooks_named_by_student_and_exercise(known, handed):
    """As Canvas and many instructors name them."""
    hand_in(handed, ".", RIGHT, "adalovelace_123_456_90_double.ipynb")
    hand_in(handed, ".", RIGHT, "90_double-Boris.ipynb")
    assert [each.student for each in find_handed(handed, known)] == ["Boris", "adalovelace_123"]


def test_a_renamed_notebook_is_known_by_its_answers(known, handed):
    """The file name is the student's to choose."""
    hand_in(handed, "Ada", RIGHT, "final (2).ipynb")
    assert find_handed(handed, known)[0].notebooks == {"90_double": "Ada/final (2).ipynb"}


def test_what_an_update_has_kept_does_not_count_before_the_copy(known, handed):
    """However it is called; alone it does."""
    assert KEPT in ASIDE
    kept = hand_in(handed, "Ada", RIGHT, f"{KEPT}/exercises/90_double-1.ipynb")
    assert find_handed(handed, known)[0].notebooks == {"90_double": f"Ada/{KEPT}/exercises/90_double-1.ipynb"}
    copy = hand_in(handed, "Ada", WRONG, "exercises/90_double.ipynb")
    os.utime(copy, (1, 1))
    os.utime(kept, (2e9, 2e9))
    assert find_handed(handed, known)[0].notebooks == {"90_double": "Ada/exercises/90_double.ipynb"}


def test_what_is_no_exercise_is_told(known, handed):
    """Nothing is left out silently: other notebooks, a second one for an exercise, links."""
    hand_in(handed, "Ada", "x = 1", "holiday.ipynb")
    hand_in(handed, "Ada", RIGHT, "90_double a.ipynb")
    newer = hand_in(handed, "Ada", WRONG, "90_double b.ipynb")
    os.utime(newer, (2e9, 2e9))
    (handed / "Ada" / "90_double z.ipynb").symlink_to(newer)
    found = find_handed(handed, known)[0]
    assert found.notebooks["90_double"] == "Ada/90_double b.ipynb"
    assert sorted(found.notes) == [
        "Ada/90_double z.ipynb is a link: it was not read",
        "Ada/holiday.ipynb is none of the exercises",
        "there are two notebooks for 90_double; Ada/90_double b.ipynb counts: it is the newest",
    ]


def test_a_disks_own_folders_are_no_students(known, handed):
    """A stick, a share and a bin leave folders among theirs."""
    hand_in(handed, "Ada", RIGHT)
    for name in ("System Volume Information", "$RECYCLE.BIN", "lost+found", ".Trashes", "__MACOSX"):
        (handed / name).mkdir()
        (handed / name / "IndexerVolumeGuid").touch()
    assert [found.student for found in find_handed(handed, known)] == ["Ada"]


def test_a_linked_folder_is_not_entered(known, handed, tmp_path):
    """Else one student could hand in another one's work, or the instructor's files."""
    hand_in(tmp_path / "elsewhere", "Ada", RIGHT)
    (handed / "Eve").symlink_to(tmp_path / "elsewhere" / "Ada")
    with pytest.raises(UsageError, match="nothing to grade"):
        find_handed(handed, known)


@pytest.mark.parametrize("make", [lambda folder: None, lambda folder: folder.rmdir()], ids=["empty", "none"])
def test_nothing_to_grade_is_one_line(known, handed, make):
    """An empty folder, and none."""
    make(handed)
    with pytest.raises(UsageError, match="class") as caught:
        find_handed(handed, known)
    assert "\n" not in str(caught.value)


def test_a_file_name_that_is_no_text_is_told_as_far_as_it_goes(known, handed):
    """Not every system's names are UTF-8, and every report is."""
    path = hand_in(handed, "Ada", RIGHT)
    path.rename(path.with_name(os.fsdecode(b"holiday \xff.ipynb")))
    hand_in(handed, "Ada", RIGHT.replace("double", "other"), os.fsdecode(b"other \xff.ipynb"))
    (found,) = find_handed(handed, known)
    assert [note.encode() for note in found.notes] == ["Ada/other �.ipynb is none of the exercises".encode()]


def test_the_archive_of_a_class_is_no_news(known, tmp_path):
    """The instructor has downloaded it: only what a student has packed is told."""
    path = hand_in(tmp_path, ".", RIGHT)
    with zipfile.ZipFile(tmp_path / "own.zip", "w") as own:
        own.write(path, "90_double.ipynb")
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as whole:
        whole.write(path, "lovelaceada_4711_12_90_double.ipynb")
        whole.write(tmp_path / "own.zip", "boolebob_4712_13_own.zip")
    notes = {each.student: each.notes for each in find_handed(tmp_path / "class.zip", known)}
    assert notes["lovelaceada_4711"] == []
    assert "was taken out of an archive" in notes["boolebob_4712"][0]


def test_a_lone_folder_without_end_is_looked_into_but_so_far(known, tmp_path):
    """Whether it is a class's is asked of names alone: not of deep ones, of many, or of those behind a link."""
    folder = tmp_path / "class" / "ada"
    for name in "ab":
        (folder / name).mkdir(parents=True)
    reading = Reading(tmp_path / "class", known, None)
    bundles = reading.bundles()
    deep(folder / "a")
    for number in range(MOST_LOOKED_AT + 10):
        (folder / "b" / f"{number:05}.txt").touch()
    (folder / "link").symlink_to("/")
    assert reading.may_be_class(bundles) == ""
    for name in "cd":
        (folder / name).mkdir()
        (folder / name / "90_double.ipynb").touch()
    remove(folder / "b")
    assert "if those folders are students" in reading.may_be_class(bundles)
    remove(folder)


def test_a_chapter_that_shows_an_answer_is_no_copy_of_the_exercise(known, handed):
    """Students hand in all of work/: a chapter that was saved last holds no answer of theirs."""
    mine = hand_in(handed, "Ada", RIGHT)
    chapter = mine.with_name("08_capstone.ipynb")
    chapter.write_text(json.dumps(notebook(cell("x", f'NEW = """\n{WRONG}"""'))))
    os.utime(mine, (1, 1))
    (found,) = find_handed(handed, known)
    assert found.submissions["90_double"].answers == {"double": RIGHT}
