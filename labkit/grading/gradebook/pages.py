"""The pages: one for each student, one for the instructor. Each is a file that needs no other."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from labkit.grading.gradebook.results import Grade
from labkit.grading.gradebook.similar import Pair
from labkit.grading.judge.judge import Status
from labkit.grading.sandbox.guarantees import Guarantee


@cache
def _template(name: str) -> Template:
    folder = FileSystemLoader(Path(__file__).with_name("templates"))
    options = {"autoescape": True, "undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    return Environment(loader=folder, **options).get_template(name)  # noqa: S701 - it escapes: see the options


def student_page(grade: Grade) -> str:
    """What a student is handed: each case, what happened, the smallest counterexample, what to look at next."""
    return _template("student.html").render(grade=grade)


def class_page(grades: Sequence[Grade], guarantees: Sequence[Guarantee], pairs: Sequence[Pair]) -> str:
    """What the instructor sees: who has what, which case fails most, which wrong answers come again."""
    failed: Counter[str] = Counter()
    same: dict[tuple[str, str], list[str]] = defaultdict(list)
    for grade in grades:
        for result in grade.results:
            for verdict in result.verdicts:
                case = f"{result.stem.partition('_')[0]}.{verdict.case}"
                failed[case] += verdict.status is Status.FAIL
                if verdict.status is Status.FAIL:
                    same[case, verdict.what].append(grade.student)
    again = sorted(((key, who) for key, who in same.items() if len(who) > 1), key=lambda each: (-len(each[1]), each[0]))
    hardest = sorted(((case, count) for case, count in failed.items() if count), key=lambda each: (-each[1], each[0]))
    return _template("class.html").render(
        grades=grades, guarantees=guarantees, pairs=pairs, hardest=hardest, again=again
    )
