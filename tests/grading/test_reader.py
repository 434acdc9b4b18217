"""What a student hands in is opened by a confined process alone; what it dies of costs that student, with a word."""

import json
import os
import re
import sys
import time
import zipfile
from contextlib import closing

import pytest
from own_class import RIGHT, cell, cells, find_handed, hand_in, make_criteria, notebook
from pydantic import ValidationError

from labkit.crash.printable import is_printable
from labkit.grading.judge.criteria import exercises
from labkit.grading.reader import reader, told
from labkit.grading.reader.told import Told, checked
from labkit.grading.reader.whose import whose
from labkit.grading.sandbox.warm import Servers

enclosed = pytest.mark.skipif(sys.platform != "linux", reason="readers are enclosed on Linux only")
ANSWERS = {"file": "", "answers": {}, "elsewhere": [], "notes": [], "tokens": []}
NASTY = "=1+1 \x1b[31m\x07 \u202e<script>alert(1)</script>&\x00"


@pytest.fixture
def criteria(tmp_path):
    """An instructor's folder."""
    return make_criteria(tmp_path / "criteria")


@pytest.fixture
def handed(tmp_path, criteria):
    """Has readers read a class of Ada, who is right, and Eve."""
    hand_in(tmp_path / "class", "Ada", RIGHT)
    with closing(Servers(criteria)) as servers:

        def handed():
            ada, eve = find_handed(tmp_path / "class", exercises(criteria), servers)
            assert (list(ada.submissions), ada.notes, ada.look) == (["90_double"], [], False)
            return eve

        yield handed


@enclosed
def test_a_reader_tells_what_reading_in_this_process_tells(tmp_path, criteria, handed):
    """The same answers, notes and tokens."""
    hand_in(tmp_path / "class", "Eve", RIGHT.replace("# answer", "# Answer"), os.fsdecode(b"90_double \xff.ipynb"))
    assert handed() == find_handed(tmp_path / "class", exercises(criteria))[1]


@enclosed
def test_an_archive_of_a_class_is_read_for_each_student_alone(tmp_path, criteria):
    """Who is in it is listed by a reader; each reader takes its student's files."""
    (tmp_path / "class").mkdir()
    with zipfile.ZipFile(tmp_path / "class" / "all.zip", "w") as archive:
        for name in ("Ada_1_assignsubmission_file/90_double.ipynb", "Bob_2_assignsubmission_file/90_double.ipynb"):
            archive.writestr(name, json.dumps(notebook(*cells(RIGHT.replace("2 *", f"{len(name)} * {name[4]} *")))))
    with closing(Servers(criteria)) as servers:
        found = find_handed(tmp_path / "class", exercises(criteria), servers)
    assert [(each.student, list(each.submissions)) for each in found] == [
        ("Ada_1", ["90_double"]),
        ("Bob_2", ["90_double"]),
    ]
    assert "* 1 *" in found[0].submissions["90_double"].answers["double"]
    assert "* 2 *" in found[1].submissions["90_double"].answers["double"]


SPOILT = """
import os, time
from labkit.grading.reader import reader

def said(*_, **__):
    {code}

out, bundle = given[:2]
if bundle.whose.student == "Eve":
    reader.SECONDS, reader.said = {seconds}, said
reader.tell(*given)
"""
LIMITS = {
    "time": ({"SECONDS": 1}, "while True: pass", "took more than 1 seconds of processor time"),
    "patience": ({"PATIENCE": 1}, "time.sleep(60)", "took more than 1 seconds"),
    "memory": ({"MEMORY": 700 * 2**20}, "bytearray(2**30)", "needed more than 700 MB of memory"),
    "size": ({}, "out.send_bytes(bytes(9 * 2**20))", "comes to more than 8 MB"),
    "death": ({}, "os._exit(7)", "its reader ended with exit status 7"),
    "other files": ({}, f"open({__file__!r})", "its reader ended with exit status 1"),
    "a neighbour": ({}, "os.listdir(bundle.paths[0].parent / 'Ada')", "its reader ended with exit status 1"),
    "the network": ({}, "import socket; assert len(socket.if_nameindex()) > 1", "ended with exit status 1"),
    "writing": ({}, "open('/tmp/x', 'w').write('x')", "its reader ended with exit status 1"),
    "lies": ({}, "out.send_bytes(b'[]'); os._exit(0)", "told what nobody asked for"),
}


