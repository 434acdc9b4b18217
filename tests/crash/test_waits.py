"""Waiting in the crash lab: what time can end takes virtual time, what nothing can end is told with its line."""

import os
import queue
import select
import threading
import time
from pathlib import Path

import pytest

from labkit import sweep, trial
from labkit.crash import CrashLabError
from labkit.crash.client import CLIENT


def touch() -> None:
    """A program of one effect."""
    Path("inside").touch()


def sleep_for_ever() -> None:
    while True:
        time.sleep(1)


def look_for_ever() -> None:
    while not Path("never").exists():
        time.sleep(0.01)


def watch_the_clock_for_ever() -> None:
    while time.monotonic():
        pass


def wait_for_nobody() -> None:
    threading.Event().wait()


def take_what_nobody_puts() -> None:
    queue.Queue().get()


ENDLESS = [sleep_for_ever, look_for_ever, watch_the_clock_for_ever, wait_for_nobody, take_what_nobody_puts]


@pytest.mark.parametrize("endless", ENDLESS)
def test_a_recovery_that_waits_for_ever_is_told_with_its_line(endless):
    """Long before the limit of ten real seconds, of which each crash point would have cost as many."""
    began = time.monotonic()
    report = sweep(touch, endless, lambda seen: None)
    outcome = report.broken[0].outcomes[0]
    assert outcome.reason.startswith(f"recovery did not end in time ({endless.__name__}, line ")
    assert time.monotonic() - began < 9 * len(report.points)


def one(*_) -> float:
    threading.Event().wait(40)


def condition() -> None:
    with (ready := threading.Condition()):
        ready.wait_for(lambda: False, timeout=40)


def get() -> None:
    with pytest.raises(queue.Empty):
        queue.Queue().get(timeout=40)


def semaphore() -> None:
    assert not threading.Semaphore(0).acquire(timeout=40)


def watch_the_clock() -> None:
    until = time.monotonic() + 40
    while time.monotonic() < until:
        pass


def watch_the_wall_clock() -> None:
    until = time.time() + 40
    while time.time() < until:
        pass


LIMITED = [one, condition, get, semaphore, lambda: select.select([], [], [], 40), watch_the_clock, watch_the_wall_clock]


@pytest.mark.parametrize("wait", LIMITED)
def test_a_wait_with_a_limit_takes_virtual_time(wait):
    """Forty seconds of the world's clock, and next to none of ours."""
    began = time.monotonic()
    seen = trial(wait)
    assert seen.failure == "returned"
    assert 40 <= seen.world.elapsed() < 41
    assert time.monotonic() - began < 10


def test_an_event_that_a_thread_sets_ends_the_wait():
    """Other threads get real time, and no virtual time passes."""

    def run() -> bool:
        event = threading.Event()
        threading.Thread(target=event.set).start()
        return event.wait(40)

    seen = trial(run)
    assert (seen.value, seen.world.elapsed()) == (True, 0)


def test_a_lock_of_any_age_up_to_an_hour_is_waited_for():
    """Whoever looks once a second for less than an hour is no endless waiter."""

    def run() -> None:
        until = time.monotonic() + 3_590
        while time.monotonic() < until:
            time.sleep(1)

    assert trial(run).failure == "returned"


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e300, 10**30, "1", None, 1 + 2j])
def test_sleep_refuses_what_pythons_refuses(seconds):
    """With the same error in the same words."""
    with pytest.raises(Exception) as real:  # noqa: PT011 - whatever Python raises here
        time.sleep(seconds)
    seen = trial(lambda: time.sleep(seconds))
    assert (seen.error, seen.failure) == (real.type.__name__, f"raised {real.type.__name__}: {real.value}")


@pytest.mark.parametrize("seconds", [0, 2, 2.5, True])
def test_sleep_takes_what_pythons_takes(seconds):
    """Numbers of every kind that Python takes for seconds."""
    assert trial(lambda: time.sleep(seconds)).world.elapsed() == seconds


def work_for_ever() -> None:
    while True:
        pass


def take_a_lock_twice() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def read_what_nobody_writes() -> None:
    os.read(os.pipe()[0], 1)


HANGS = [work_for_ever, take_a_lock_twice, read_what_nobody_writes]


@pytest.mark.parametrize("hangs", HANGS)
def test_whoever_hangs_is_asked_for_its_line(hangs, monkeypatch):
    """A signal reaches a loop, a lock and a read alike, in a trial and in what comes before it."""
    monkeypatch.setattr(CLIENT, "seconds", 0.5)
    seen = trial(hangs)
    assert (seen.how, seen.failure, seen.line.function) == ("hung", "did not end in time", hangs.__name__)
    with pytest.raises(CrashLabError) as caught:
        trial(touch, hangs)
    assert str(caught.value) == "setup did not end in time"
    assert caught.value.where.startswith(f"{hangs.__name__}, line ")


def test_a_recovery_that_hangs_at_each_point_costs_its_limit_once(monkeypatch):
    """The verdict is known after the first: the others get half a second."""
    monkeypatch.setattr(CLIENT, "seconds", 4.0)

    def run() -> None:
        for number in range(8):
            Path(f"file {number}").touch()

    began = time.monotonic()
    report = sweep(run, take_a_lock_twice, lambda seen: None)
    assert len(report.broken) == len(report.points) == 10
    assert report.broken[-1].outcomes[0].reason.startswith("recovery did not end in time (take_a_lock_twice, line ")
    assert time.monotonic() - began < 4 * len(report.points)
