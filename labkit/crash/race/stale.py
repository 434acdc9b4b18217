"""Which reads of an order have gone stale: another wrote what was read, before the reader wrote."""

from collections.abc import Sequence
from dataclasses import dataclass

from labkit.crash.race.footprints import conflict
from labkit.crash.race.found import TakenStep

BESIDE = {"life", "kill", "clock", "lock"}
"""Objects that hold nothing which one reads and writes."""

ENDS = {"COMMIT", "ROLLBACK", "CLOSE"}
"""Steps that touch what others of their transaction have read, and read nothing."""


@dataclass(frozen=True)
class Stale:
    """Steps of an order, by their index: who read, who wrote that, and where the reader wrote all the same."""

    read: int
    written: int
    used: int


def stale(steps: Sequence[TakenStep]) -> list[Stale]:
    """Each stale read that its reader has built upon, with the first step that does so."""
    found: list[Stale] = []
    for used, step in enumerate(steps):
        each = _stale(steps, used) if _written(step) else None
        if each and each.read not in {other.read for other in found}:
            found.append(each)
    return found


def _stale(steps: Sequence[TakenStep], used: int) -> Stale | None:
    """The last read of what this step writes, if another has written that since."""
    step, again = steps[used], []
    for read in range(used - 1, -1, -1):
        if steps[read].worker != step.worker:
            continue
        seen = [each for each in _read(steps[read]) if each not in again]
        again += seen
        between = range(read + 1, used)
        other = [i for i in between if steps[i].worker != step.worker and conflict(_written(steps[i]), seen)]
        if other and conflict(_written(step), seen):
            return Stale(read, other[-1], used)
    return None


def _read(step: TakenStep) -> list[tuple[tuple[str, ...], bool]]:
    if step.op in ENDS:
        return []
    return [each for each in step.touches if not each[1] and each[0][:1] and each[0][0] not in BESIDE | {"name"}]


def _written(step: TakenStep) -> list[tuple[tuple[str, ...], bool]]:
    return [each for each in step.touches if each[1] and (not each[0] or each[0][0] not in BESIDE)]
