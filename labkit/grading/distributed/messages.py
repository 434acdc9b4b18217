"""What travels between coordinator and worker, as JSON that is checked when it is opened. It has no student's name."""

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict

from labkit.grading.gradebook.grader import Keys
from labkit.grading.gradebook.steps import Journal, Key
from labkit.grading.gradebook.student import NotJudgedError, Student
from labkit.grading.judge.criteria import Exercise
from labkit.grading.judge.judge import Result
from labkit.grading.notebook.submission import Submission
from labkit.grading.sandbox.guarantees import Guarantee


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Answers(_Message):
    """To one exercise."""

    answers: dict[str, str]
    elsewhere: list[str]
    notes: list[str]
    judged: str
    """What the step is called that judges them."""
    run: str
    """And that which runs their notebook; nothing if none does."""


class Request(_Message):
    """The steps of a submission that are to be done."""

    seed: int
    criteria: str | None
    """The hash of the list of an instructor's files; None: the course's own."""
    exercises: dict[str, Answers]
    """By stem."""
    journal: dict[str, str]
    """What was done before."""

    @classmethod
    def of(cls, student: Student, criteria: str | None, keys: Keys, journal: Journal) -> Self:
        """As a student has handed it in."""
        exercises = {
            stem: Answers(
                answers=each.answers, elsewhere=sorted(each.elsewhere), notes=each.notes,
                judged=keys[stem].judged, run=keys[stem].run,
            )
            for stem, each in student.submissions.items()
        }  # fmt: skip
        names = {name for each in exercises.values() for name in (each.judged, each.run)}
        done = {name: text for name, text in journal.items() if name in names}
        return cls(seed=student.seed, criteria=criteria, exercises=exercises, journal=done)

    def student(self, name: str, exercises: Mapping[str, Exercise]) -> Student:
        """Somebody who has handed this in."""
        submissions = {
            stem: Submission(each.answers, set(each.elsewhere), each.notes) for stem, each in self.exercises.items()
        }
        return Student(name, submissions, [], exercises, seed=self.seed)

    @property
    def keys(self) -> Keys:
        """What the steps are called."""
        return {stem: Key(each.judged, each.run) for stem, each in self.exercises.items()}


class Failed(_Message):
    """A step that the lab could not do."""

    error: str
    """What kind of error it was."""
    result: Result | None = None
    """What was found all the same."""

    @classmethod
    def of(cls, error: Exception) -> Self:
        """By that error."""
        return cls(error=type(error).__name__, result=error.result if isinstance(error, NotJudgedError) else None)

    def again(self) -> Exception:
        """The error, as far as it matters to the book."""
        return NotJudgedError(self.result) if self.result else type(self.error, (Exception,), {})()


class Outcome(_Message):
    """What the steps came to."""

    journal: dict[str, str] = {}
    failed: dict[str, Failed] = {}
    """The steps that could not be done, by name."""
    given_up: Failed | None = None
    """Nothing could be done."""
    refused: str = ""
    """What the instructor must mend before anybody can be graded."""
    unjudged: str = ""
    """Why no attempt came to its end."""
    enforced: list[Guarantee] = []
    """What the machine has kept the student's code from."""

    @property
    def lacks(self) -> str:
        """Why something could not be done on that machine; nothing if all was."""
        failed = [*self.failed.values(), *([self.given_up] if self.given_up else [])]
        return self.refused or ", ".join(sorted({each.error for each in failed}))

    @classmethod
    def nothing(cls, error: Exception) -> Self:
        """As the lab itself has failed."""
        return cls(given_up=Failed.of(error))
