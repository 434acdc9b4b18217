"""What users of other graders have reported, tried on ours: nothing right is lost, and each repair is told.

Each row names the public report that it was made after. Here it is read; whether an answer is right is not asked.
"""

import io
import json
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from own_class import RIGHT, WRONG, cell, cells, find_handed, hand_in, make_criteria, notebook

from labkit.grading.judge.criteria import exercises, submission_of
from labkit.grading.notebook.cells import Cell, cells_of
from labkit.grading.notebook.language import is_python
from labkit.grading.notebook.scripts import cells_of_script
from labkit.repository import WORK, UsageError

BODY = RIGHT.removeprefix("# answer: double\n")
STUB = '# answer: double\ndef double(number):\n    raise NotImplementedError("exercise 90: double")\n'
LINES = RIGHT.splitlines()


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """The exercises of the class."""
    return exercises(make_criteria(tmp_path_factory.mktemp("own") / "criteria"))


def stored(*given):
    """A notebook's bytes: sources become code cells without ids."""
    made = [each if isinstance(each, dict) else cell("", each) for each in given]
    return json.dumps(notebook(*made)).encode()


def text_cell(source, kind="markdown"):
    """A cell that is no code."""
    return cell("", source, kind)


def conflict(*lines):
    """A notebook in which git has left these lines, of which the first is the local one."""
    text = json.dumps(notebook(cell("", RIGHT)), indent=1)
    line = next(each for each in text.splitlines() if "def double" in each)
    other = line.replace("2 * number", "3 * number")
    marks = {"ours": line, "base": other, "theirs": other}
    return text.replace(line, "\n".join(marks.get(each, each) for each in lines)).encode()


