"""What is written for a class can be imported, read and trusted: nothing in it was written by a student's code."""

import csv
import io
import json
from xml.etree import ElementTree as ET

import pytest
from own_class import make_criteria

from labkit.grading.gradebook.exports import canvas, file_name, gradebook, junit, moodle, write_all
from labkit.grading.gradebook.results import Grade
from labkit.grading.gradebook.similar import Pair
from labkit.grading.judge.criteria import exercises
from labkit.grading.judge.judge import Result, Status, Verdict
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
        ["student", "status", "total", "of", "sums", "zeros", "90.doubles", "90.doubles_none", "notes"],
        ["(marks there are)", "", "3", "3", "2", "1", "2", "1", ""],
        ["Ada", "graded", "3", "3", "2", "1", "2", "1", EVIL],
    ]
    assert len(rows(gradebook(grades))) == 2 + len(grades)


def test_a_spreadsheet_calculates_nothing(grades):
    """A name that begins like a formula is text."""
    for text in (gradebook(grades), canvas(grades), moodle(grades)):
        assert not [cell for row in rows(text) for cell in row if cell.startswith(("=", "+", "@"))]


def test_canvas_finds_its_students(tmp_path):
    """By the id in the names of the files that it hands out; else by login. The second row says what there is."""
    make_criteria(tmp_path / "criteria")
    known = exercises(tmp_path / "criteria")
    given = [Grade.of(name, [], [], [], known) for name in ("lovelaceada_4711_12", "byron_LATE_4712_13", "boole")]
    head, points, *students = rows(canvas(given))
    assert head[:5] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    assert points[0].strip() == "Points Possible"
    assert points[-1] == "3"
    assert [row[:4] for row in students] == [
        ["lovelaceada", "4711", "", ""],
        ["byron", "4712", "", ""],
        ["boole", "", "", "boole"],
    ]


def test_moodle_finds_its_students(tmp_path):
    """By the number in the names of the folders that it hands out."""
    make_criteria(tmp_path / "criteria")
    given = [Grade.of("Ada Lovelace_815_assignsubmission_file", [], [], [], exercises(tmp_path / "criteria"))]
    assert rows(moodle(given))[1][:4] == ["Participant 815", "Ada Lovelace", "0", "3"]


def test_junit_has_a_test_case_per_case(grades):
    """Failed, skipped where it was not judged, and passed."""
    suites = ET.fromstring(junit(grades)).findall("testsuite")  # noqa: S314 - our own
    assert [suite.attrib["failures"] + suite.attrib["skipped"] for suite in suites] == ["00", "11", "00"]
    assert [case.attrib["name"] for case in suites[0]] == ["doubles", "doubles_none"]


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
    """It can be mailed; what the instructor's cases do stays with the instructor."""
    write_all(tmp_path / "out", grades, [], [])
    for path in (tmp_path / "out").rglob("*.html"):
        text = path.read_text()
        assert "src=" not in text.replace("default-src", "")
        assert "href=" not in text
        assert "trial(" not in text


def test_what_is_written_is_what_the_schema_says(grades, tmp_path):
    """The schema lies beside the results, and reads them back."""
    write_all(tmp_path / "out", grades, [], [])
    required = json.loads((tmp_path / "out" / "schema.json").read_text())["required"]
    for grade in grades:
        text = (tmp_path / "out" / "results" / f"{file_name(grade.student)}.json").read_text()
        assert set(required) <= set(json.loads(text))
        assert Grade.model_validate_json(text) == grade


def test_no_name_leads_out_of_the_folder():
    """Each name is a file of its own."""
    names = ["../../etc/passwd", "a/b", "a%2fb", "ünï", ".", "..", "a\x00b"]
    made = [file_name(name) for name in names]
    assert len(set(made)) == len(names)
    assert not any(set("/\x00.") & set(name) for name in made)