@enclosed
@pytest.mark.parametrize("limit", LIMITS)
def test_a_reader_that_meets_a_limit_costs_its_submission_alone(tmp_path, monkeypatch, handed, limit):
    """Somebody must look, and is told which limit it was; the neighbour is read."""
    changed, code, word = LIMITS[limit]
    hand_in(tmp_path / "class", "Eve", RIGHT)
    for name, value in changed.items():
        monkeypatch.setattr(reader, name, value)
    monkeypatch.setattr(reader, "tell", Spoilt(code, changed.get("SECONDS", 10)))
    eve = handed()
    assert (eve.submissions, eve.look) == ({}, True)
    assert word in eve.notes[0]


class Spoilt:
    """Travels in place of `tell`: does something else, under the limits, when it is about Eve."""

    def __init__(self, code, seconds):
        self.source = f"lambda *given: exec({SPOILT.format(code=code, seconds=seconds)!r}, {{'given': given}})"

    def __reduce__(self):
        return eval, (self.source,)


@pytest.mark.parametrize(
    "said",
    [
        b"[]",
        b'{"look": 1}',
        b'{"more": 1}',
        b'{"notes": ["\\ud800"]}',
        b'{"notes": ["\\u202e"]}',
        b'{"notes": ["\\u001b[31m"]}',
        json.dumps({"notes": ["x" * 3000]}).encode(),
        json.dumps({"notes": ["x"] * 50}).encode(),
        json.dumps(
            {"exercises": {"91": {"file": "", "answers": {}, "elsewhere": [], "notes": [], "tokens": []}}}
        ).encode(),
        json.dumps(
            {"exercises": {"90_double": {"file": "", "answers": {"x": ""}, "elsewhere": [], "notes": [], "tokens": []}}}
        ).encode(),
        b'{"notes": ["' + b"\xff" + b'"]}',
    ],
)
def test_what_is_not_of_the_form_is_not_taken(criteria, said):
    """Types, lengths, counts, valid Unicode, what can be shown, and the answers that there are."""
    with pytest.raises(ValueError, match=r"Told|it tells"):
        checked(said, exercises(criteria))


def test_what_is_of_the_form_is_taken(criteria):
    """Else nothing would be."""
    assert checked(Told(notes=["a note"]).model_dump_json().encode(), exercises(criteria)).notes == ["a note"]
    assert issubclass(ValidationError, ValueError)


def test_notes_are_counted(tmp_path, criteria):
    """A notebook of a hundred thousand damaged cells has forty notes, and one that says how many more there are."""
    hand_in(tmp_path / "class", "Eve", RIGHT).write_text(json.dumps(notebook(*cells(RIGHT), *[1] * 100_000)))
    (eve,) = find_handed(tmp_path / "class", exercises(criteria))
    notes = eve.submissions["90_double"].notes
    assert len(notes) == told.MOST_NOTES + 1
    assert notes[-1] == f"and {100_000 - told.MOST_NOTES} more notes of this kind"


def test_what_is_told_can_be_shown(tmp_path, criteria):
    """Whatever stands in names, cells and markers."""
    strange = cell("x", f"# answer: double {NASTY}\nx = 1", metadata={"tags": [NASTY]})
    path = hand_in(tmp_path / "class", "Eve", RIGHT, "90_double \x1b[31m\u202e.ipynb")
    path.write_text(json.dumps(notebook(*cells(RIGHT), strange, strange | {"cell_type": NASTY})))
    (eve,) = find_handed(tmp_path / "class", exercises(criteria))
    assert all(
        is_printable(note) for note in [*eve.notes, *eve.submissions["90_double"].notes, *eve.notebooks.values()]
    )


@pytest.mark.parametrize(
    "name",
    ["90_double" + "1" * 230 + "x", "a" + ".tgz" * 60 + "x", "_1" * 120 + "!", "90_double" + " copy" * 48 + "!"],
)
def test_whose_a_file_is_takes_no_time(name):
    """No name that a file can have keeps the grader busy."""
    began = time.process_time()
    assert whose(name, ["90_double"]).student
    assert time.process_time() - began < 1


def test_a_copys_name_is_read_as_before():
    """Digits, brackets, words: what stands behind the exercise's name is no part of the student's."""
    for copy in ("", " (1)", "-copy 2", "_copy of", " [3]", "123", " final late_2 "):
        assert whose(f"Ada 90_double{copy}.ipynb", ["90_double"]).student == "Ada"
    assert re.sub(r"\W", "", whose("90_double Ada 1.ipynb", ["90_double"]).student) == "Ada1"
