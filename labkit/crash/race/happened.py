"""What has happened in one order, and what of it could not have come later."""

from collections.abc import Iterator
from dataclasses import dataclass

from labkit.crash.race.footprints import Step, conflict


@dataclass(frozen=True)
class Happened:
    """Steps in succession; for each, as the bits of a number, those before it with which it cannot change places."""

    steps: tuple[tuple[str, Step], ...] = ()
    after: tuple[int, ...] = ()

    def then(self, worker: str, step: Step) -> "Happened":
        """One more."""
        bits = 0
        for index, (other, earlier) in enumerate(self.steps):
            if other == worker or conflict(earlier.touches, step.touches):
                bits |= 1 << index | self.after[index]
        return Happened((*self.steps, (worker, step)), (*self.after, bits))

    def conflicting(self) -> Iterator[int]:
        """The earlier steps, of others, whose order with the last one matters."""
        worker, last = self.steps[-1]
        for index, (other, earlier) in enumerate(self.steps[:-1]):
            if other != worker and conflict(earlier.touches, last.touches):
                yield index

    def first(self, early: int) -> set[str]:
        """Who could begin, at step `early`, an order in which it comes after the last (the paper's initials)."""
        last = len(self.steps) - 1
        between = [*(i for i in range(early + 1, last) if not self.after[i] >> early & 1), last]
        bits = sum(1 << i for i in between)
        return {self.steps[i][0] for i in between if not self.after[i] & bits}
