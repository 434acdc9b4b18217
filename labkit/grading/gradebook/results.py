"""What grading a student came to, as plain data: the form that is written, and its schema published."""

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel

from labkit.grading.gradebook.policy import Mark, Override, Person
from labkit.grading.gradebook.ruling import Late, Ruling
from labkit.grading.judge.criteria import Case, Exercise
from labkit.grading.judge.judge import Result, Status
from labkit.grading.reader.whose import Whose


class Marks(BaseModel):
    """Marks, and how many there could be."""

    got: Mark = 0
    of: Mark = 0
    undecided: bool = False
    """Whether a human must decide about some of them first."""

    def plus(self, other: "Marks") -> "Marks":
        """Together with others."""
        got, of = neat(self.got + other.got), neat(self.of + other.of)
        return Marks(got=got, of=of, undecided=self.undecided or other.undecided)


def neat(number: Mark) -> Mark:
    """To two decimals, and none where there is nothing behind the point."""
    return int(number) if number == int(number) else round(number, 2)


class Grade(BaseModel):
    """A student's grade. Marks come from `results` and from what people have decided."""

    student: str
    platform: str = ""
    """Whose names the files had: Canvas, Moodle …; nothing if people named them."""
    id: str = ""
    """What that platform knows the student by."""
    person: Person = Person()
    """What the roster says of them."""
    status: str
    """graded; nothing handed in; or look: something there must be looked at by hand."""
    total: Marks
    exercises: dict[str, Marks] = {}
    """By exercise, as in "01", with what being late costs."""
    criteria: dict[str, Marks]
    """By criterion of the course."""
    cases: dict[str, Marks]
    """By case, as in "01.saves_whole", of all exercises."""
    results: list[Result]
    """Of the exercises that were handed in: what the judge has found, whatever people decided."""
    overrides: list[Override] = []
    """What people have decided."""
    late: list[Late] = []
    runs: list[str]
    """Which cells of the notebooks do not run through. It costs nothing."""
    notes: list[str]
    asks: list[str] = []
    """What people must still say about the student; it is among the notes."""

    @classmethod
    def of(
        cls, student: str, results: list[Result], runs: list[str], notes: list[str],
        exercises: Mapping[str, Exercise], whose: Whose | None = None, *,
        look: bool | Collection[str] = False, ruling: Ruling | None = None,
    ) -> "Grade":  # fmt: skip
        """Add up the marks. An exercise that was not handed in counts with none.

        `whose`: whom the exports mean. `look`: of which exercises something was handed in that could not be used.
        """
        ruling = ruling or Ruling()
        looks = set(exercises if look else ()) if isinstance(look, bool) else set(look)
        verdicts = {(r.stem, v.case): v.status for r in results for v in r.verdicts}
        cases: dict[str, Marks] = {}
        criteria: dict[str, Marks] = {}
        by_exercise: dict[str, Marks] = {}
        total = Marks()
        for stem, exercise in exercises.items():
            number, whole = exercise.number, Marks()
            for case in exercise.cases:
                marks = _of_case(number, case, verdicts.get((stem, case.id)), ruling, look=stem in looks)
                cases[f"{number}.{case.id}"] = marks
                criteria[case.criterion] = criteria.get(case.criterion, Marks()).plus(marks)
                whole = whole.plus(marks)
            by_exercise[number] = _with_penalty(whole, ruling, number)
            total = total.plus(by_exercise[number])
        decided = any(each.marks is not None for each in ruling.overrides)
        status = "look" if total.undecided else "graded" if results or decided else "nothing handed in"
        who = {"platform": whose.platform, "id": whose.id} if whose else {}
        return cls(
            student=student, status=status, total=total, exercises=by_exercise, criteria=criteria, cases=cases,
            results=results, runs=runs, notes=[*notes, *ruling.asks], asks=list(ruling.asks),
            overrides=list(ruling.overrides), late=list(ruling.late), person=ruling.person, **who,
        )  # fmt: skip

    def part(self, numbers: Collection[str]) -> Marks:
        """The marks of some exercises together."""
        found = Marks()
        for number, marks in self.exercises.items():
            found = found.plus(marks) if number in numbers else found
        return found

    def unwritable(self, error: Exception) -> "Grade":
        """In its place, if it cannot be written: the marks, and that somebody must look."""
        note = f"the report could not be written ({type(error).__name__}): look at the files yourself"
        undecided = {name: each.model_copy(update={"undecided": True}) for name, each in self.exercises.items()}
        return self.model_copy(
            update={"status": "look", "results": [], "runs": [], "notes": [note], "exercises": undecided}
        )


def _of_case(number: str, case: Case, status: Status | None, ruling: Ruling, *, look: bool) -> Marks:
    whole, own = ruling.on(number), ruling.on(number, case.id)
    got = case.marks if status is Status.PASS else 0
    if own and own.marks is not None:
        got = own.marks
    undecided = (look or status is Status.LOOK) and not own and not whole
    return Marks(got=neat(got), of=neat(case.marks), undecided=undecided)


def _with_penalty(marks: Marks, ruling: Ruling, number: str) -> Marks:
    whole = ruling.on(number)
    got = marks.got if whole is None or whole.marks is None else whole.marks
    return marks.model_copy(update={"got": neat(got * (1 - ruling.share(number)))})


def schema() -> dict[str, Any]:
    """The JSON schema of what is written for each student."""
    return Grade.model_json_schema()