READ = {
    "nbgrader 108, 1083: the answer's cell was copied": (stored(RIGHT, RIGHT), None),
    "nbgrader 1083: and the copy solved": (stored(STUB, RIGHT), "two cells"),
    "nbgrader 1083: the copy is the stub": (stored(RIGHT, STUB), "the solved one counts"),
    "resonance 109: a new cell below the one for the answer": (stored(STUB, BODY), "unsolved; another cell"),
    "nbgrader 424: the cell was deleted and written anew": (stored(BODY), "no cell begins with"),
    "nbgrader 92: a text cell": (stored(text_cell(RIGHT)), "type markdown"),
    "nbgrader 1680: a raw cell": (stored(text_cell(RIGHT, "raw")), "type raw"),
    "grader-service 341: a cell of a type of its own": (stored(text_cell(RIGHT, "answer")), "type answer"),
    "nbgrader 1941: a text cell with a fence": (stored(text_cell(f"```python\n{RIGHT}```")), "type markdown"),
    "nbgrader 1941: a heading, and the answer below it": (
        stored(text_cell("# Answer: double\nI multiply."), BODY),
        "no cell begins with",
    ),
    "nbdev 365: CR": (stored(RIGHT.replace("\n", "\r")), None),
    "vscode-jupyter 4576: CRLF": (stored(RIGHT.replace("\n", "\r\n")), None),
    "jupytext 191: U+FEFF before the source": (stored(f"\ufeff{RIGHT}"), "was taken as"),
    "markitdown 2425: a byte order mark": (b"\xef\xbb\xbf" + stored(RIGHT), None),
    "nbdime 506: UTF-16": (stored(RIGHT).decode().encode("utf-16"), "UTF-16"),
    "nbdime 506: UTF-16 without its mark": (stored(RIGHT).decode().encode("utf-16-le"), "UTF-16"),
    "kelp-compare 83: cp1252": (stored(RIGHT, "# é").replace(b"\\u00e9", b"\xe9"), "not UTF-8"),
    "ipython 7813: a character of Word's": (stored(RIGHT.replace("    ", "\u00a0   ")), "non-breaking"),
    "help 67: git's conflict": (conflict("<<<<<<< HEAD", "ours", "=======", "theirs", ">>>>>>> b"), "1 unresolved"),
    "help 171: with names behind the marks": (
        conflict("<<<<<<< HEAD:a", "ours", "||||||| parent of 4e2b", "base", "=======", "theirs", ">>>>>>> 4e2b:a"),
        "1 unresolved",
    ),
    "nbdime 379: its conflict of cells": (
        stored(text_cell("`<<<<<<< local`"), RIGHT, text_cell("`=======`"), WRONG, text_cell("`>>>>>>> remote`")),
        "nbdime",
    ),
    "nbdime 379: its conflict within a cell": (
        stored("\n".join([LINES[0], "<<<<<<< local", *LINES[1:], "=======", "x", ">>>>>>> remote", ""])),
        "unresolved merge conflicts",
    ),
    "otter 604: a cell magic above": (stored(f"%%time\n{RIGHT}"), "exists only in notebooks"),
    "otter 604: and below the first line": (stored(f"{LINES[0]}\n%%time\n{BODY}"), "exists only in notebooks"),
    "otter 756: %%capture": (stored(f"%%capture out\n{RIGHT}"), "exists only in notebooks"),
    "otter 861: %pip": (stored(f"{LINES[0]}\n%pip install -q tenacity\n{BODY}"), "exists only in notebooks"),
    "otter 861: !pip": (stored(f"{LINES[0]}\n!pip install -q tenacity\n{BODY}"), "exists only in notebooks"),
    "otter 756: %timeit below": (stored(f"{RIGHT}\n%timeit double(2)\n"), "exists only in notebooks"),
    "otter 756: help below": (stored(f"{RIGHT}\ndouble?\n"), "exists only in notebooks"),
    "nbgrader 1087: pasted with prompts": (
        stored(f"{LINES[0]}\n>>> def double(number):\n...     return 2 * number\n"),
        "only a notebook understands",
    ),
    "nbconvert 1872: a cell without outputs": (
        stored({"cell_type": "code", "source": RIGHT.splitlines(keepends=True)}),
        None,
    ),
    "nbconvert 1872: a cell without a source": (stored({"cell_type": "code", "source": None}, RIGHT), None),
    "nbgrader 916: a notebook of version 3": (
        json.dumps({"worksheets": [{"cells": [{"cell_type": "code", "input": RIGHT}]}], "nbformat": 3}).encode(),
        "version before 4",
    ),
    "colabtools 1381: saved as a text within JSON": (json.dumps(stored(RIGHT).decode()).encode(), "within a text"),
    "help 171: an older file's end": (stored(RIGHT) + b'\n "nbformat": 4\n}\n', "behind the end of the notebook"),
    "otter 755: widgets below": (stored(f"{RIGHT}\ninteract(double, number=3);\n"), None),
    "nbgrader 1941: a split cell": (stored(LINES[0], BODY), "goes on in the next cell"),
    "nbgrader 1941: split in its function": (
        stored("\n".join(LINES[:2]), "\n".join(LINES[2:])),
        "goes on in the next cell",
    ),
    "nbgrader 1941: merged with the cell above": (stored(f"import math\n\n{RIGHT}"), "was taken as"),
    "prog-edu-assistant 29: the first line in capitals": (stored(RIGHT.replace("answer", "ANSWER")), "was taken as"),
    "prog-edu-assistant 29: no blank behind the #": (stored(RIGHT.replace("# answer", "#answer")), "was taken as"),
    "prog-edu-assistant 29: without its colon": (stored(RIGHT.replace(": double", " double", 1)), "was taken as"),
    "prog-edu-assistant 29: misspelt": (stored(RIGHT.replace("answer", "anwser")), "was taken as"),
    "prog-edu-assistant 29: a name above": (stored(f"# Ada, group 3\n\n{RIGHT}"), "was taken as"),
    "nbgrader 1154: the stub was kept below": (
        stored(RIGHT + STUB.removeprefix("# answer: double\n")),
        "kept beside the answer",
    ),
    "otter 13: the check in the answer's cell": (stored(f'{RIGHT}\ncheck("90.doubles")\n'), "cell of its own"),
}


