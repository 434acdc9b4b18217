"""One order of a race once more, as `RaceReport.replay` asks for it."""

from collections.abc import Collection

from labkit.crash.race.order import NOBODY, Orders, Pending
from labkit.crash.zygote.endings import NotExploredError


class GivenOrder(Orders):
    """One order, as somebody wants it."""

    def __init__(self, names: Collection[str], last: Collection[str]) -> None:
        super().__init__(last)
        self._names = [*names]

    def choose(self, pending: Pending, waiting: Collection[str] = (), polling: Collection[str] = ()) -> str | None:
        """The next one who is named; at the end of the names, whoever can."""
        wanted = self._names[self.depth] if self.depth < len(self._names) else ""
        if wanted and (wanted not in pending or wanted in waiting):
            raise NotExploredError(f"{wanted} cannot take step {self.depth + 1} of this order")
        if wanted:
            del self.path[self.depth :]
            waiting, polling = {*waiting, *pending} - {wanted}, ()
        return super().choose(pending, waiting, polling)

    def ended(self, missed: Pending, stuck: Pending = NOBODY) -> None:
        """There is no other order."""
