"""What the policy means for one student: their overrides, how late they were, and who they are on the roster."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

from pydantic import BaseModel

from labkit.grading.gradebook.policy import Override, Person, Policy

DAY = timedelta(days=1)


class Late(BaseModel):
    """An exercise that was handed in late."""

    exercise: str
    days: int
    """Begun."""
    share: float
    """Of the exercise's marks, that it costs."""
    due: datetime
    handed_in: datetime


@dataclass(frozen=True)
class Ruling:
    """What people have decided about a student."""

    overrides: Sequence[Override] = ()
    late: Sequence[Late] = ()
    asks: Sequence[str] = ()
    """What they must still say."""
    person: Person = field(default_factory=Person)

    def on(self, number: str, case: str = "") -> Override | None:
        """The override of a case, or of a whole exercise."""
        by_what = {each.of: each for each in self.overrides}
        return by_what.get(f"{number}.{case}") if case else by_what.get(number, by_what.get(""))

    def share(self, number: str) -> float:
        """The share of an exercise's marks that being late costs."""
        return next((each.share for each in self.late if each.exercise == number), 0.0)


def late(policy: Policy, student: str, number: str, told: datetime | None) -> Late | None:
    """How late the student was with an exercise, if at all. `told`: when the platform says that it was handed in."""
    due = policy.extensions.get(number, {}).get(student) or policy.due.get(number)
    when = policy.handed_in.get(number, {}).get(student) or told
    if policy.late is None or due is None or when is None or when <= due:
        return None
    days = ceil((when - due) / DAY)
    share = min(policy.late.at_most, round(days * policy.late.per_day, 6))
    return Late(exercise=number, days=days, share=share, due=due, handed_in=when)