@pytest.mark.parametrize("report", READ)
def test_an_answer_is_read_however_it_was_stored(known, report):
    """It is Python that doubles, and a note says what was read for what."""
    data, note = READ[report]
    found = submission_of(known["90_double"], *cells_of(data, "90_double.ipynb"))
    assert "def double(number):" in found.answers["double"]
    assert "2 * number" in found.answers["double"]
    assert "NotImplementedError" not in found.answers["double"]
    assert is_python(found.answers["double"])
    if note:
        assert note in "; ".join(found.notes)
    else:
        assert [each for each in found.notes if "the last one counts" not in each] == []


MARIMO = """import marimo

app = marimo.App()


@app.cell
def _():
    import math
    return (math,)


@app.cell
def _(math):
    # answer: double
    def double(number):
        return 2 * number

    return (
        double,
    )


@app.cell
def _(double):
    double(4)
    return


if __name__ == "__main__":
    app.run()
"""
SCRIPTS = {
    "cursor-boston 844: a notebook of marimo": MARIMO,
    "cursor-boston 844: with a function of its own": MARIMO.replace("@app.cell\ndef _(math):\n", "@app.function\n")
    .replace("    # answer: double\n    def double(number):\n        ", "# answer: double\ndef double(number):\n    ")
    .replace("\n    return (\n        double,\n    )\n", ""),
    "otter 176: cells pasted together": f'{RIGHT}\ncheck("90.doubles")\n',
    "Databricks: a source file": f"# Databricks notebook source\nimport math\n\n# COMMAND ----------\n\n{RIGHT}",
    "jupytext 112: its light format": f"# jupyter:\n\nimport math\n\n# +\n{RIGHT}# -\n\n# %time double(3)\n",
}


@pytest.mark.parametrize("report", SCRIPTS)
def test_an_answer_is_read_from_a_script(known, report):
    """Whatever saved the notebook as one."""
    cells, notes = cells_of_script(SCRIPTS[report].encode())
    found = submission_of(known["90_double"], cells, notes)
    assert found.answers["double"].strip().startswith(RIGHT.strip())
    assert is_python(found.answers["double"])
    assert "marimo" not in found.answers["double"]


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("from labkit import check", ""),
        ("from labkit import check, explain, hint", ""),
        ("from labkit import (\n    Task,\n    check,\n)", "from labkit import Task"),
        ("from labkit import check  # to ask", "pass  # to ask"),
        ("from labkit import Task, check; import math", "from labkit import Task; import math"),
    ],
)
def test_an_answer_need_not_import_its_judge(known, line, left):
    """Where answers are enclosed it is not there; what else is imported stays."""
    data = stored(f"{RIGHT.splitlines()[0]}\n{line}\n\n{RIGHT.partition(chr(10))[2]}")
    found = submission_of(known["90_double"], *cells_of(data, "90_double.ipynb"))
    assert "check" not in found.answers["double"]
    assert left in found.answers["double"]
    assert "2 * number" in found.answers["double"]


UNREAD = {
    "otter 617: empty": (b"", "it is empty"),
    "datahub 4477: nothing but zeros": (bytes(100), "nothing but zeros"),
    "help 171: cut off": (stored(RIGHT)[:-40], "JSONDecodeError"),
    "scipp 149: edited by hand": (stored(RIGHT + 'x = "a"').replace(b'\\"a', b'"a'), "JSONDecodeError"),
    "algorithmic-trading-python 1: GitHub's page": (b"\n" * 300 + b"<!DOCTYPE html>\n<html>", "web page"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "pointer of Git LFS"),
    "connector-instructors 32: a PDF": (b"%PDF-1.7\n", "it is a PDF"),
    "nbgrader 861: a web page": (b"<!DOCTYPE html>\n<html>", "web page"),
    "Office": (b"PK\3\4word/", "an Office document"),
    "canvas-lms 2406: another file under this name": (b"\x89PNG\r\n", "a picture"),
    "iCloud": (b"bplist00", "iCloud"),
    "macOS": (b"\0\5\x16\7\0\2\0\0Mac OS X", "macOS"),
}


