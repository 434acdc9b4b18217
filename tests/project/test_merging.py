"""Whatever a student and an instructor have edited: the student's cells stay, and the course's are renewed."""

import copy
import json

from hypothesis import given
from hypothesis import strategies as st

from labkit.grading.notebook.cells import Cell
from labkit.merging import merged, text_of

NAMES = ("save_task", "load_task")
WORDS = st.text("xyz é\n'#", min_size=1, max_size=8)


def cell(name, source, kind="code"):
    """A cell of the course."""
    return {"cell_type": kind, "id": name, "metadata": {}, "source": source}


def stub(name, hint=""):
    """An answer that nobody has solved."""
    return cell(name, f'# answer: {name}\ndef {name}():\n    raise NotImplementedError("{name}"){hint}')


def notebook(cells):
    """A notebook of them."""
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


COURSE = notebook(
    [
        cell("title", "# Exercise", "markdown"),
        cell("given", "import os"),
        stub("save_task"),
        cell("text", "Now load it.", "markdown"),
        stub("load_task"),
        cell("check", 'check("01")'),
    ]
)


def texts(document):
    """The sources of its cells."""
    return [text_of(each) for each in document["cells"]]


def solved(name, body="return 1"):
    """A student's answer."""
    return f"# answer: {name}\ndef {name}():\n    {body}"


def one_edit(draw, cells, number):
    """Something that a student does in JupyterLab, or that other programs do to a notebook."""
    place = draw(st.integers(0, len(cells) - 1)) if cells else 0
    what = draw(st.sampled_from(["solve", "edit", "delete", "move", "run", "forget id"])) if cells else ""
    if not cells or draw(st.booleans()):
        kind = draw(st.sampled_from(["code", "raw", "markdown"]))
        cells.insert(place, cell(f"own-{number}", f"own {number} {draw(WORDS)}", kind))
    elif what == "solve" and (name := Cell(text_of(cells[place])).answer):
        cells[place]["source"] = solved(name, f"return {number, draw(WORDS)!r}")
    elif what == "edit":
        cells[place]["source"] = f"{text_of(cells[place])}\n# edit {number}"
    elif what == "delete":
        del cells[place]
    elif what == "move":
        cells.insert(draw(st.integers(0, len(cells) - 1)), cells.pop(place))
    elif what == "run":
        cells[place]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "mine"}]
    elif what == "forget id":
        cells[place].pop("id", None)


@st.composite
def edited_by_student(draw):
    """The course's notebook after a student's work, and the texts that are theirs."""
    document = copy.deepcopy(COURSE)
    for number in range(draw(st.integers(0, 8))):
        one_edit(draw, document["cells"], number)
    known = texts(COURSE)
    own = [text for text in texts(document) if text.startswith("own") or (Cell(text).answer and text not in known)]
    return document, own


@st.composite
def edited_by_instructor(draw):
    """The course's notebook a few weeks later."""
    document = copy.deepcopy(COURSE)
    cells = document["cells"]
    for number in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(cells) - 1))
        what = draw(st.sampled_from(["add", "edit", "delete", "move"]))
        if what == "add":
            cells.insert(place, cell(f"new-{number}", f"new {number}"))
        elif what == "edit":
            cells[place]["source"] += f"\n# mended {number}"
        elif what == "delete" and len(cells) > 1:
            del cells[place]
        else:
            cells.insert(draw(st.integers(0, len(cells) - 1)), cells.pop(place))
    return document


@given(edited_by_student(), edited_by_instructor(), st.booleans())
def test_what_a_student_wrote_is_in_the_result(student, course, known):
    """Answers and own cells, word for word, each as often as before."""
    mine, own = student
    result = texts(merged(mine, course, COURSE if known else None).notebook)
    for text in own:
        assert result.count(text) >= own.count(text)


