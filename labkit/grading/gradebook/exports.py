"""What is written when a class is graded: files for people, for spreadsheets and for the systems that courses use.

results/<student>.json    all that was found; see schema.json      gradebook.csv    a row per student
students/<student>.html   a page for each, to be handed out        canvas.csv, moodle.csv    for import
class.html                for the instructor                       junit.xml        a test case per case
sample.csv                for a second grader, if policy.toml asks for one
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from labkit.files import make_directory, write_atomically
from labkit.grading.gradebook.pages import Look, class_page, student_page
from labkit.grading.gradebook.platforms import as_csv, canvas, decided, moodle
from labkit.grading.gradebook.policy import Policy
from labkit.grading.gradebook.results import Grade, Marks, schema
from labkit.grading.gradebook.similar import Pair, groups
from labkit.grading.gradebook.veils import files_of, pseudonyms, sample, veiled
from labkit.grading.judge.judge import Status
from labkit.grading.sandbox.guarantees import Guarantee

WRITTEN = ".state/written.json"
"""The names of the files that were written last."""


def write_all(
    out: Path, grades: Sequence[Grade], guarantees: Iterable[Guarantee], pairs: Iterable[Pair],
    asked: Sequence[str] = (), policy: Policy | None = None,
) -> None:  # fmt: skip
    """Write everything; each file is the old one or the new one, whole.

    `asked`: the exercises that Canvas and Moodle are told of, by number; all if there are none.
    """
    for folder in ("results", "students"):
        make_directory(out / folder)
    policy = policy or Policy()
    grades = [_that_can_be_written(grade) for grade in grades]
    veils = pseudonyms(grades) if policy.anonymous else {}
    names, pages = files_of(grades, veils)
    second = sample(grades, policy.sample)
    texts = {
        "schema.json": json.dumps(schema(), indent=1) + "\n",
        "gradebook.csv": gradebook(grades),
        "canvas.csv": canvas(grades, asked),
        "moodle.csv": moodle(grades, asked),
        "junit.xml": junit(grades),
        "class.html": class_page(grades, list(guarantees), groups(pairs, grades), Look(veils, pages, second)),
    }
    if second:
        texts["sample.csv"] = second_marks([grade for grade in grades if grade.student in second], pages)
    for grade in grades:
        texts[f"results/{names[grade.student]}.json"] = grade.model_dump_json(indent=1) + "\n"
        texts[pages[grade.student]] = student_page(veiled(grade, veils))
    for name, text in texts.items():
        write_atomically(out / name, text.encode())
    _forget_others(out, list(texts))


def _forget_others(out: Path, names: list[str]) -> None:
    """Remove what an earlier run wrote and this one has not: pages under a name that is hidden, or another one, now."""
    manifest = out / WRITTEN
    before = json.loads(manifest.read_text("utf-8")) if manifest.exists() else []
    for name in set(before) - set(names):
        (out / name).unlink(missing_ok=True)
    make_directory(manifest.parent)
    write_atomically(manifest, json.dumps(names).encode())


def _that_can_be_written(grade: Grade) -> Grade:
    """The grade, if every file takes it; else that somebody must look: what one student wrote stops nobody's book."""
    try:
        for text in (gradebook, canvas, moodle, junit, lambda grades: class_page(grades, [], [], Look())):
            text([grade]).encode()
        ET.fromstring(junit([grade]))  # noqa: S314 - written here
        (student_page(grade) + grade.model_dump_json()).encode()
    except Exception as error:  # noqa: BLE001 - whatever it is, it costs this student alone
        return grade.unwritable(error)
    return grade


def gradebook(grades: Sequence[Grade]) -> str:
    """A row per student: status, total, marks by criterion and by case."""
    first = grades[0]
    head = ["student", "status", "total", "of", *first.exercises, *first.criteria, *first.cases, "decided", "notes"]
    rows = [
        [
            *(grade.student, grade.status, grade.total.got, grade.total.of),
            *(marks.got for marks in _parts(grade)),
            "; ".join(decided(grade)),
            "; ".join([*grade.notes, *(note for result in grade.results for note in result.notes)]),
        ]
        for grade in grades
    ]
    of = ["", first.total.of, first.total.of, *(marks.of for marks in _parts(first))]
    return as_csv([head, ["(marks there are)", *of, "", ""], *rows])


def _parts(grade: Grade) -> list[Marks]:
    return [*grade.exercises.values(), *grade.criteria.values(), *grade.cases.values()]


def second_marks(grades: Sequence[Grade], pages: Mapping[str, str]) -> str:
    """A row per student and exercise of the sample, for a second grader to fill in."""
    head = ["page", "exercise", "marks", "of", "second grader's marks", "comment"]
    rows = [
        [pages[grade.student], number, marks.got, marks.of, "", ""]
        for grade in grades
        for number, marks in grade.exercises.items()
    ]
    return as_csv([head, *rows])


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
        if told := decided(grade):
            ET.SubElement(suite, "system-out").text = "\n".join(told)
    for total in ("tests", "failures", "errors"):
        suites.set(total, str(sum(int(suite.get(total, 0)) for suite in suites)))
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"
