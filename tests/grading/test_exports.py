"""What is written for a class can be imported, read and trusted: nothing in it was written by a student's code."""

import csv
import io
import json
import re
from html import unescape
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from own_class import make_criteria

from labkit.grading.gradebook.exports import canvas, gradebook, junit, moodle, write_all
from labkit.grading.gradebook.results import Grade
from labkit.grading.gradebook.similar import Pair
from labkit.grading.judge.criteria import exercises
from labkit.grading.judge.judge import Result, Status, Verdict
from labkit.grading.reader.whose import file_names, whose
from labkit.grading.sandbox.guarantees import Guarantee

EVIL = "</title><script>alert(1)</script>\"'&"


def graded(tmp_path, student, *statuses, what="", runs=()):
    """A grade with these two verdicts."""
    known = exercises(tmp_path / "criteria")
    verdicts = [
        Verdict(
            case=case.id, criterion=case.criterion, title=case.title, marks=case.marks, status=status, what=what,
            timeline=[("open <b>", True), ("write", False)] if what else [],
        )
        for case, status in zip(known["90_double"].cases, statuses, strict=True)
    ]  # fmt: skip
    results = [Result(stem="90_double", title="Twice", seed=0, verdicts=verdicts, notes=[EVIL])] if verdicts else []
    return Grade.of(student, results, list(runs), [], known)


@pytest.fixture
def grades(tmp_path):
    """Somebody who is right, somebody who is wrong, somebody who handed in nothing."""
    make_criteria(tmp_path / "criteria")
    return [
        graded(tmp_path, "Ada", Status.PASS, Status.PASS),
        graded(tmp_path, f"=cmd()|{EVIL}", Status.FAIL, Status.NOT_JUDGED, what=EVIL, runs=[EVIL]),
        Grade.of("Zoë", [], [], [], exercises(tmp_path / "criteria")),
    ]


def rows(text):
    """A CSV file as a list of rows."""
    return list(csv.reader(io.StringIO(text)))


def test_marks_add_up_by_criterion_and_by_case(grades):
    """A row for everybody; what was not judged and what was not handed in gives none."""
    ada, wrong, none = grades
    assert (ada.total.got, ada.total.of) == (3, 3)
    assert (wrong.total.got, wrong.total.of) == (0, 3)
    assert (none.total.got, none.total.of, none.status) == (0, 3, "nothing handed in")
    assert {name: (marks.got, marks.of) for name, marks in ada.criteria.items()} == {"sums": (2, 2), "zeros": (1, 1)}
    assert rows(gradebook(grades))[:3] == [
        [
            "student",
            "status",
            "total",
            "of",
            "90",
            "sums",
            "zeros",
            "90.doubles",
            "90.doubles_none",
            "decided",
            "notes",
        ],
        ["(marks there are)", "", "3", "3", "3", "2", "1", "2", "1", "", ""],
        ["Ada", "graded", "3", "3", "3", "2", "1", "2", "1", "", EVIL],
    ]
    assert len(rows(gradebook(grades))) == 2 + len(grades)


def test_a_spreadsheet_calculates_nothing(grades):
    """A name that begins like a formula is text."""
    for text in (gradebook(grades), canvas(grades), moodle(grades)):
        assert not [cell for row in rows(text) for cell in row if cell.startswith(("=", "+", "@"))]


def handed(tmp_path, *names):
    """Grades of students whose files or folders have these names."""
    make_criteria(tmp_path / "criteria")
    known = exercises(tmp_path / "criteria")
    named = [whose(name, known) for name in names]
    return [Grade.of(each.student, [], [], [], known, each) for each in named]


def test_canvas_finds_its_students(tmp_path):
    """By the id in the names of the files that it hands out; else by login. Its importer skips what it does not know.

    It wants a header whose first two cells name the student and the ID, and reads a row of points possible.
    """
    names = ["lovelaceada_4711_12_90_double.ipynb", "byron_LATE_4712_13_x.ipynb", "anon_a1b2c_7_x.ipynb", "boole.ipynb"]
    head, points, *students = rows(canvas(handed(tmp_path, *names)))
    assert head[:5] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    assert points[0].strip() == "Points Possible"
    assert points[-1] == "3"
    assert [row[:4] for row in students] == [
        ["lovelaceada", "4711", "", ""],
        ["byron", "4712", "", ""],
        ["anon_a1b2c", "", "", ""],
        ["boole", "", "", "boole"],
    ]
    assert {len(row) for row in rows(canvas(handed(tmp_path / "again", *names)))} == {6}


