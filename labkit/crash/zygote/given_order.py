"""One order of a race once more, as `RaceReport.replay` asks for it."""

from collections.abc import Collection
from dataclasses import replace

from labkit.crash.race.node import Standing
from labkit.crash.race.order import Orders
from labkit.crash.zygote.endings import NotExploredError


class GivenOrder(Orders):
    """One order, as somebody wants it."""

    def __init__(self, names: Collection[str], last: Collection[str]) -> None:
        super().__init__(last)
        self._names = [*names]

    def choose(self, now: Standing) -> str | None:
        """The next one who is named; at the end of the names, whoever can."""
        wanted = self._names[self.depth] if self.depth < len(self._names) else ""
        if wanted and (wanted not in now.pending or wanted in now.waiting):
            raise NotExploredError(f"{wanted} cannot take step {self.depth + 1} of this order")
        if wanted:
            del self.path[self.depth :]
            now = replace(now, waiting={*now.waiting, *now.pending} - {wanted}, polling=())
        return super().choose(now)

    def ended(self, left: Standing | None = None) -> None:
        """There is no other order."""
