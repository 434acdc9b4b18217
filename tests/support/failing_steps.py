"""A class of two, in which a step of the grading raises where it is about one of them."""

import pkgutil

from own_class import RIGHT, hand_in, make_criteria

from labkit.grading.gradebook import exports
from labkit.grading.gradebook.book import Book
from labkit.grading.run_through.attempt import Attempt

ERRORS = [RuntimeError("Eve"), MemoryError(), RecursionError(), UnicodeError(), KeyError("x")]
STEPS = {
    "find": "labkit.grading.gradebook.handed_in:whose",
    "read": "labkit.grading.reader.reader:taken",
    "open": "labkit.grading.reader.reader:unpacked",
    "choose": "labkit.grading.reader.choice:_copies",
    "take out answers": "labkit.grading.reader.choice:submission_of",
    "compare": "labkit.grading.reader.reader:tokens",
    "check what was told": "labkit.grading.gradebook.handed_in:checked",
    "lock": "labkit.grading.gradebook.student:short",
    "know": "labkit.grading.gradebook.student:Student.told",
    "begin": "labkit.files:FileStateStore.insert",
    "journal": "labkit.files:FileStateStore.save",
    "lend": "labkit.grading.gradebook.grader:Room",
    "judge": "labkit.grading.gradebook.student:_judge_apart",
    "rebuild": "labkit.grading.gradebook.student:rebuilt",
    "run": "labkit.grading.run_through.attempt:Attempt.run",
    "results": "labkit.grading.gradebook.student:Student.entries",
    "when it was handed in": "labkit.grading.gradebook.student:handed_in",
    "add up": "labkit.grading.gradebook.rows:Row.grade",
    "export a page": "labkit.grading.gradebook.exports:student_page",
    "export the class": "labkit.grading.gradebook.exports:class_page",
    "export a table": "labkit.grading.gradebook.exports:gradebook",
    "export for Canvas": "labkit.grading.gradebook.exports:canvas",
    "export for Moodle": "labkit.grading.gradebook.exports:moodle",
    "export for JUnit": "labkit.grading.gradebook.exports:junit",
}
"""Each step of each stage: the function that does it, or begins it."""
HARMLESS = {"find", "lend"}
"""Where the step is about nobody's files: Eve's name alone is not understood, or a slot of hers."""
EVE = f"{RIGHT}# Eve\n"


def class_of_two(folder):
    """A class of Ada, who is right, and Eve."""
    make_criteria(folder / "criteria")
    hand_in(folder / "class", "Ada", RIGHT)
    hand_in(folder / "class", "Eve", EVE)
    return folder


def failing(real, error):
    """Raises where it is about Eve, and something of hers is to be done."""

    def do(*args, **more):
        if "Eve" in repr((args, more)) and "results=[]" not in repr(args):
            raise error
        return real(*args, **more)

    return do


def rows(where, book):
    """Grade and write the book: student → status and marks."""
    students = book.students(where / "class")
    grades = book.grade(students)
    exports.write_all(where / "out", grades, [], [])
    lines = (where / "out" / "gradebook.csv").read_text().splitlines()[2:]
    return {line.split(",")[0]: tuple(line.split(",")[1:3]) for line in lines}


def assert_costs_one_submission(where, monkeypatch, step, error):
    """Ada has her marks and the book is whole; somebody must look at Eve's."""
    monkeypatch.setattr(Attempt, "run", lambda self, *_: [])
    module, _, name = STEPS[step].partition(":")
    owner, _, name = name.rpartition(".")
    holder = pkgutil.resolve_name(f"{module}:{owner}" if owner else module)
    monkeypatch.setattr(holder, name, failing(getattr(holder, name), error))
    found = rows(where, Book(where / "out", where / "criteria", enclosed=False))
    assert found["Ada"] == ("graded", "3")
    assert found["Eve"][0] == ("graded" if step in HARMLESS else "look")
