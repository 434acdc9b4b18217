"""What is written when a class is graded: files for people, for spreadsheets and for the systems that courses use.

results/<student>.json    all that was found; see schema.json      gradebook.csv    a row per student
students/<student>.html   a page for each, to be handed out        canvas.csv, moodle.csv    for import
class.html                for the instructor                       junit.xml        a test case per case
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from labkit.files import make_directory, write_atomically
from labkit.grading.gradebook.pages import class_page, student_page
from labkit.grading.gradebook.results import Grade, schema
from labkit.grading.gradebook.similar import Pair
from labkit.grading.judge.judge import Status
from labkit.grading.reader.whose import file_names
from labkit.grading.sandbox.guarantees import Guarantee

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet would calculate; in some countries it takes the wide forms, too."""
NEVER = "-"


def write_all(out: Path, grades: Sequence[Grade], guarantees: Iterable[Guarantee], pairs: Iterable[Pair]) -> None:
    """Write everything; each file is the old one or the new one, whole."""
    for folder in ("results", "students"):
        make_directory(out / folder)
    guarantees, pairs = list(guarantees), list(pairs)
    grades = [_that_can_be_written(grade) for grade in grades]
    texts = {
        "schema.json": json.dumps(schema(), indent=1) + "\n",
        "gradebook.csv": gradebook(grades),
        "canvas.csv": canvas(grades),
        "moodle.csv": moodle(grades),
        "junit.xml": junit(grades),
        "class.html": class_page(grades, guarantees, pairs),
    }
    names = file_names(grade.student for grade in grades)
    for grade in grades:
        name = names[grade.student]
        texts[f"results/{name}.json"] = grade.model_dump_json(indent=1) + "\n"
        texts[f"students/{name}.html"] = student_page(grade)
    for name, text in texts.items():
        write_atomically(out / name, text.encode())


def _that_can_be_written(grade: Grade) -> Grade:
    """The grade, if every file takes it; else that somebody must look: what one student wrote stops nobody's book."""
    try:
        for text in (gradebook, canvas, moodle, junit, lambda grades: class_page(grades, [], [])):
            text([grade]).encode()
        ET.fromstring(junit([grade]))  # noqa: S314 - written here
        (student_page(grade) + grade.model_dump_json()).encode()
    except Exception as error:  # noqa: BLE001 - whatever it is, it costs this student alone
        return grade.unwritable(error)
    return grade


def gradebook(grades: Sequence[Grade]) -> str:
    """A row per student: status, total, marks by criterion and by case."""
    first = grades[0]
    head = ["student", "status", "total", "of", *first.criteria, *first.cases, "notes"]
    rows = [
        [
            *(grade.student, grade.status, grade.total.got, grade.total.of),
            *(marks.got for marks in [*grade.criteria.values(), *grade.cases.values()]),
            "; ".join([*grade.notes, *(note for result in grade.results for note in result.notes)]),
        ]
        for grade in grades
    ]
    of = ["", "", first.total.of, first.total.of]
    of += [marks.of for marks in [*first.criteria.values(), *first.cases.values()]]
    return _csv([head, ["(marks there are)", *of[1:], ""], *rows])


def canvas(grades: Sequence[Grade]) -> str:
    """For Canvas, Grades → Import. The id is in the names of what Canvas hands out; else the name is a login."""
    rows = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "labkit"]]
    rows += [["    Points Possible", "", "", "", "", str(grades[0].total.of)]]
    for grade in grades:
        of_canvas = grade.platform == "Canvas"
        number, login = (grade.id, "") if of_canvas else ("", grade.student)  # an anonymous one has neither
        rows.append([_name(grade), number, "", login, "", str(grade.total.got)])
    return _csv(rows)


def moodle(grades: Sequence[Grade]) -> str:
    """For Moodle, an assignment's Upload grading worksheet. Who is not of Moodle has no identifier, and is passed over.

    "-" is when a grade was changed that never was.
    """
    rows = [["Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)", "Feedback comments"]]
    for grade in grades:
        number = f"Participant {grade.id}" if grade.platform == "Moodle" else ""
        unmet = [f"{r.stem[:2]}.{v.case}" for r in grade.results for v in r.verdicts if v.status is not Status.PASS]
        told = f"not met: {', '.join(unmet)}" if unmet else "all cases met" if grade.results else grade.status
        rows.append([number, _name(grade), str(grade.total.got), str(grade.total.of), NEVER, told])
    return _csv(rows)


def _name(grade: Grade) -> str:
    return grade.student.removesuffix(f"_{grade.id}") if grade.id else grade.student


def junit(grades: Sequence[Grade]) -> str:
    """JUnit XML: a suite per student, a test case per case. What was not judged is skipped."""
    suites = ET.Element("testsuites", name="labkit")
    for grade in grades:
        verdicts = [(result.stem, verdict) for result in grade.results for verdict in result.verdicts]
        failed = sum(verdict.status in {Status.FAIL, Status.TODO} for _, verdict in verdicts)
        skipped = sum(verdict.status is Status.NOT_JUDGED for _, verdict in verdicts)
        errors = sum(verdict.status is Status.LOOK for _, verdict in verdicts)
        counts = {"tests": len(verdicts), "failures": failed, "errors": errors, "skipped": skipped}
        suite = ET.SubElement(suites, "testsuite", name=grade.student, **{k: str(v) for k, v in counts.items()})
        for stem, verdict in verdicts:
            case = ET.SubElement(suite, "testcase", classname=f"{grade.student}.{stem}", name=verdict.case)
            if verdict.status is not Status.PASS:
                kind = {Status.NOT_JUDGED: "skipped", Status.LOOK: "error"}.get(verdict.status, "failure")
                told = {"message": verdict.what or "not begun", "type": verdict.status.name}
                ET.SubElement(case, kind, told).text = verdict.where
    for total in ("tests", "failures", "errors"):
        suites.set(total, str(sum(int(suite.get(total, 0)) for suite in suites)))
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _csv(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        writer.writerow(
            [
                f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) and cell != NEVER else cell
                for cell in row
            ]
        )
    return text.getvalue()
