"""What grading a student came to, as plain data: the form that is written, and its schema published."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from labkit.grading.judge.criteria import Exercise
from labkit.grading.judge.judge import Result, Status
from labkit.grading.reader.whose import Whose


class Marks(BaseModel):
    """Marks, and how many there could be."""

    got: int = 0
    of: int = 0

    def plus(self, got: int, of: int) -> "Marks":
        """Together with others."""
        return Marks(got=self.got + got, of=self.of + of)


class Grade(BaseModel):
    """A student's grade. Marks come from `results` alone."""

    student: str
    platform: str = ""
    """Whose names the files had: Canvas, Moodle …; nothing if people named them."""
    id: str = ""
    """What that platform knows the student by."""
    status: str
    """graded; nothing handed in; or look: something there must be looked at by hand."""
    total: Marks
    criteria: dict[str, Marks]
    """By criterion of the course."""
    cases: dict[str, Marks]
    """By case, as in "01.saves_whole", of all exercises."""
    results: list[Result]
    """Of the exercises that were handed in."""
    runs: list[str]
    """Which cells of the notebooks do not run through. It costs nothing."""
    notes: list[str]

    @classmethod
    def of(
        cls, student: str, results: list[Result], runs: list[str], notes: list[str],
        exercises: Mapping[str, Exercise], whose: Whose | None = None, *, look: bool = False,
    ) -> "Grade":  # fmt: skip
        """Add up the marks. An exercise that was not handed in counts with none.

        `whose`: whom the exports mean. `look`: something was handed in that could not be used.
        """
        met = {(r.stem, v.case) for r in results for v in r.verdicts if v.status is Status.PASS}
        cases: dict[str, Marks] = {}
        criteria: dict[str, Marks] = {}
        total = Marks()
        for stem, exercise in exercises.items():
            for case in exercise.cases:
                got = case.marks if (stem, case.id) in met else 0
                cases[f"{exercise.number}.{case.id}"] = Marks(got=got, of=case.marks)
                criteria[case.criterion] = criteria.get(case.criterion, Marks()).plus(got, case.marks)
                total = total.plus(got, case.marks)
        look = look or any(verdict.status is Status.LOOK for result in results for verdict in result.verdicts)
        status = "look" if look else "graded" if results else "nothing handed in"
        who = {"platform": whose.platform, "id": whose.id} if whose else {}
        return cls(
            student=student, status=status, total=total, criteria=criteria, cases=cases, results=results, runs=runs,
            notes=notes, **who,
        )  # fmt: skip

    def unwritable(self, error: Exception) -> "Grade":
        """In its place, if it cannot be written: the marks, and that somebody must look."""
        note = f"the report could not be written ({type(error).__name__}): look at the files yourself"
        return self.model_copy(update={"status": "look", "results": [], "runs": [], "notes": [note]})


def schema() -> dict[str, Any]:
    """The JSON schema of what is written for each student."""
    return Grade.model_json_schema()
