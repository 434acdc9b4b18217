"""Many crash points are read at a glance: by step, equal ones joined, and none is lost."""

import pytest

from labkit.crash.report.findings import KILLED, POWER_CUT, Effect, Findings, Outcome, Point
from labkit.crash.report.folds import FEW, Fold, folded, numbers, points_of, spans


def report(ops: list[str], broken: set[int], *, power: bool = False) -> Findings:
    """A report on a run of these effects, which a kill at some crash points breaks."""
    effects = [Effect(op, f"target {number}", None) for number, op in enumerate(ops)]
    points = [
        Point(k, (Outcome(KILLED, k not in broken), Outcome(POWER_CUT, survives=True))) for k in range(len(ops) + 1)
    ]
    return Findings("it", effects, points, power)


STEP = ["tool", "open", "write", "fsync", "replace", "fsync dir"]
FEW_STEPS, MANY_STEPS = [*STEP * 5, "ACK", "RETURN"], [*STEP * 30, "ACK", "RETURN"]
REPORTS = {
    "few": report(["mkdir"] * 5, {2}),
    "steps": report(FEW_STEPS, {k for k in range(30) if k % 6 in {1, 2}}),
    "many steps": report(MANY_STEPS, {k for k in range(180) if k % 6 in {1, 2}}, power=True),
    "no steps": report(["mkdir"] * 180, {100, 101}),
    "one after the other": report(["open", "write"] * 90, set(range(0, 180, 2))),
    "a beginning": report([*["mkdir"] * 20, *STEP * 3], set()),
    "not explored": report([], set()),
}


@pytest.mark.parametrize("found", REPORTS.values(), ids=REPORTS)
def test_every_crash_point_is_in_one_row_in_order(found):
    """Whatever is folded, unfolding shows each crash point once; and no level has more rows than one looks through."""
    rows = folded(found)
    assert [point.k for row in rows for point in points_of(row)] == [*range(len(found.points))]
    levels = [rows]
    while levels:
        level = levels.pop()
        assert len(level) <= 2 * FEW or all(isinstance(row, Point) for row in level)
        levels += [row.rows for row in level if isinstance(row, Fold)]


def test_a_short_run_is_not_folded():
    """Each crash point has its row."""
    assert folded(REPORTS["few"]) == REPORTS["few"].points


def test_steps_are_named_by_their_tools():
    """A step goes from its tool to the next; what is acknowledged ends the run."""
    assert [(row.name, len(row.points)) for row in folded(REPORTS["steps"])] == [
        *((f"target {number}", 6) for number in range(0, 30, 6)), ("target 30", 3),
    ]  # fmt: skip
    assert folded(REPORTS["a beginning"])[0].name == "the start"


def test_of_many_steps_those_that_are_alike_are_joined():
    """180 crash points are two rows: 30 steps that are alike, and the end."""
    joined, end = folded(REPORTS["many steps"])
    assert joined.name == "target 0 … target 174: 30 steps alike"
    assert (len(joined.rows), len(end.points)) == (30, 3)


def test_without_steps_equal_neighbours_are_joined():
    """What breaks the program stands alone."""
    assert [getattr(row, "name", row) for row in folded(REPORTS["no steps"])] == [
        "100 crash points alike", *REPORTS["no steps"].points[100:102], "79 crash points alike",
    ]  # fmt: skip


def test_runs_are_told_in_numbers():
    """From the first to the last of neighbours that break it."""
    points = report(["mkdir"] * 8, {1, 4, 5, 6}).points
    assert numbers(points, KILLED) == "1, 4–6"
    assert numbers(points, POWER_CUT) == ""
    assert spans(points, KILLED) == [(0, 1, False), (1, 1, True), (2, 2, False), (4, 3, True), (7, 2, False)]
