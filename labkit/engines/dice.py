"""Chance that hangs on a run and its process: threads may draw in any order, and a restart has other dice."""

import random

from dbos import DBOS

from labkit.crash.child.virtual import CHANCE


class ByRun(random.Random):
    """Draws for each run from numbers of its own: threads may come in any order."""

    def __init__(self, dice: int) -> None:
        self.dice, self.sources = dice, {}
        super().__init__(dice)

    def _here(self) -> random.Random:
        run = DBOS.workflow_id
        if run not in self.sources:
            self.sources[run] = random.Random(f"{self.dice} {run}")
        return self.sources[run]

    def random(self) -> float:
        """Between 0 and 1."""
        return self._here().random()

    def getrandbits(self, k: int, /) -> int:
        """So many bits."""
        return self._here().getrandbits(k)


def draw_by_run(dice: int) -> None:
    """Have all that a run draws hang on the dice of this life: by random, os.urandom, uuid4 and secrets."""
    source = ByRun(dice)
    for name, function in list(vars(random).items()):
        if getattr(function, "__self__", None) is random._inst:  # noqa: SLF001 - whose methods the functions are
            setattr(random, name, getattr(source, name))
    CHANCE.append(source)
