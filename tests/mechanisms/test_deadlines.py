"""What a deadline promises: it does not move, whatever the clocks do, and nothing starts or goes on after it."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.clock import FakeClock
from labkit.deadlines import Deadline, DeadlineExceeded, step_timeout

NINE = datetime(2026, 1, 1, 9, tzinfo=UTC)


class TwoClocks:
    """A machine whose wall time can be set while its monotonic clock runs on."""

    def __init__(self, wall=NINE, monotonic=0.0):
        self.wall, self.ticks = wall, monotonic

    def now(self):
        """Wall time, as it is set."""
        return self.wall

    def monotonic(self):
        """Seconds since this machine started."""
        return self.ticks

    def sleep(self, seconds):
        """Let time pass on both."""
        self.wall += timedelta(seconds=seconds)
        self.ticks += seconds


class LeapingLoop(asyncio.SelectorEventLoop):
    """An event loop that never waits: when all wait, a clock leaps to the time of the next event."""

    def __init__(self, clock):
        self.clock = clock
        super().__init__()
        look = self._selector.select

        def select(timeout):
            clock.sleep(timeout or 0)
            return look(0)

        self._selector.select = select

    def time(self):
        """The clock's time."""
        return self.clock.monotonic()


def run_on(clock, main):
    """What this coroutine returns, in a loop whose time is the clock's."""
    with asyncio.Runner(loop_factory=lambda: LeapingLoop(clock)) as runner:
        return runner.run(main)


def test_what_is_left_shrinks_as_time_passes():
    """A minute is a minute, half of it later half a minute, and below zero when it is over."""
    clock = FakeClock()
    deadline = Deadline.after(60, clock)
    left = [deadline.remaining()]
    for _ in range(3):
        clock.sleep(30)
        left.append(deadline.remaining())
    assert left == [60, 30, 0, -30]


def test_a_deadline_is_a_moment_on_the_wall():
    """`at` is what is stored: aware, and `seconds` from now."""
    deadline = Deadline.after(90, FakeClock(NINE))
    assert deadline.at == NINE + timedelta(seconds=90)
    assert deadline.at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("hours", [-1, 1, 24 * 365])
def test_setting_the_clock_gives_no_time_and_takes_none(hours):
    """Inside the process only the monotonic clock counts."""
    clock = TwoClocks(monotonic=1_000)
    deadline = Deadline.after(60, clock)
    clock.sleep(10)
    clock.wall += timedelta(hours=hours)
    assert deadline.remaining() == 50
    deadline.check()
    clock.sleep(50)
    with pytest.raises(DeadlineExceeded):
        deadline.check()


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0, 1e9))
def test_a_restart_gets_no_new_time(seconds, before, down, monotonic):
    """Made again from the stored moment in a new process, it has what is left after work and downtime."""
    first = TwoClocks()
    stored = Deadline.after(seconds, first)
    first.sleep(before)
    again = Deadline(stored.at, TwoClocks(first.wall + timedelta(seconds=down), monotonic))
    assert again.at == stored.at
    assert again.remaining() == pytest.approx(seconds - before - down, abs=1e-6)


def test_a_deadline_that_passed_while_the_agent_was_down_is_over():
    """A run that resumes too late does nothing more."""
    stored = Deadline.after(60, FakeClock(NINE)).at
    again = Deadline(stored, FakeClock(NINE + timedelta(hours=1)))
    assert again.remaining() == 60 - 3600
    with pytest.raises(DeadlineExceeded):
        again.check()


def test_a_deadline_may_be_given_in_any_time_zone():
    """Noon in Moscow is nine in the morning UTC, also in what is said when it is over."""
    moscow = timezone(timedelta(hours=3))
    deadline = Deadline(datetime(2026, 1, 1, 12, 0, 5, tzinfo=moscow), FakeClock(NINE))
    assert deadline.remaining() == 5
    over = Deadline(datetime(2026, 1, 1, 12, tzinfo=moscow), FakeClock(NINE))
    with pytest.raises(DeadlineExceeded, match="deadline 09:00:00 UTC has passed"):
        over.check()


def test_a_moment_in_no_time_zone_is_refused():
    """Where the clock hangs decides when it strikes: a naive datetime is an error where it is given."""
    naive = datetime(2026, 1, 1, 9)  # noqa: DTZ001 - the mistake
    with pytest.raises(ValueError, match=r"2026-01-01 09:00:00 is in no time zone: make it with datetime.now\(UTC\)"):
        Deadline(naive, FakeClock())


def test_the_deadline_itself_is_too_late():
    """One microsecond before it all is well; at the moment itself it is over, and stays so."""
    clock = TwoClocks()
    deadline = Deadline.after(60, clock)
    clock.ticks = 60 - 1e-6
    deadline.check()
    for clock.ticks in (60, 60 + 1e-6, 1e9):
        with pytest.raises(DeadlineExceeded, match="09:01:00 UTC has passed"):
            deadline.check()


class Left:
    """Something that has so much time left."""

    def __init__(self, seconds):
        self.seconds = seconds

    def remaining(self):
        """Always the same."""
        return self.seconds


@given(st.floats(0, 1e9, exclude_min=True), st.floats(0, 1e9, exclude_min=True))
def test_an_operation_gets_its_limit_or_what_is_left(left, limit):
    """Never more than either, never nothing, and all that both allow."""
    timeout = step_timeout(Left(left), limit)
    assert 0 < timeout <= limit
    assert timeout <= left
    assert timeout in {left, limit}


@given(st.floats(max_value=0, allow_nan=False), st.floats(0, 1e9))
def test_with_nothing_left_nothing_starts(left, limit):
    """However short the operation is."""
    with pytest.raises(DeadlineExceeded, match="nothing may start"):
        step_timeout(Left(left), limit)


