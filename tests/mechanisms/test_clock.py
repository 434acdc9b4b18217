"""What the rest of the kit may rely on about time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit import clock
from labkit.clock import FakeClock, SystemClock

START = datetime(2030, 2, 3, 4, 5, 6, tzinfo=UTC)


def test_a_fake_clock_stands_still_until_someone_sleeps():
    """Reading the time does not change it."""
    fake = FakeClock(START)
    assert [fake.now() for _ in range(3)] == [START] * 3
    assert [fake.monotonic() for _ in range(3)] == [0.0] * 3


def test_a_fake_clock_starts_at_the_same_time_in_every_run():
    """A test that names no start is repeatable all the same."""
    assert FakeClock().now() == FakeClock().now() == datetime(2026, 1, 1, 9, tzinfo=UTC)


@given(st.lists(st.floats(0, 1e6)))
def test_sleeping_moves_both_times_by_what_was_slept(naps):
    """Wall time and monotonic time never part, and neither goes back."""
    fake = FakeClock(START)
    seen = [0.0]
    for nap in naps:
        fake.sleep(nap)
        seen.append(fake.monotonic())
        assert fake.now() == START + timedelta(seconds=fake.monotonic())
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(sum(naps))


@pytest.mark.parametrize(
    ("seconds", "error"),
    [
        (-1, ValueError),
        (-1e-9, ValueError),
        (float("-inf"), ValueError),
        (float("nan"), ValueError),
        (float("inf"), OverflowError),
        (1e300, OverflowError),
        (10**400, OverflowError),
    ],
)
def test_a_sleep_that_is_no_time_is_refused_and_changes_nothing(seconds, error):
    """A wrong delay fails at once, where it was asked for, and the clock goes on working."""
    fake = FakeClock(START)
    fake.sleep(60)
    with pytest.raises(error, match="cannot sleep" if error is ValueError else r"."):
        fake.sleep(seconds)
    assert (fake.now(), fake.monotonic()) == (START + timedelta(minutes=1), 60.0)


def test_wall_time_is_aware_and_in_utc():
    """What is stored means the same on every machine."""
    for each in (SystemClock(), FakeClock()):
        assert each.now().utcoffset() == timedelta(0)


def test_the_system_clock_is_the_machines(monkeypatch):
    """SystemClock adds nothing of its own: it asks the machine, and sleeps as long as it is told."""
    slept = []
    monkeypatch.setattr(clock.time, "sleep", slept.append)
    monkeypatch.setattr(clock.time, "monotonic", lambda: 17.5)
    system = SystemClock()
    before, now, after = datetime.now(UTC), system.now(), datetime.now(UTC)
    system.sleep(120.0)
    assert before <= now <= after
    assert system.monotonic() == 17.5
    assert slept == [120.0]
