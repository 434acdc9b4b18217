"""The pages: one for each student, one for the instructor. Each is a file that needs no other; the second one links."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from labkit.grading.gradebook.platforms import decided
from labkit.grading.gradebook.results import Grade
from labkit.grading.gradebook.similar import Group
from labkit.grading.gradebook.veils import veiled
from labkit.grading.judge.judge import Status
from labkit.grading.sandbox.guarantees import Guarantee

ORDER = {"look": 0, "graded": 1}
"""The rows of a class: who must be looked at first, who has handed in nothing last."""
WORDS = {
    Status.PASS: "met", Status.FAIL: "failed", Status.LOOK: "to be looked at", Status.NOT_JUDGED: "not judged",
    Status.TODO: "not begun", None: "nothing to judge",
}  # fmt: skip
"""How a case stands, in the order of a bar."""


@dataclass(frozen=True)
class Look:
    """What the class's page shows beside grades."""

    veils: Mapping[str, str] = field(default_factory=dict)
    """Student → what the pages call them, if names are hidden."""
    pages: Mapping[str, str] = field(default_factory=dict)
    """Student → the path of their page."""
    second: Sequence[str] = ()
    """Whom a second grader looks at."""

    def name(self, student: str) -> str:
        """As it is shown."""
        return self.veils.get(student, student)

    def href(self, student: str) -> str:
        """The address of a student's page."""
        return quote(self.pages.get(student, ""))


@cache
def _template(name: str) -> Template:
    folder = FileSystemLoader(Path(__file__).with_name("templates"))
    options = {"autoescape": True, "undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    return Environment(loader=folder, **options).get_template(name)  # noqa: S701 - it escapes: see the options


def student_page(grade: Grade) -> str:
    """What a student is handed: each case, what happened, the smallest counterexample, what to look at next."""
    judged = {f"{r.stem.partition('_')[0]}.{verdict.case}" for r in grade.results for verdict in r.verdicts}
    on = {each.of: each for each in grade.overrides if each.of in judged}
    apart = [each for each in grade.overrides if each.of not in on]
    return _template("student.html").render(grade=grade, on=on, apart=apart)


def class_page(grades: Sequence[Grade], guarantees: Sequence[Guarantee], groups: Sequence[Group], look: Look) -> str:
    """What the instructor sees: who has what, whom to look at, how each case went, which wrong answers come again."""
    same: dict[tuple[str, str], list[str]] = defaultdict(list)
    for grade in grades:
        for result in veiled(grade, look.veils).results:
            for verdict in result.verdicts:
                if verdict.status is Status.FAIL:
                    same[f"{result.stem.partition('_')[0]}.{verdict.case}", verdict.what].append(grade.student)
    again = sorted(((key, who) for key, who in same.items() if len(who) > 1), key=lambda each: (-len(each[1]), each[0]))
    rows = sorted(grades, key=lambda grade: (ORDER.get(grade.status, 2), look.name(grade.student)))
    hidden = [(grade, veiled(grade, look.veils)) for grade in rows]
    shown = [(grade, each.notes, decided(each)) for grade, each in hidden]
    return _template("class.html").render(
        rows=shown, guarantees=guarantees, groups=groups, again=again, look=look,
        counts=Counter(grade.status for grade in rows), standings=_standings(grades) if grades else [],
    )  # fmt: skip


def _standings(grades: Sequence[Grade]) -> list[tuple[str, str, list[tuple[str, str, int]]]]:
    """For each case: its name, its title, and how many students stand how."""
    titles: dict[str, str] = {}
    stand: dict[str, Counter[Status | None]] = {case: Counter() for case in grades[0].cases}
    for grade in grades:
        verdicts: dict[str, Any] = {}
        for result in grade.results:
            verdicts |= {f"{result.stem.partition('_')[0]}.{verdict.case}": verdict for verdict in result.verdicts}
        for case, counts in stand.items():
            verdict = verdicts.get(case)
            found = verdict.status if verdict else None
            counts[Status.LOOK if grade.cases[case].undecided else found] += 1
            titles[case] = verdict.title if verdict else titles.get(case, "")
    return [
        (case, titles.get(case, ""), [(_class(status), word, counts[status]) for status, word in WORDS.items()])
        for case, counts in stand.items()
    ]


def _class(status: Status | None) -> str:
    return {Status.NOT_JUDGED: "UNJUDGED", None: "NONE"}.get(status, str(status))
