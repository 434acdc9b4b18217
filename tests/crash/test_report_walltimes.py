"""A page is the same each time: what the real clock showed is a number, what the lab's own clock showed stays."""

from datetime import UTC, datetime, timedelta

import pytest

from labkit.crash.report.scene import scene
from labkit.crash.report.walltimes import WallTimes

NOW = datetime.now(UTC)
WRITTEN = {
    "as pydantic does": NOW.isoformat().replace("+00:00", "Z"),
    "as Python does": NOW.isoformat(),
    "as PostgreSQL does": f"{NOW:%Y-%m-%d %H:%M:%S.%f}+00",
    "in seconds": str(NOW.timestamp()),
    "in whole seconds": str(int(NOW.timestamp())),
    "without a zone": f"{NOW:%Y-%m-%dT%H:%M:%S}",
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_a_time_of_the_real_clock_has_a_number(written):
    """However a program writes it."""
    assert WallTimes().put(f'{{"at": "{written}"}}') == '{"at": "(real time 1)"}'


@pytest.mark.parametrize(
    "text", ["2026-01-01T09:00:00Z", "1767258000.0", "12345678901", "1.1234567890", "9999-99-99T99:99:99", "0123456789"]
)
def test_all_else_stays(text):
    """The lab's own time among it, which begins at a fixed moment."""
    assert WallTimes().put(text) == text


def test_the_same_time_has_the_same_number():
    """So that what differs after the restart still differs."""
    times, later = WallTimes(), NOW + timedelta(seconds=1)
    assert times.put(f"{NOW.isoformat()} {later.isoformat()}") == "(real time 1) (real time 2)"
    assert times.put(f"{later.isoformat()} {NOW.isoformat()}") == "(real time 2) (real time 1)"


def test_a_scene_has_no_real_time_in_any_field():
    """Files, rows, calls and what was printed."""
    at = NOW.isoformat()
    shown = scene({"f": at}, {"f": f"{at}!", "g": at}, [at], at)
    assert "real time 1" in shown.output
    assert at not in repr(shown)
