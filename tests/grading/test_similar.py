"""Copied answers are listed however they were disguised, and answers that only do the same are not."""

from itertools import combinations

from own_class import make_criteria

from labkit.grading.gradebook.results import Grade
from labkit.grading.gradebook.similar import Pair, groups, pairs
from labkit.grading.judge.criteria import exercises
from labkit.grading.judge.judge import Result, Status, Verdict
from labkit.grading.reader.tokens import tokens

LOOP = """
def first(numbers, least):
    for index, number in enumerate(numbers):
        if number >= least and number % 2 == 0:
            return {"index": index, "number": number, "rest": numbers[index + 1 :]}
    raise ValueError("there is none")


def total(numbers):
    result = 0
    for number in numbers:
        result += number * number
    return result
"""
DISGUISED = (
    LOOP.replace("numbers", "zahlen")
    .replace("index", "i")
    .replace("    ", "  ")
    .replace('"there is none"', "'nothing found'")
    .replace("result = 0\n", "result = 0  # the sum of squares\n\n")
)
ANOTHER = """
def first(numbers, least):
    found = [(i, n) for i, n in enumerate(numbers) if n >= least and not n % 2]
    if not found:
        raise ValueError("none")
    i, n = found[0]
    return dict(index=i, number=n, rest=numbers[i + 1 :])


def total(numbers):
    return sum(n**2 for n in numbers)
"""


def test_other_names_comments_and_layout_hide_nothing():
    """A copy is a copy."""
    (pair,) = pairs({"90": {"Ada": tokens([LOOP]), "Eve": tokens([DISGUISED]), "Bob": tokens([ANOTHER])}})
    assert (pair.students, pair.alike) == (("Ada", "Eve"), 1.0)


def test_a_few_lines_are_alike_by_chance():
    """Of short answers nothing is said."""
    short = "def double(number):\n    return 2 * number\n"
    assert pairs({"90": {"Ada": tokens([short]), "Bob": tokens([short])}}) == []


def test_what_is_not_python_is_compared_as_far_as_it_can_be_read():
    """A submission that does not parse stops nobody."""
    assert tokens(["x = (1,\n'''"]) == tokens(["y = (1,"])
    assert len(tokens(["x = (1,\n'''"])) == 5


def test_the_order_of_a_list_does_not_depend_on_that_of_the_class():
    """The same class in another order gives the same list."""
    there = {"90": {"Ada": tokens([LOOP]), "Eve": tokens([DISGUISED]), "Cyn": tokens([LOOP])}}
    back = {"90": dict(reversed(there["90"].items()))}
    assert pairs(there) == pairs(back)
    assert len(pairs(there)) == 3


def grade(tmp_path, student, status):
    """A student who met both cases, or failed them."""
    known = exercises(tmp_path / "criteria")
    verdicts = [Verdict.of(case, status) for case in known["90_double"].cases]
    return Grade.of(student, [Result(stem="90_double", title="", seed=0, verdicts=verdicts)], [], [], known)


def test_who_is_alike_is_told_once_and_who_is_wrong_in_the_same_way_first(tmp_path):
    """Not every pair of them; what a large part of the class has found is told in one line, behind the others."""
    make_criteria(tmp_path / "criteria")
    names = [f"s{number:02}" for number in range(20)]
    grades = [grade(tmp_path, name, Status.FAIL if name in {"s08", "s09"} else Status.PASS) for name in names]
    ring, wrong, many = names[:3], names[8:10], names[10:]
    alike = [Pair(stem="90_double", students=two, alike=0.95) for who in (ring, many) for two in combinations(who, 2)]
    alike.append(Pair(stem="90_double", students=tuple(wrong), alike=0.91))
    found = groups(alike, grades)
    assert [(group.students, group.usual) for group in found] == [(wrong, False), (ring, False), (many, True)]
    assert found[0].wrong == ["doubles", "doubles_none"]
