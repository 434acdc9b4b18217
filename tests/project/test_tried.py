"""What is said of how hard labkit has been tried: each count is of something that a test asks to survive."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from labkit.crash.report.findings import KILLED, POWER_CUT, Findings, Outcome, Point

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
import tried

SURVIVES = Findings(
    "save",
    [],
    [
        Point(0, (Outcome(KILLED, survives=True), Outcome(POWER_CUT, survives=True))),
        Point(1, (Outcome(KILLED, survives=True, again="a write"),)),
    ],
)


def test_a_recovery_that_is_killed_is_a_kill_more():
    """Every fault at every crash point counts once, by its model."""
    assert tried.explored(SURVIVES) == {"kills": 3, "cuts": 1, "programs": 1}


@pytest.mark.parametrize(("passed", "broken"), [(True, {}), (False, {"kills": 1, "programs": 1, "broken": 1})])
def test_what_a_test_breaks_on_purpose_is_not_counted(passed, broken):
    """It passes then; where it fails, a mechanism was broken, and that is never left out."""
    assert tried.counted([({"kills": 1, "programs": 1}, False)], passed=passed) == broken


def test_asking_notes_what_was_asked(monkeypatch):
    """And whether it survived: the assertion itself is as it was."""
    monkeypatch.setattr(tried, "ASKED", [])
    ask = tried.noting(lambda report, effects: None)
    ask(SURVIVES, effects=1)
    with pytest.raises(ZeroDivisionError):
        tried.noting(lambda report: 1 / 0)(SURVIVES)
    assert [survived for _, survived in tried.ASKED] == [True, False]


def test_the_line_has_all_counts():
    """Nought is said, too."""
    total = Counter(kills=12000, cuts=3, orders=70, programs=4)
    line = "12,000 real kills, 3 power cuts, 70 orders of races, in 4 programs: 0 broke one of labkit's mechanisms"
    assert tried.said(total) == line
