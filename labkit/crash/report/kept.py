"""What a sweep keeps of its crashes: a scene of each outcome, those that break it first, until ALL is used up."""

from collections.abc import Sequence
from dataclasses import replace

from labkit.crash.asked import Left, PointLeft
from labkit.crash.report.findings import Outcome, Point, outcome
from labkit.crash.report.scene import ROOM, scene
from labkit.world import Call

ALL = 40_000
"""Characters, of all scenes of a sweep."""


def points(left: Sequence[PointLeft]) -> list[Point]:
    """The crash points with their outcomes, and a scene of each outcome while there is room."""
    room, kept = ALL, {}
    outcomes = [(point, each) for point in left for each in point.outcomes]
    for point, each in sorted(outcomes, key=lambda item: item[1].failure is None):
        if room >= ROOM:
            calls, output = [Call(**call) for call in each.ledger], point.output + each.output
            kept[point.k, id(each)] = scene(each.before, each.after, calls, output)
            room -= kept[point.k, id(each)].size

    def with_scene(k: int, each: Left) -> Outcome:
        return replace(outcome(each), scene=kept.get((k, id(each))))

    return [Point(point.k, tuple(with_scene(point.k, each) for each in point.outcomes)) for point in left]