def imported(text):
    """What Moodle's importer of an assignment's worksheet takes: user id → grade. It takes none if a column is missing.

    The id is what follows the word Participant in a cell, however that begins.
    """
    head, *students = rows(text)
    where = {name: head.index(name) for name in ("Identifier", "Grade", "Last modified (grade)")}
    found = {row[where["Identifier"]][len("Participant") :].strip(): row[where["Grade"]] for row in students}
    return {number: grade for number, grade in found.items() if number.isdigit()}


def test_moodle_finds_its_students(tmp_path):
    """By the number in the names of the folders or files that it hands out."""
    names = ["Ada Lovelace_815_assignsubmission_file_", "Zoë_816_assignsubmission_file_90_double.ipynb"]
    given = handed(tmp_path, *names)
    assert rows(moodle(given))[1] == ["Participant 815", "Ada Lovelace", "0", "3", "-", "nothing handed in"]
    assert imported(moodle(given)) == {"815": "0", "816": "0"}


def test_moodle_takes_nobody_for_somebody_else(tmp_path):
    """A name that ends in a number is no participant's."""
    assert imported(moodle(handed(tmp_path, "Participant 12.ipynb", "somebody 12.ipynb", "ada_12_13_x.ipynb"))) == {}


ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "disabled", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package"},
    "testcase": {"name", "classname", "assertions", "time", "status"},
    "failure": {"message", "type"},
    "skipped": {"message", "type"},
}
"""Of the schema that Jenkins publishes: what an element may have."""
INSIDE = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase", "system-out", "system-err"},
    "testcase": {"skipped", "error", "failure", "system-out", "system-err"},
    "failure": set(),
    "skipped": set(),
}
REQUIRED = {"testsuite": {"name", "tests"}, "testcase": {"name", "classname"}}


def test_junit_is_as_its_schema_says(grades):
    """Every element, every attribute; the numbers are those of the cases."""
    whole = ET.fromstring(junit(grades))  # noqa: S314 - our own
    for element in whole.iter():
        assert set(element.attrib) <= ATTRIBUTES[element.tag]
        assert set(element.attrib) >= REQUIRED.get(element.tag, set())
        assert {each.tag for each in element} <= INSIDE[element.tag]
    assert int(whole.attrib["tests"]) == len(list(whole.iter("testcase")))
    assert int(whole.attrib["failures"]) == len(list(whole.iter("failure")))


def test_junit_has_a_test_case_per_case(grades):
    """Failed, skipped where it was not judged, and passed."""
    suites = ET.fromstring(junit(grades)).findall("testsuite")  # noqa: S314 - our own
    assert [suite.attrib["failures"] + suite.attrib["skipped"] for suite in suites] == ["00", "11", "00"]
    assert [case.attrib["name"] for case in suites[0]] == ["doubles", "doubles_none"]


def test_what_could_not_be_used_is_never_graded(tmp_path):
    """Whatever else was handed in, and whatever it came to."""
    make_criteria(tmp_path / "criteria")
    known = exercises(tmp_path / "criteria")
    assert Grade.of("Ada", [], [], ["90_double.ipynb is empty"], known, look=True).status == "look"


def test_no_page_runs_what_a_student_wrote(grades, tmp_path):
    """Names, messages and notes are text, and the pages allow no script at all."""
    write_all(tmp_path / "out", grades, [Guarantee(what="files")], [Pair(stem=EVIL, students=(EVIL, "b"), alike=1)])
    pages = [path.read_text() for path in (tmp_path / "out").rglob("*.html")]
    assert len(pages) == 1 + len(grades)
    for page in pages:
        assert "<script" not in page
        assert "open <b>" not in page
        assert "default-src 'none'" in page


def test_a_page_needs_no_other_file_and_shows_no_hidden_case(grades, tmp_path):
    """It can be mailed; what the instructor's cases do stays with the instructor. The class's links to the others."""
    write_all(tmp_path / "out", grades, [], [])
    for path in (tmp_path / "out").rglob("*.html"):
        text = path.read_text()
        assert "src=" not in text.replace("default-src", "")
        assert "trial(" not in text
        linked = [unquote(unescape(each)) for each in re.findall('href="([^"]*)"', text)]
        assert {*linked} == ({*_pages(tmp_path / "out")} if path.name == "class.html" else set())


def _pages(out):
    """The paths of students' pages."""
    return [f"students/{path.name}" for path in (out / "students").iterdir()]


def test_what_is_written_is_what_the_schema_says(grades, tmp_path):
    """The schema lies beside the results, and reads them back."""
    write_all(tmp_path / "out", grades, [], [])
    names = file_names(grade.student for grade in grades)
    required = json.loads((tmp_path / "out" / "schema.json").read_text())["required"]
    for grade in grades:
        text = (tmp_path / "out" / "results" / f"{names[grade.student]}.json").read_text()
        assert set(required) <= set(json.loads(text))
        assert Grade.model_validate_json(text) == grade