@pytest.mark.parametrize("report", UNREAD)
def test_what_is_no_notebook_says_what_it_is_and_what_to_do(tmp_path, known, report):
    """The student has a row, and the status is never "graded"."""
    data, what = UNREAD[report]
    hand_in(tmp_path / "class", "Ada", RIGHT).write_bytes(data)
    with pytest.raises(UsageError, match=what):
        cells_of(data, "x.ipynb")
    (found,) = find_handed(tmp_path / "class", known)
    assert (found.look, found.submissions) == (True, {})
    assert what in found.notes[0]


def zipped(files):
    """An archive of these files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def locked(archive):
    """The same archive, marked as encrypted."""
    local, listed = archive.index(b"PK\3\4") + 6, archive.index(b"PK\1\2") + 8
    return bytes(each | (place in {local, listed}) for place, each in enumerate(archive))


def tarred(files):
    """The same as a tarball."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


GOOD, UNSOLVED, BAD = stored(RIGHT), stored(STUB), stored(WRONG)
CLONE = {
    "exercises/criteria.toml": b"",
    "exercises/90_double.ipynb": UNSOLVED,
    "solutions/90_double.ipynb": BAD,
    "tests/support/90_double.ipynb": BAD,
}
HANDED = {
    "abc-classroom 88: renamed": {"Ada/double-ada-lovelace.ipynb": GOOD},
    "nbgrader 1905: deep in folders": {"Ada/ps1/ps1/ps1.ipynb": GOOD},
    "canvas-lms 2310: -1 behind the first period": {"ada_1_2_90_double-1.final.ipynb": GOOD},
    "otter 617: Chrome adds .json": {"Ada/90_double.ipynb.json": GOOD},
    "colabtools 1381: Windows adds .txt": {"Ada/90_double.ipynb.txt": GOOD},
    "a suffix in capitals": {"Ada/90_DOUBLE.IPYNB": GOOD},
    "otter 617: a zip, and what is in it": {"Ada/90_double.zip": zipped({"90_double.ipynb": GOOD})},
    "INGInious 26: a tarball": {"Ada/work.tar.gz": tarred({f"./{WORK}/90_double.ipynb": GOOD})},
    "mark 630: macOS's shadows in a zip": {
        "Ada/work.zip": zipped({"__MACOSX/._90_double.ipynb": b"\0\5\x16\7", "a/90_double.ipynb": GOOD})
    },
    "Jupyter's checkpoint beside it": {
        "Ada/90_double.ipynb": GOOD,
        "Ada/.ipynb_checkpoints/90_double-checkpoint.ipynb": UNSOLVED,
    },
    "Jupyter's checkpoint is all there is": {"Ada/.ipynb_checkpoints/90_double-checkpoint.ipynb": GOOD},
    "the saved one is a stub": {
        "Ada/90_double.ipynb": UNSOLVED,
        "Ada/ipynb_checkpoints/90_double-checkpoint.ipynb": GOOD,
    },
    "Submitty 11736: several notebooks, the first a stub": {"Ada/1.ipynb": UNSOLVED, "Ada/2.ipynb": GOOD},
    "Submitty 11736: several notebooks, the last a stub": {"Ada/1.ipynb": GOOD, "Ada/2.ipynb": UNSOLVED},
    "a browser's second download": {"Ada/90_double.ipynb": UNSOLVED, "Ada/90_double (1).ipynb": GOOD},
    "nbgrader 732: of two attempts the later": {"ada_1_9_90_double.ipynb": BAD, "ada_1_10_90_double-1.ipynb": GOOD},
    "ast596 25: the whole repository": {
        **{f"Ada/course/{name}": data for name, data in CLONE.items()},
        f"Ada/course/{WORK}/exercises/90_double.ipynb": GOOD,
    },
    "the whole repository in a zip": {
        "Ada/course.zip": zipped({f"course-main/{n}": d for n, d in {**CLONE, f"{WORK}/90_double.ipynb": GOOD}.items()})
    },
    "IIC2115 206: a script of Colab's": {"Ada/90_double.py": f"# -*- coding: utf-8 -*-\n\n{RIGHT}".encode()},
    "otter 764: with pictures beside it": {"Ada/90_double.ipynb": GOOD, "Ada/a.png": b"\x89PNG", "Ada/a.csv": b"1"},
    "gradetools 17: another exercise's too": {"Ada/90_double.ipynb": GOOD, "Ada/holiday.ipynb": stored("x = 1")},
    "nbgrader 1738: brackets": {"Ada (abc)/90_double [x]+.ipynb": GOOD},
    "the class in one zip": {"submissions.zip": zipped({"ada_1_2_90_double.ipynb": GOOD})},
    "moodle 8: names of question marks": {"????_815_assignsubmission_file_/90_double.ipynb": GOOD},
}