def test_operations_in_a_row_share_what_is_left():
    """The limit of each is not the time of the whole: the third gets the rest, and there is no fourth."""
    clock = FakeClock()
    deadline, given_out = Deadline.after(70, clock), []

    def work():
        while True:
            given_out.append(step_timeout(deadline, 30))
            clock.sleep(given_out[-1])

    with pytest.raises(DeadlineExceeded):
        work()
    assert given_out == [30, 30, 10]


async def lasts(seconds, clock):
    """An operation of so many seconds; it says when it is cancelled."""
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        return f"cancelled at {clock.monotonic():g}"
    return f"done at {clock.monotonic():g}"


@pytest.mark.parametrize(
    ("seconds", "end"), [(0.5, "done at 0.5"), (59, "done at 59"), (61, "cancelled at 60"), (600, "cancelled at 60")]
)
def test_what_is_inside_ends_at_the_deadline(seconds, end):
    """An operation shorter than what is left ends by itself; a longer one is cancelled at the deadline, not later."""
    clock, ends = FakeClock(), []

    async def main():
        async with Deadline.after(60, clock).scope():
            ends.append(await lasts(seconds, clock))

    run_on(clock, main())
    assert ends == [end]


def test_a_scope_that_is_cut_off_raises_deadline_exceeded():
    """What stands after a cancelled operation is not reached, and no CancelledError escapes."""
    clock, reached = FakeClock(), []

    async def main():
        async with Deadline.after(60, clock).scope():
            await asyncio.sleep(600)
            reached.append("inside")

    with pytest.raises(DeadlineExceeded, match="what was going on was cancelled"):
        run_on(clock, main())
    assert (reached, clock.monotonic()) == ([], 60)


def test_who_catches_what_a_scope_raised_can_go_on():
    """The task itself is not left cancelled: it may still wait, to report that it was too late."""
    clock = FakeClock()

    async def main():
        with suppress(DeadlineExceeded):
            async with Deadline.after(60, clock).scope():
                await asyncio.sleep(600)
        return await lasts(5, clock), asyncio.current_task().cancelling()

    assert run_on(clock, main()) == ("done at 65", 0)


def test_a_scope_opened_late_gets_what_is_left():
    """It ends at the deadline, not a whole minute after it was opened."""
    clock, ends = FakeClock(), []
    deadline = Deadline.after(60, clock)

    async def main():
        await asyncio.sleep(45)
        async with deadline.scope():
            ends.append(await lasts(600, clock))

    run_on(clock, main())
    assert ends == ["cancelled at 60"]


@pytest.mark.parametrize("seconds", [0, -5])
def test_a_scope_after_the_deadline_is_not_entered(seconds):
    """Nothing is begun that would be cancelled where it first waits."""
    clock, reached = FakeClock(), []

    async def main():
        async with Deadline.after(seconds, clock).scope():
            reached.append("inside")

    with pytest.raises(DeadlineExceeded, match="UTC has passed"):
        run_on(clock, main())
    assert (reached, clock.monotonic()) == ([], 0)


class TooSlowError(TimeoutError):
    """A time limit of the body's own."""


@pytest.mark.parametrize("work", [0, 600], ids=["in time", "after the deadline"])
@pytest.mark.parametrize("error", [TimeoutError("too slow"), TooSlowError()])
def test_a_timeout_error_of_the_bodys_own_passes_through_unchanged(error, work):
    """The very object, even if the body held up the loop until the deadline was over, so that nothing cancelled it."""
    clock = FakeClock()

    async def main():
        async with Deadline.after(60, clock).scope():
            clock.sleep(work)
            raise error

    with pytest.raises(TimeoutError) as caught:
        run_on(clock, main())
    assert caught.value is error


def test_a_shorter_time_limit_inside_a_scope_is_not_the_deadline():
    """It ends as it would without a deadline, and in its own time: TimeoutError, after 10 seconds of 60."""
    clock = FakeClock()

    async def main():
        async with Deadline.after(60, clock).scope(), asyncio.timeout(10):
            await asyncio.sleep(600)

    with pytest.raises(TimeoutError):
        run_on(clock, main())
    assert clock.monotonic() == 10


@pytest.mark.parametrize(
    ("outer", "inner", "caught"), [(60, 30, "inside at 30"), (30, 60, "outside at 30"), (60, 60, "outside at 60")]
)
def test_of_two_scopes_the_one_whose_deadline_came_says_so(outer, inner, caught):
    """Who catches the end of the inner one does not swallow the end of the outer one."""
    clock = FakeClock()

    async def main():
        try:
            async with Deadline.after(outer, clock).scope():
                try:
                    async with Deadline.after(inner, clock).scope():
                        await asyncio.sleep(600)
                except DeadlineExceeded:
                    return f"inside at {clock.monotonic():g}"
        except DeadlineExceeded:
            return f"outside at {clock.monotonic():g}"

    assert run_on(clock, main()) == caught


def test_who_is_cancelled_inside_a_scope_is_not_told_that_it_was_the_deadline():
    """Cancellation from elsewhere stays what it is, so that whoever stops the agent stops it."""
    clock = FakeClock()

    async def main():
        async with Deadline.after(60, clock).scope():
            asyncio.get_running_loop().call_later(10, asyncio.current_task().cancel)
            await asyncio.sleep(600)

    with pytest.raises(asyncio.CancelledError):
        run_on(clock, main())
    assert clock.monotonic() == 10


def test_a_scope_does_not_hide_an_error_of_its_own():
    """What fails in time fails as it would without a deadline."""

    async def main():
        async with Deadline.after(60, FakeClock()).scope():
            raise ValueError("no such tool")

    with pytest.raises(ValueError, match="no such tool"):
        asyncio.run(main())
