"""Whatever is handed in, in whatever folder, name and state: the answers in it are found, and oddities are told."""

import json
import os

import pytest
from own_class import RIGHT, WRONG, cell, cells, hand_in, make_criteria, notebook

from labkit.grading.criteria import exercises
from labkit.grading.handed import find_handed, read_submission
from labkit.repository import UsageError


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


def read(known, path):
    """What is taken from a notebook."""
    return read_submission(known["90_double"], path)


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
    assert [each.student for each in find_handed(handed, known)] == ["Boris", "adalovelace_123_456"]


def test_a_renamed_notebook_is_known_by_its_answers(known, handed):
    """The file name is the student's to choose."""
    path = hand_in(handed, "Ada", RIGHT, "final (2).ipynb")
    assert find_handed(handed, known)[0].notebooks == {"90_double": path}


def test_what_is_no_exercise_is_told(known, handed):
    """Nothing is left out silently: other notebooks, a second one for an exercise, links."""
    hand_in(handed, "Ada", "x = 1", "holiday.ipynb")
    hand_in(handed, "Ada", RIGHT, "90_double a.ipynb")
    (handed / "Ada" / "90_double z.ipynb").symlink_to(hand_in(handed, "Ada", WRONG, "90_double b.ipynb"))
    found = find_handed(handed, known)[0]
    assert found.notebooks["90_double"].name == "90_double b.ipynb"
    assert sorted(found.notes) == [
        "Ada/90_double z.ipynb is a link: it was not read",
        "Ada/holiday.ipynb is none of the exercises",
        "there are two notebooks for 90_double; Ada/90_double b.ipynb counts",
    ]


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


def test_a_byte_order_mark_and_foreign_characters_do_no_harm(known, handed):
    """Some editors write them."""
    path = hand_in(handed, "Ada", RIGHT)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"import math", b"# \xff\xfe"))
    found = read(known, path)
    assert found.answers == {"double": RIGHT}
    assert found.notes == ["some of its characters are not UTF-8 and were replaced"]


def test_merge_conflicts_are_resolved_and_told(known, handed):
    """The first version of each counts."""
    path = hand_in(handed, "Ada", RIGHT)
    text = json.dumps(notebook(*cells(RIGHT)), indent=1)
    line = next(line for line in text.splitlines() if "def double" in line)
    other = line.replace("2 * number", "3 * number")
    path.write_text(text.replace(line, f"<<<<<<< HEAD\n{line}\n=======\n{other}\n>>>>>>> theirs"))
    found = read(known, path)
    assert found.answers == {"double": RIGHT}
    assert found.notes == ["it holds 1 unresolved merge conflicts; the first version of each was taken"]


def test_a_notebook_of_version_3_is_read(known, handed):
    """Sheets, and `input` in place of `source`."""
    path = hand_in(handed, "Ada", RIGHT)
    old = [{"cell_type": "code", "input": [RIGHT], "language": "python", "outputs": []}]
    path.write_text(json.dumps({"worksheets": [{"cells": old}], "metadata": {}, "nbformat": 3, "nbformat_minor": 0}))
    assert read(known, path).answers == {"double": RIGHT}


def test_colab_keeps_ids_in_metadata_and_sources_in_lines(known, handed):
    """The cell is found by either id."""
    path = hand_in(handed, "Ada", RIGHT)
    bare = RIGHT.removeprefix("# answer: double\n")
    told = cell("", bare.splitlines(keepends=True), metadata={"id": "double", "colab": {}})
    del told["id"]
    path.write_text(json.dumps(notebook(told)))
    found = read(known, path)
    assert found.answers == {"double": bare}
    assert found.notes == ["the line `# answer: double` is gone; its cell was found by its id"]


def test_a_misspelt_marker_is_found_by_its_id(known, handed):
    """And the report says which word was meant."""
    found = read(known, hand_in(handed, "Ada", RIGHT.replace("answer: double", "answer: duoble")))
    assert found.answers["double"] == RIGHT.replace("answer: double", "answer: duoble")
    assert "says `# answer: duoble`" in found.notes[0]


def test_an_answer_in_a_text_cell_counts(known, handed):
    """A key pressed by mistake turns a cell into text."""
    path = hand_in(handed, "Ada", RIGHT)
    path.write_text(json.dumps(notebook(cell("x", RIGHT, "markdown"))))
    found = read(known, path)
    assert found.answers == {"double": RIGHT}
    assert found.notes == ["the answer double is in a cell of type markdown; it was taken as code"]


