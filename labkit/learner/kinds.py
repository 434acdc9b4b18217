"""What can be predicted, and how a prediction is compared with what came out. Pure: texts and values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labkit.learner.state import Said
from labkit.repository import UsageError

Real = int | float


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`. Without a unit, a count from 0 is said to be "1 of 5"."""

    low: Real
    high: Real
    unit: str = ""

    def asks(self) -> str:
        """What can be answered."""
        return f"From {self.low} to {self.high}{f' {self.unit}' if self.unit else ''}."

    def read(self, said: Any) -> Said:
        """A prediction as it is kept. UsageError if it cannot be one."""
        if isinstance(said, bool) or not isinstance(said, Real) or not self.low <= said <= self.high:
            raise UsageError(f"predict a number from {self.low} to {self.high}")
        return said

    def words(self, value: Any) -> str:
        """A prediction in words."""
        return f"{value:g}" if isinstance(value, float) else str(value)

    def outcome(self, value: Any) -> str:
        """What came out, in words."""
        if self.unit:
            return f"{self.words(value)} {self.unit}"
        return f"{self.words(value)} of {self.high}" if self.low == 0 else self.words(value)

    def distance(self, said: Any, came: Any) -> str:
        """How far off a prediction was."""
        unit = f" {self.unit}" if self.unit else ""
        return f" You were off by {self.words(abs(came - said))}{unit}."


@dataclass(frozen=True)
class Choice:
    """One of some texts."""

    texts: tuple[str, ...]

    def asks(self) -> str:
        """See Number.asks."""
        return f"One of: {'; '.join(self.texts)}."

    def read(self, said: Any) -> Said:
        """See Number.read."""
        if said not in self.texts:
            raise UsageError(f"predict one of: {'; '.join(self.texts)}")
        return said

    def words(self, value: Any) -> str:
        """See Number.words."""
        return f'"{value}"'

    outcome = words

    def distance(self, said: Any, came: Any) -> str:  # noqa: ARG002 - as for a number
        """A choice is right or wrong."""
        return ""


@dataclass(frozen=True)
class Order:
    """All of some texts, in an order."""

    texts: tuple[str, ...]

    def asks(self) -> str:
        """See Number.asks."""
        return f"Put in order: {'; '.join(self.texts)}."

    def read(self, said: Any) -> Said:
        """See Number.read."""
        if not isinstance(said, Sequence) or isinstance(said, str) or sorted(map(str, said)) != sorted(self.texts):
            raise UsageError(f"put each once: {'; '.join(self.texts)}")
        return list(said)

    def words(self, value: Any) -> str:
        """See Number.words."""
        return ", ".join(value)

    outcome = words

    def distance(self, said: Any, came: Any) -> str:
        """How many stand where they should."""
        right = sum(one == other for one, other in zip(said, came, strict=False))
        return f" {right} of {len(self.texts)} {'stands' if right == 1 else 'stand'} in the right place."


Kind = Number | Choice | Order


def kind_of(options: Sequence[Any], unit: str, order: Sequence[str]) -> Kind:
    """What a question asks for. UsageError if that is not clear."""
    if not options and len(set(order)) > 1:
        return Order(tuple(order))
    if len(options) == 2 and all(isinstance(each, Real) for each in options) and options[0] < options[1]:
        return Number(*options, unit)
    if len(set(options)) == len(options) > 1 and all(isinstance(each, str) for each in options) and not order:
        return Choice(tuple(options))
    raise UsageError('predict takes two numbers, some texts, or an order: predict("How many?", 0, 5)')
