"""A sweep keeps what its crashes left, within a limit, and those that break the program go first."""

from labkit.crash.asked import Failure, Left, PointLeft
from labkit.crash.report import kept


def left(failure: str = "", size: int = 100) -> Left:
    """What a crash left that breaks the program if there is a failure."""
    found = {f"file {number}": "x" * size for number in range(10)}
    said = Failure(failure, "AssertionError") if failure else None
    return Left("invariant", said, found, found, [{"tool": "charge", "arguments": {}}], "out ", model="process killed")


def test_every_outcome_of_a_small_sweep_has_its_scene():
    """With its ledger, and what the killed run and the restart had printed."""
    (point,) = kept.points([PointLeft(0, [left(), left("lost")], "before ")])
    assert [outcome.survives for outcome in point.outcomes] == [True, False]
    assert all(len(outcome.scene.files) == 10 for outcome in point.outcomes)
    assert point.outcomes[0].scene.output == "before out "
    assert point.outcomes[0].scene.ledger == ("minute  0.0  charge()",)


def test_a_long_sweep_keeps_the_scenes_of_what_breaks_it_first():
    """What all scenes hold is limited; the last crash point breaks the program, so its scene is kept."""
    points = kept.points([PointLeft(k, [left("lost" if k == 999 else "")], "") for k in range(1_000)])
    scenes = [outcome.scene for point in points for outcome in point.outcomes]
    assert scenes[999] is not None
    assert scenes[998] is None
    assert sum(scene.size for scene in scenes if scene) <= kept.ALL


def test_a_scene_is_no_part_of_what_an_outcome_is():
    """Two outcomes are equal by their verdicts."""
    assert kept.points([PointLeft(0, [left()], "")]) == kept.points([PointLeft(0, [left(size=1)], "")])