OF_CLASS = {
    "nbgrader 796: folders of ILIAS": {"Lovelace_Ada_alove_4711/90_double.ipynb": GOOD, "Bo/a.ipynb": BAD},
    "gradescope_auto_py 24: the export of Gradescope": {
        "assignment_7_export/submission_1/90_double.ipynb": GOOD,
        "assignment_7_export/submission_2/90_double.ipynb": BAD,
        "assignment_7_export/submission_metadata.yml": b"",
    },
    "a-plus 1407: names of A+": {
        "info.csv": b"", "123_file1_submission1": BAD, "123_file1_submission2": GOOD, "4+5_file1_submission1": BAD,
    },
}  # fmt: skip


@pytest.mark.parametrize("report", OF_CLASS)
def test_the_archive_of_a_class_has_a_row_for_each_student(tmp_path, known, report):
    """Named by the instructor; what is beside the students' folders is nobody's."""
    hand_in_all(tmp_path, {"class.zip": zipped(OF_CLASS[report])})
    found = sorted(find_handed(tmp_path / "class.zip", known), key=lambda each: "2 *" in str(each.submissions))
    assert ["2 * number" in each.submissions["90_double"].answers["double"] for each in found] == [False, True]
    assert [each.look for each in found] == [False, False]


def test_a_clone_in_an_archive_is_one_students(tmp_path, known):
    """Its folders are no students; nor are those in an archive that a student handed in alone."""
    files = {"exercises/90_double.ipynb": UNSOLVED, f"{WORK}/90_double.ipynb": GOOD}
    hand_in_all(tmp_path, {"ada.zip": zipped(files), "late/eve.zip": zipped({"ada/a.ipynb": BAD, "bob/a.ipynb": BAD})})
    assert [each.student for each in find_handed(tmp_path / "ada.zip", known)] == ["ada"]
    assert [each.student for each in find_handed(tmp_path / "late", known)] == ["eve"]


