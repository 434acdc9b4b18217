"""Whatever a notebook has been through: the answers in it are found, and oddities are told."""

import json
import os

import pytest
from own_class import RIGHT, cell, cells, hand_in, notebook

from labkit.grading.judge.criteria import read_submission
from labkit.grading.notebook.cells import Cell, read_notebook
from labkit.grading.notebook.submission import Submission, submission_from
from labkit.repository import UsageError


def read(known, path):
    """What is taken from a notebook."""
    return read_submission(known["90_double"], path)


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


def test_a_misspelt_name_is_the_one_that_it_is_most_like(known, handed):
    """And the report says which word was meant."""
    found = read(known, hand_in(handed, "Ada", RIGHT.replace("answer: double", "answer: duoble")))
    assert found.answers["double"] == RIGHT.replace("answer: double", "answer: duoble")
    assert found.notes == ["`# answer: duoble` was taken as `# answer: double`"]


@pytest.mark.parametrize("mark", ["# answer: double", "# Answer - double"])
@pytest.mark.parametrize("text", ['NEW = """{}"""', "NEW = f'''{}'''", 'def show():\n    """{}"""', '""" {}"""'])
def test_a_first_line_within_a_text_begins_no_answer(known, handed, text, mark):
    """A chapter shows an answer so, and a student may keep an old one: the cell beside it counts, whatever follows."""
    old = text.format(f"\n{mark}\ndef double(x):\n    return 3 * x\n")
    path = hand_in(handed, "Ada", RIGHT)
    path.write_text(json.dumps(notebook(cell("double", RIGHT), cell("x", old))))
    assert read(known, path).answers == {"double": RIGHT}


def test_a_cell_with_another_name_is_found_by_its_id(known, handed):
    """And the report says what it says."""
    other = RIGHT.replace("answer: double", "answer: twice")
    found = read(known, hand_in(handed, "Ada", other))
    assert found.answers["double"] == other
    assert "says `# answer: twice`" in found.notes[0]


GAPS = "# answer: delays\ndef delays():\n    yield 1\n"
RETRY = "def execute_with_retry():\n    return 2\n"


def test_an_answer_without_its_line_is_found_in_the_cell_of_another():
    """Who has merged cells, and lost a line, has answered all the same; and it is told."""
    stubs = {name: Cell(f"# answer: {name}\ndef {name}():\n    ...\n") for name in ("delays", "execute_with_retry")}
    for left in ([], [stubs["execute_with_retry"]], [*stubs.values()]):  # what was not answered may have been left
        found = submission_from([*left, Cell(f"{GAPS}\n\n{RETRY}")], stubs)
        assert "return 2" in found.answers["execute_with_retry"]
        assert "yield 1" in found.answers["delays"]
    found = submission_from([Cell(f"{GAPS}\n\n{RETRY}")], stubs)
    assert "return 2" in found.answers["execute_with_retry"]
    assert any("no cell begins with `# answer: execute_with_retry`" in note for note in found.notes)


def test_an_old_answer_comes_along_with_no_other():
    """Where a cell holds an answer that was written anew below, what else is in it is not taken."""
    stubs = {name: Cell(f"# answer: {name}\ndef {name}():\n    ...\n") for name in ("delays", "execute_with_retry")}
    found = submission_from([Cell(f"{GAPS}\n\n{RETRY}"), Cell(GAPS.replace("1", "7"))], stubs)
    assert "yield 7" in found.answers["delays"]
    assert "execute_with_retry" not in found.answers


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


def test_tags_of_any_shape_cost_no_answer(known, handed):
    """Only the tags of our own notebooks mean something."""
    path = hand_in(handed, "Ada", RIGHT)
    path.write_text(json.dumps(notebook(cell("double", RIGHT, metadata={"tags": 7}))))
    assert read(known, path) == Submission(answers={"double": RIGHT})


@pytest.mark.parametrize(
    "change",
    [lambda text: text + "\xff", lambda text: text.replace("cell_type", "kind", 1)],
    ids=["not UTF-8", "a damaged cell"],
)
def test_a_notebook_of_ours_is_not_repaired(known, change):
    """What would be a note about a student's notebook is an error in an instructor's."""
    exercise = known["90_double"]
    exercise.notebook.write_text(change(exercise.notebook.read_text()), "latin-1")
    with pytest.raises(UsageError, match="is not a notebook that can be"):
        read_notebook(exercise.notebook)


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
    path = hand_in(handed, "Ada", RIGHT)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UsageError, match="is not a notebook"):
        read(known, path)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("from labkit.course.own import apply", ["the answer double imports labkit.course.own.apply"]),
        ("import json, labkit.saga as saga", ["the answer double imports labkit.saga"]),
        ("from labkit import backoff, plan", ["the answer double imports labkit.backoff, labkit.plan"]),
        ("import labkitchen", []),
        ("import math", []),
        ("no Python", []),
    ],
)
def test_an_answer_that_leans_on_labkit_is_told(known, handed, line, told):
    """Whether it is still an answer is for the instructor to say: it costs no marks."""
    path = hand_in(handed, "Ada", RIGHT.replace("\n", f"\n{line}\n", 1))
    notes = read(known, path).notes
    assert [note.partition(", which its exercise does not")[0] for note in notes] == told


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
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(notebook(*cells(RIGHT), cell("more", code))))
    assert read(known, path).answers == {"double": RIGHT}
    hand_in(handed, "Ada", f"{RIGHT}{code}\n")
    answer = read(known, path).answers["double"]
    assert answer.encode().startswith(RIGHT.encode())