def test_damaged_cells_cost_only_themselves(known, handed):
    """What is no cell is left out, and told."""
    path = hand_in(handed, "Ada", RIGHT)
    path.write_text(json.dumps(notebook(None, {"cell_type": "code", "source": 7}, cell("double", RIGHT))))
    found = read(known, path)
    assert found.answers == {"double": RIGHT}
    assert found.notes == ["cell 1 is damaged and was left out", "cell 2 is damaged and was left out"]


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"cells": 1}', "[" * 100_000, '{"cells": [' + "1," * 10, "\x00" * 100],
    ids=["empty", "cut off", "a list", "a number", "too deep", "cut off in a list", "zeros"],
)
def test_what_is_no_notebook_is_one_line(known, handed, content):
    """Its name, and what is wrong with it."""
    path = hand_in(handed, "Ada", RIGHT)
    path.write_text(content)
    with pytest.raises(UsageError, match=r"90_double\.ipynb is not a notebook") as caught:
        read(known, path)
    assert "\n" not in str(caught.value)


def test_a_notebook_that_is_too_large_is_not_read(known, handed):
    """A gigabyte of outputs does not fill the grader's memory."""
    path = hand_in(handed, "Ada", RIGHT)
    with path.open("ab") as file:
        file.truncate(2**30)
    with pytest.raises(UsageError, match="more than 20 MB: clear its outputs"):
        read(known, path)


def test_a_pipe_in_place_of_a_notebook_does_not_hold_up_the_grader(known, handed):
    """To open one waits for a writer, who never comes."""
    import os

    path = hand_in(handed, "Ada", RIGHT)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UsageError, match="is not a notebook"):
        read(known, path)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("from labkit.own import apply", ["the answer double imports labkit.own.apply"]),
        ("import json, labkit.saga as saga", ["the answer double imports labkit.saga"]),
        ("from labkit import own, plan", ["the answer double imports labkit.own, labkit.plan"]),
        ("import labkitchen", []),
        ("import math", []),
        ("no Python", []),
    ],
)
def test_an_answer_that_leans_on_labkit_is_told(known, handed, line, told):
    """Whether it is still an answer is for the instructor to say: it costs no marks."""
    path = hand_in(handed, "Ada", RIGHT.replace("\n", f"\n{line}\n", 1))
    assert read(known, path).notes == told


def test_what_the_exercise_imports_itself_may_be_imported_again(known, handed):
    """An answer cell often repeats an import of the cell above it."""
    exercise = known["90_double"]
    text = exercise.notebook.read_text().replace("import math", "from labkit import Task")
    exercise.notebook.write_text(text)
    path = hand_in(handed, "Ada", RIGHT.replace("\n", "\nfrom labkit import Task\n", 1))
    assert read(known, path).notes == []


@pytest.mark.parametrize("code", ["x\0", "-" * 1_000_000 + "1", "x" + ".x" * 200_000, "x = '\ud800'", "(" * 100_000])
def test_a_cell_that_no_parser_can_read_harms_nobody(known, handed, code):
    """Neither beside the answer nor in it: what is no Python is for the judge to say."""
    path = handed / "Ada" / "90_double.ipynb"
    path.parent.mkdir()
    path.write_text(json.dumps(notebook(*cells(RIGHT), cell("more", code))))
    assert read(known, path).answers == {"double": RIGHT}
    hand_in(handed, "Ada", f"{RIGHT}{code}\n")
    answer = read(known, path).answers["double"]
    assert answer.encode().startswith(RIGHT.encode())


def test_a_file_name_that_is_no_text_is_told_as_far_as_it_goes(known, handed):
    """Not every system's names are UTF-8, and every report is."""
    path = hand_in(handed, "Ada", RIGHT)
    path.rename(path.with_name(os.fsdecode(b"holiday \xff.ipynb")))
    hand_in(handed, "Ada", RIGHT.replace("double", "other"), os.fsdecode(b"other \xff.ipynb"))
    (found,) = find_handed(handed, known)
    assert [note.encode() for note in found.notes] == ["Ada/other �.ipynb is none of the exercises".encode()]
