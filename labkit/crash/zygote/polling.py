"""Who polls: it sleeps, looks, and sleeps again. That would make endless orders.

From its second sleep on it goes on where another has changed something, or nobody else can, or alone till it gives up.
Who has not done so in GIVES_UP steps polls for ever, and is not let on alone again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from labkit.crash.zygote.workers import Taken

POLLING = {"sleep", "wait"}
GIVES_UP = 100


def polls(mine: Sequence[Taken]) -> bool:
    """Whether a worker's last step was a sleep, and it has changed nothing since it slept before."""
    if mine[-1].step.op not in POLLING:
        return False
    before = [index for index, taken in enumerate(mine[:-1]) if taken.step.op in POLLING]
    return mine[-1].step.op == "wait" or (bool(before) and not any(taken.writes for taken in mine[before[-1] + 1 : -1]))


@dataclass
class Alone:
    """The one who polls while all others stand still."""

    stubborn: set[str] = field(default_factory=set)
    """Who is known to poll for ever; in all orders."""
    name: str = ""
    steps: int = 0

    def begin(self, name: str) -> None:
        """From here on."""
        self.name, self.steps = name, 0

    def taken(self, last: Taken, *, at_its_end: bool) -> None:
        """Who has changed something, or is at its end, has given up."""
        self.steps += 1
        if last.worker == self.name and (at_its_end or (last.writes and last.step.op not in POLLING)):
            self.name = ""

    def in_vain(self) -> bool:
        """Whether it does not give up."""
        if not self.name or self.steps < GIVES_UP:
            return False
        self.stubborn.add(self.name)
        return True