def hand_in_all(folder, files):
    """Write these files."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@pytest.mark.parametrize("report", HANDED)
def test_the_right_copy_counts_wherever_it_lies(tmp_path, known, report):
    """By the answers in it, never by the order of names."""
    hand_in_all(tmp_path / "class", HANDED[report])
    (found,) = find_handed(tmp_path / "class", known)
    assert "2 * number" in found.submissions["90_double"].answers["double"], found.notes
    assert not found.look


def test_what_was_repaired_of_a_file_is_told(tmp_path, known):
    """Another name, an archive, a script."""
    for report in ("otter 617: Chrome adds .json", "otter 617: a zip, and what is in it"):
        hand_in_all(tmp_path / report, HANDED[report])
        assert find_handed(tmp_path / report, known)[0].notes


LOOK = {
    "abjer 11: a PDF alone": {"Ada/90_double.pdf": b"%PDF"},
    "a password": {"Ada/work.zip": locked(zipped({"90_double.ipynb": GOOD}))},
    "a zip with nothing in it": {"Ada/work.zip": zipped({})},
    "a zip cut off": {"Ada/work.zip": zipped({"90_double.ipynb": GOOD})[:-30]},
    "rar": {"Ada/work.rar": b"Rar!\x1a\7"},
    "no answer in it": {"Ada/90_double.ipynb": stored("x = 1")},
    "another notebook alone": {"Ada/holiday.ipynb": stored("x = 1")},
    "datahub 4477: saved empty, under any name": {"Ada/final.ipynb": b""},
    "answers pasted as online text": {"Ada_1_assignsubmission_onlinetext_/onlinetext.html": b"<p># answer: double</p>"},
    "a link": {"Ada/90_double.ipynb": None},
}


@pytest.mark.parametrize("report", LOOK)
def test_what_cannot_be_used_is_looked_at(tmp_path, known, report):
    """It has a row, and a note that names the file."""
    for name, data in LOOK[report].items():
        path = tmp_path / "class" / name
        path.parent.mkdir(parents=True)
        path.symlink_to("/etc/passwd") if data is None else path.write_bytes(data)
    (found,) = find_handed(tmp_path / "class", known)
    assert found.look
    assert found.submissions.get("90_double") is None
    assert found.notes


def test_two_files_of_one_student_are_one_row(tmp_path, known):
    """On Canvas, and where people name the files; text that was written beside them takes nothing away."""
    folder = tmp_path / "class"
    hand_in_all(folder, {"ada_1_2_90_double.ipynb": GOOD, "ada_1_3_notes.pdf": b"%PDF", "ada_1_text.html": b"<p>hi"})
    hand_in_all(folder, {"bob_90_double.ipynb": GOOD, "bob.90_double (1).ipynb": UNSOLVED})
    assert [(each.student, list(each.submissions), each.look) for each in find_handed(folder, known)] == [
        ("ada_1", ["90_double"], False),
        ("bob", ["90_double"], False),
    ]


def test_a_student_cannot_hand_in_for_another(tmp_path, known):
    """Names within somebody's archive are theirs, whatever platform they look like."""
    hand_in_all(
        tmp_path, {"eve_1_2_work.zip": zipped({"ada_4_5_90_double.ipynb": BAD}), "ada_4_5_90_double.ipynb": GOOD}
    )
    hand_in_all(tmp_path, {"mallory.zip": zipped({"ada_4_6_90_double.ipynb": BAD})})
    found = {each.student: each.submissions["90_double"].answers["double"] for each in find_handed(tmp_path, known)}
    assert sorted(found) == ["ada_4", "eve_1", "mallory"]
    assert "2 * number" in found["ada_4"]


SOURCES = st.lists(
    st.sampled_from(
        [*RIGHT.splitlines(), "%%time", "!ls", "x?", "```", "<<<<<<< HEAD", "=======", ">>>>>>> b", "\ufeff"]
    )
    | st.text(max_size=30),
    max_size=12,
).map("\n".join)
CELLS = st.lists(
    st.fixed_dictionaries({"cell_type": st.sampled_from(["code", "markdown", "raw", 7, None]), "source": SOURCES})
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=5), lambda each: st.lists(each, max_size=3), max_leaves=5
    ),
    max_size=5,
)


@given(CELLS)
def test_no_notebook_makes_the_reader_fail(known, made):
    """Whatever is in it: answers or one clear line, and all of it can be written down."""
    data = json.dumps({"cells": made}).encode()
    found = submission_of(known["90_double"], *cells_of(data, "x.ipynb"))
    assert set(found.answers) <= {"double"}
    assert all(note.encode() for note in [*found.notes, *found.answers.values()])


@given(st.lists(st.sampled_from(["", "x = 1\n", "# a remark\n", "import math\n"]), max_size=3), st.booleans())
def test_a_right_answer_among_anything_is_not_lost(known, others, above):
    """In front of it or behind it, in cells of their own."""
    sources = [*others, RIGHT] if above else [RIGHT, *others]
    found = submission_of(known["90_double"], [Cell(each) for each in sources])
    assert found.answers == {"double": RIGHT}
    assert found.notes == []


@given(st.binary(max_size=400))
def test_no_bytes_make_the_reader_fail(data):
    """Such bytes are no notebook: one clear line says so."""
    with pytest.raises(UsageError, match=r"\Ax\.ipynb is not a notebook that can be read [^\n]+\Z"):
        cells_of(data, "x.ipynb")


def test_our_own_notebooks_need_no_repair(known):
    """An exercise as it is handed out is unsolved, and says nothing."""
    ours = submission_of(known["90_double"], [Cell(each["source"], each["id"]) for each in cells(STUB)])
    assert (ours.answers, ours.notes) == ({"double": STUB}, [])