@given(edited_by_student(), edited_by_instructor(), st.booleans())
def test_a_second_time_changes_nothing(student, course, known):
    """So a command that was killed can be given again; and ids are what Jupyter wants."""
    mine, _ = student
    once = merged(mine, course, COURSE if known else None).notebook
    again = merged(once, course, course)
    assert again.notebook == once
    assert again.both == []
    ids = [each["id"] for each in once["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(ids)


@given(edited_by_instructor())
def test_for_whoever_has_written_nothing_it_is_the_courses(course):
    """Also if the copy was run."""
    mine = copy.deepcopy(COURSE)
    mine["cells"][1]["outputs"] = ["mine"]
    done = merged(mine, course, COURSE)
    assert texts(done.notebook) == texts(course)
    assert done.both == []


@given(edited_by_student())
def test_where_the_course_is_unchanged_the_copy_is(student):
    """But for answers that were deleted: they come back unsolved. Nothing is told."""
    mine, _ = student
    before = json.dumps(mine)
    done = merged(mine, COURSE, COURSE)
    assert json.dumps(mine) == before, "what is given is not changed"
    assert done.both == []
    kept = texts(done.notebook)
    assert [text for text in texts(mine) if kept.count(text) < texts(mine).count(text)] == []
    assert {text for text in kept if text not in texts(mine)} <= {text_of(stub(name)) for name in NAMES}


def change(document, name, source):
    """The notebook with another text in one cell."""
    document = copy.deepcopy(document)
    next(each for each in document["cells"] if each["id"] == name)["source"] = source
    return document


def test_given_cells_are_renewed_around_the_answers():
    """A solved answer keeps its outputs; an unsolved one is the new stub; an own cell stays where it was."""
    mine = change(COURSE, "save_task", solved("save_task"))
    mine["cells"][2]["outputs"] = ["mine"]
    mine["cells"].insert(3, cell("own", "print(save_task())"))
    course = change(change(COURSE, "given", "import json"), "load_task", text_of(stub("load_task", "  # a hint")))
    course["cells"].insert(3, cell("new", "More text.", "markdown"))
    done = merged(mine, course, COURSE)
    assert texts(done.notebook) == [
        "# Exercise", "import json", solved("save_task"), "print(save_task())", "More text.", "Now load it.",
        text_of(stub("load_task", "  # a hint")), 'check("01")',
    ]  # fmt: skip
    assert done.notebook["cells"][2]["outputs"] == ["mine"]
    assert done.both == []


def test_what_both_have_changed_is_named():
    """In an answer the student's text stands, in a given cell the course's."""
    mine = change(change(COURSE, "given", "import os, sys"), "save_task", solved("save_task"))
    course = change(change(COURSE, "given", "import json"), "save_task", text_of(stub("save_task", "  # new")))
    done = merged(mine, course, COURSE)
    assert done.both == ["given", "answer save_task"]
    assert texts(done.notebook)[1:3] == ["import json", solved("save_task")]


def test_an_answer_elsewhere_is_found_by_its_first_line():
    """In a cell of another id, in a given cell, or in one with another answer: no stub comes beside it."""
    both = f"{solved('save_task')}\n\n{solved('load_task')}"
    mine = notebook([cell("elsewhere", both), *[each for each in COURSE["cells"] if each["id"] not in NAMES]])
    result = texts(merged(mine, COURSE, COURSE).notebook)
    assert result.count(both) == 1
    assert not any("NotImplementedError" in text for text in result)
    pasted = change(change(COURSE, "given", solved("load_task")), "load_task", "")
    course = change(COURSE, "given", "import json")
    result = texts(merged(pasted, course, COURSE).notebook)
    assert solved("load_task") in result
    assert "import json" in result


def test_what_the_course_takes_out_goes_unless_it_was_changed():
    """Then it is the student's own."""
    course = notebook([each for each in COURSE["cells"] if each["id"] != "text"])
    assert "Now load it." not in texts(merged(COURSE, course, COURSE).notebook)
    mine = change(COURSE, "text", "My notes.")
    assert texts(merged(mine, course, COURSE).notebook)[3] == "My notes."
