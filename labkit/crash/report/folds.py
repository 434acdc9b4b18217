"""Many crash points at a glance: folded by step; many steps that are alike are joined. Few stand one by one."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from labkit.crash.report.findings import Findings, Point

FEW = 15
"""So many rows are read at a glance."""
JOINED = 3
"""Rows that are alike, from so many on, become one."""
STEPS = {"tool", "ACK"}


@dataclass(frozen=True)
class Fold:
    """Neighbouring crash points in one row that unfolds."""

    name: str
    rows: tuple["Fold | Point", ...]

    @property
    def points(self) -> list[Point]:
        """All crash points in it."""
        return [point for row in self.rows for point in points_of(row)]


Row = Fold | Point


def points_of(row: Row) -> list[Point]:
    """The crash points of a row."""
    return row.points if isinstance(row, Fold) else [row]


def folded(report: Findings) -> list[Row]:
    """The rows of a report, from its first crash point to its last."""
    points = report.points
    if len(points) <= FEW:
        return [*points]
    starts = [k for k, effect in enumerate(report.effects[: len(points)]) if effect.op in STEPS]
    if not any(report.effects[k].op == "tool" for k in starts):
        return _in_order(points, report.models)
    bounds = [*([0] if starts[0] else []), *starts, len(points)]
    steps = [_step(report, points[start:end]) for start, end in pairwise(bounds)]

    def pattern(step: Row) -> Hashable:
        following = [*(effect.op for effect in report.effects), ""]
        return tuple((following[point.k], _mark(point, report.models)) for point in points_of(step))

    return steps if len(steps) <= FEW else _few(_joined(steps, pattern, "steps alike"))


def _step(report: Findings, points: Sequence[Point]) -> Row:
    first = report.effects[points[0].k]
    name = first.target if first.op in STEPS else "the start"
    return Fold(name, tuple(points if len(points) <= FEW else _in_order(points, report.models)))


def _in_order(points: Sequence[Point], models: Sequence[str]) -> list[Row]:
    return _few(_joined([*points], lambda row: _mark(row, models), "crash points alike"))


def _mark(point: Point, models: Sequence[str]) -> tuple[bool, ...]:
    return tuple(bool(point.broken(model)) for model in models)


def _joined(rows: Sequence[Row], key: Callable[[Row], Hashable], what: str) -> list[Row]:
    """Neighbours of the same key in one row."""
    found: list[Row] = []
    for _, same in groupby(rows, key):
        group = tuple(same)
        names = " … ".join(dict.fromkeys(row.name for row in (group[0], group[-1]) if isinstance(row, Fold)))
        title = f"{names}: {len(group)} {what}" if names else f"{len(group)} {what}"
        found += [Fold(title, group)] if len(group) >= JOINED else group
    return found


def _few(rows: Sequence[Row]) -> list[Row]:
    """These rows; by tens if they are still too many."""
    if len(rows) <= 2 * FEW:
        return [*rows]
    return [Fold(f"{len(rows[i : i + 10])} rows", tuple(rows[i : i + 10])) for i in range(0, len(rows), 10)]


def spans(points: Sequence[Point], model: str) -> list[tuple[int, int, bool]]:
    """Runs of crash points that stand alike under a fault model: the first, how many, and whether they break it."""
    runs = [(broken, [*same]) for broken, same in groupby(points, lambda point: bool(point.broken(model)))]
    return [(same[0].k, len(same), broken) for broken, same in runs]


def numbers(points: Sequence[Point], model: str = "") -> str:
    """Where it breaks, such as "1, 3–5"; empty if nowhere."""
    found = [(first, first + count - 1) for first, count, broken in spans(points, model) if broken]
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in found)
