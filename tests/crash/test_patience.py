"""A child's limit: a busy machine makes no verdict, and neither who works for ever nor who waits gets more."""

import multiprocessing
import os
import threading
import time
from multiprocessing import Pipe

import pytest

from labkit.crash.zygote import patience
from labkit.crash.zygote.patience import Patience


@pytest.fixture
def used(monkeypatch):
    """What the child has used of its processor, as the test has it."""
    seconds = [0.0]
    monkeypatch.setattr(patience, "_used", lambda pid: seconds[0])
    return seconds


def test_who_is_kept_from_its_processor_gets_more_time(used):
    """With the limit over in real time and hardly used in processor time, the child is heard all the same."""
    ours, theirs = Pipe()
    used[0] = 0.01
    threading.Timer(0.3, theirs.send, ("told",)).start()
    assert Patience(0, 0.2).poll(ours)


def test_who_is_in_the_queue_for_a_processor_does_not_wait(used, monkeypatch):
    """It has used nothing, because others did: the child is heard all the same."""
    ours, theirs = Pipe()
    used[0] = 0.0
    monkeypatch.setattr(patience, "_queued", lambda pid: 0.15)
    threading.Timer(0.3, theirs.send, ("told",)).start()
    assert Patience(0, 0.2).poll(ours)


@pytest.mark.parametrize("seconds", [0.0, 0.001])
def test_who_waits_gets_the_limit_in_real_time(used, seconds):
    """A child that has used next to nothing waits for something."""
    ours, _theirs = Pipe()
    used[0], begun = seconds, time.monotonic()
    assert not Patience(0, 0.1).poll(ours)
    assert 0.1 <= time.monotonic() - begun < 10


def test_who_works_for_ever_gets_the_limit_in_processor_time():
    """A real process that runs in a circle ends the patience with it; on any machine, in MOST limits at most."""
    ours, _theirs = Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_circle, daemon=True)
    process.start()
    try:
        begun = time.monotonic()
        assert not Patience(process.pid, 0.5).poll(ours)
        assert time.monotonic() - begun < 0.5 * (patience.MOST + 2)
    finally:
        process.kill()
        process.join(10)


def _circle() -> None:
    while True:
        pass


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="where there is no /proc, real time must do")
def test_processor_time_is_what_the_process_has_used():
    """With that of the children which it has waited for, as the system tells it."""
    assert patience._used(os.getpid()) == pytest.approx(sum(os.times()[:4]), abs=1.0)
