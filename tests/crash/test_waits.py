"""Waiting in the crash lab: what time can end takes virtual time, what nothing can end is told with its line."""

import _thread
import os
import queue
import select
import selectors
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
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


def take_a_lock_twice() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def take_the_lock_of_a_dead_thread() -> None:
    lock = threading.RLock()
    owner = threading.Thread(target=lock.acquire)
    owner.start()
    owner.join()
    with lock:
        pass


def take_of_a_simple_queue() -> None:
    queue.SimpleQueue().get()


def wait_for_a_signal() -> None:
    signal.pause()


ENDLESS = [sleep_for_ever, look_for_ever, watch_the_clock_for_ever, wait_for_nobody, take_what_nobody_puts]
ENDLESS += [take_a_lock_twice, take_the_lock_of_a_dead_thread, take_of_a_simple_queue, wait_for_a_signal]


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


def lock() -> None:
    with (taken := threading.Lock()):
        assert not taken.acquire(timeout=40)


def lock_of_another() -> None:
    taken = threading.RLock()
    threading.Thread(target=taken.acquire).start()
    assert not taken.acquire(timeout=40)


def simple_queue() -> None:
    with pytest.raises(queue.Empty):
        queue.SimpleQueue().get(timeout=40)


def full() -> None:
    (small := queue.Queue(1)).put(1)
    with pytest.raises(queue.Full):
        small.put(2, timeout=40)


def barrier() -> None:
    with pytest.raises(threading.BrokenBarrierError):
        threading.Barrier(2).wait(40)


def join() -> None:
    event = threading.Event()
    (thread := threading.Thread(target=event.wait)).start()
    thread.join(40)
    assert thread.is_alive()
    event.set()


def result() -> None:
    with ThreadPoolExecutor(1) as pool:
        event = threading.Event()
        with pytest.raises(TimeoutError):
            pool.submit(event.wait).result(40)
        event.set()


def futures() -> None:
    assert wait([Future()], 40).not_done


def futures_as_they_come() -> None:
    with pytest.raises(TimeoutError):
        list(as_completed([Future()], 40))


def a_pipe() -> None:
    assert select.select([os.pipe()[0]], [], [], 40) == ([], [], [])


def selector() -> None:
    with selectors.DefaultSelector() as waiting:
        waiting.register(os.pipe()[0], selectors.EVENT_READ)
        assert waiting.select(40) == []


def a_signal() -> None:
    assert signal.sigtimedwait({signal.SIGUSR1}, 40) is None


LIMITED = [one, condition, get, semaphore, lambda: select.select([], [], [], 40), watch_the_clock, watch_the_wall_clock]
LIMITED += [lock, lock_of_another, simple_queue, full, barrier, join, result, futures, futures_as_they_come]
LIMITED += [a_pipe, selector, a_signal]


@pytest.mark.parametrize("wait", LIMITED)
def test_a_wait_with_a_limit_takes_virtual_time(wait):
    """Forty seconds of the world's clock, and next to none of ours."""
    began = time.monotonic()
    seen = trial(wait)
    assert seen.failure == "returned"
    assert 40 <= seen.world.elapsed() < 41
    assert time.monotonic() - began < 10


def test_a_lock_that_a_thread_lets_go_in_time_is_taken():
    """What the other sleeps is virtual, and over before this one gives up."""

    def run() -> bool:
        lock, taken = threading.Lock(), threading.Event()

        def hold() -> None:
            with lock:
                taken.set()
                time.sleep(30)

        threading.Thread(target=hold).start()
        taken.wait()
        return lock.acquire(timeout=40)

    seen = trial(run)
    assert (seen.value, seen.world.elapsed()) == (True, 30)


@pytest.mark.parametrize("arguments", [(False, 1), (True, -2), (True, 1e300), (True, "1")])
@pytest.mark.parametrize("kind", ["Lock", "RLock"])
def test_a_lock_refuses_what_pythons_refuses(kind, arguments):
    """With the same error in the same words."""
    with pytest.raises(Exception) as real:  # noqa: PT011 - whatever Python raises here
        getattr(threading, kind)().acquire(*arguments)

    def run() -> None:
        lock = threading.Lock() if kind == "Lock" else threading.RLock()
        lock.acquire(*arguments)

    seen = trial(run)
    assert (seen.error, seen.failure) == (real.type.__name__, f"raised {real.type.__name__}: {real.value}")


def test_a_lock_is_a_lock():
    """It can be asked, shown to a Condition, and let go once."""

    def run() -> list:
        lock, again = threading.Lock(), threading.RLock()
        with lock, again, again:
            seen = [lock.locked(), lock.acquire(blocking=False), lock.acquire(timeout=0)]
        ready, ready_again = threading.Condition(lock), threading.Condition(again)
        with ready, ready_again:
            ready.wait(1)
        with pytest.raises(RuntimeError):
            lock.release()
        return [*seen, lock.locked()]

    assert trial(run).value == [True, False, False, False]


def test_what_is_put_into_a_simple_queue_tells_what_came_before():
    """Two threads that hand on their turn by it are in an order."""

    def run() -> None:
        turn = queue.SimpleQueue()

        def other() -> None:
            Path("first").touch()
            turn.put(1)

        threading.Thread(target=other).start()
        turn.get()
        Path("second").touch()

    assert sweep(run, touch, lambda seen: None).problem is None


def ask_to_poll() -> None:
    poll = select.poll()
    poll.poll(40)


def test_a_poll_is_refused_by_name():
    """It would wait in real time."""
    report = sweep(ask_to_poll, touch, lambda seen: None)
    assert report.problem.startswith("run was going to wait by select.poll or select.epoll: use selectors")


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


def take_a_lock_of_c_twice() -> None:
    lock = _thread.allocate_lock()
    lock.acquire()
    lock.acquire()


def read_what_nobody_writes() -> None:
    os.read(os.pipe()[0], 1)


HANGS = [work_for_ever, take_a_lock_of_c_twice, read_what_nobody_writes]


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


@pytest.mark.long
def test_a_recovery_that_hangs_at_each_point_costs_its_limit_once(monkeypatch):
    """The verdict is known after the first: the others get half a second."""
    monkeypatch.setattr(CLIENT, "seconds", 4.0)

    def run() -> None:
        for number in range(8):
            Path(f"file {number}").touch()

    began = time.monotonic()
    report = sweep(run, take_a_lock_of_c_twice, lambda seen: None)
    assert len(report.broken) == len(report.points) == 10
    assert (
        report.broken[-1].outcomes[0].reason.startswith("recovery did not end in time (take_a_lock_of_c_twice, line ")
    )
    assert time.monotonic() - began < 4 * len(report.points)
