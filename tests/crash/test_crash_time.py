"""asyncio in the crash lab: its loops follow the world's clock, and wait in real time only for what is real."""

import asyncio
import math
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from labkit import crash
from labkit.crash import Observation, sweep, trial
from labkit.crash.child import asyncio_time
from labkit.crash.client import CLIENT
from labkit.world import ack, tool

LIMIT = 20.0
"""Real seconds that nothing here waits longer for."""


def in_a_runner(main):
    """As asyncio.Runner runs it."""
    with asyncio.Runner() as runner:
        return runner.run(main)


def in_a_new_loop(main):
    """As people ran it before there was asyncio.run."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()


async def sleeps_side_by_side() -> list:
    """Three sleeps at once: who woke up when."""
    woken = []

    async def nap(seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append([seconds, time.monotonic() - 1000])

    await asyncio.gather(nap(3600), nap(0.5), nap(50))
    return woken


async def out_of_patience() -> list:
    """Three ways not to wait for ever: when each of them ended."""
    ended, clock = [], asyncio.get_running_loop().time
    for _ in range(2):
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 30)
        except TimeoutError:
            ended.append(clock() - 1000)
    try:
        async with asyncio.timeout(60):
            await asyncio.sleep(90)
    except TimeoutError:
        ended.append(clock() - 1000)
    called = asyncio.Event()
    asyncio.get_running_loop().call_later(7 * 86400, called.set)
    await called.wait()
    return [*ended, clock() - 1000]


WAYS = [asyncio.run, in_a_runner, in_a_new_loop]


@pytest.mark.parametrize("way", WAYS)
def test_sleeps_side_by_side_take_as_long_as_the_longest(way):
    """Each wakes up at its own time, in that order, and an hour of the world's takes none of ours."""
    seen = trial(lambda: way(sleeps_side_by_side()))
    assert seen.value == [[0.5, 0.5], [50, 50], [3600, 3600]], seen.failure
    assert seen.world.elapsed() == 3600


@pytest.mark.parametrize("way", WAYS)
def test_time_limits_and_timers_follow_the_worlds_clock(way):
    """wait_for, timeout and call_later end on time, however the loop was made."""
    seen = trial(lambda: way(out_of_patience()))
    assert seen.value == [30, 60, 120, 120 + 7 * 86400], seen.failure
    assert seen.world.elapsed() == 120 + 7 * 86400


async def wait_for_nobody() -> None:
    """Wait for an event that nobody sets."""
    await asyncio.Event().wait()


async def sleep_for_ever() -> None:
    """Sleep without end."""
    await asyncio.sleep(math.inf)


@pytest.mark.parametrize("main", [wait_for_nobody, sleep_for_ever])
def test_who_waits_for_what_never_comes_is_hung(main, monkeypatch):
    """A deadlock ends by the alarm, and the clock has not moved."""
    monkeypatch.setattr(CLIENT, "seconds", 1.0)
    seen = trial(lambda: asyncio.run(main()))
    assert (seen.how, seen.world.elapsed()) == ("hung", 0)


def test_the_clock_stands_still_until_a_job_in_a_thread_is_done():
    """What a thread does takes real time: no limit runs out meanwhile, nor while the threads are shut down."""

    async def main() -> int:
        job = asyncio.to_thread(subprocess.call, [sys.executable, "-c", ""])
        return await asyncio.wait_for(job, 30)

    seen = trial(lambda: asyncio.run(main()))
    assert (seen.value, seen.world.elapsed()) == (0, 0), seen.failure


def test_the_clock_stands_still_for_a_thread_that_calls_on_the_loop():
    """A thread of the program's own has a moment to bring its result."""

    async def main() -> int:
        loop = asyncio.get_running_loop()
        result = loop.create_future()

        def work() -> None:
            status = subprocess.call([sys.executable, "-c", ""])
            loop.call_soon_threadsafe(result.set_result, status)

        threading.Thread(target=work).start()
        return await asyncio.wait_for(result, 30)

    seen = trial(lambda: asyncio.run(main()))
    assert (seen.value, seen.world.elapsed()) == (0, 0), seen.failure


def test_an_idle_thread_does_not_hold_up_the_clock():
    """The threads that an executor keeps for later jobs are nothing to wait for."""

    async def main() -> None:
        for _ in range(20):
            await asyncio.to_thread(time.sleep, 60)
            await asyncio.sleep(60)

    seen = trial(lambda: asyncio.run(main()))
    assert (seen.how, seen.world.elapsed()) == ("returned", 20 * 120)


@pytest.fixture
def address():
    """Where a server, in this process, answers every line with the same line."""

    def echo() -> None:
        with suppress(TimeoutError):
            connection, _ = server.accept()
            connection.settimeout(LIMIT)
            with connection, connection.makefile("rwb", buffering=0) as lines:
                for line in lines:
                    lines.write(line)

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(LIMIT)
        thread = threading.Thread(target=echo, daemon=True)
        thread.start()
        yield server.getsockname()
        thread.join(LIMIT)


def test_the_clock_stands_still_until_a_server_answers(address):
    """A request takes real time, so its limit does not run out; an idle connection holds nothing up for long."""

    async def main() -> list:
        asyncio_time.MOMENT = 5.0
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"hello\n")
        answer = await asyncio.wait_for(reader.readline(), 30)
        asked = time.monotonic() - 1000
        asyncio_time.MOMENT = 0.01
        await asyncio.sleep(60)
        writer.close()
        return [answer.decode(), asked, time.monotonic() - 1000]

    assert trial(lambda: asyncio.run(main())).value == ["hello\n", 0, 60]


def test_a_selector_of_the_programs_own_follows_the_clock():
    """Who waits for a socket without asyncio has waited as long as it says."""

    def wait_a_little() -> int:
        ours, theirs = socket.socketpair()
        with selectors.DefaultSelector() as selector, ours, theirs:
            selector.register(ours, selectors.EVENT_READ)
            return len(selector.select(0.01))

    seen = trial(wait_a_little)
    assert (seen.value, seen.world.elapsed()) == (0, 0.01), seen.failure


def test_an_agent_of_coroutines_is_swept_like_any_other():
    """Its waits cost nothing, its crash points are the same at every run, and time goes on where the kill left it."""

    def save(done: list[str]) -> None:
        Path("new").write_text(" ".join(done))
        os.replace("new", "done")

    async def deploy(done: list[str]) -> None:
        for step in ("create_dns", "deploy_container")[len(done) :]:
            await asyncio.gather(asyncio.sleep(30), asyncio.sleep(10))
            tool(step, service="shop", key=step)
            done.append(step)
            save(done)
        ack("deployed")

    def run() -> float:
        asyncio.run(deploy(Path("done").read_text().split()))
        return time.monotonic() - 1000

    def each_step_once_and_in_time(seen: Observation) -> None:
        assert [call.tool for call in seen.ledger] == ["create_dns", "deploy_container"]
        assert seen.state >= 2 * (30 + 120) + 60, "the time before the kill is lost"

    def explored() -> crash.Report:
        return sweep(run, run, each_step_once_and_in_time, lambda: save([]))

    report = explored()
    report.assert_survives()
    assert report == explored()


def test_every_clock_of_the_system_shows_virtual_time():
    """Also those of the processor, which say that this process was always at work."""

    def shown():
        clocks = [time.CLOCK_MONOTONIC, time.CLOCK_PROCESS_CPUTIME_ID, time.CLOCK_THREAD_CPUTIME_ID]
        clocks += [time.CLOCK_MONOTONIC_RAW] if hasattr(time, "CLOCK_MONOTONIC_RAW") else [time.CLOCK_MONOTONIC]
        assert time.clock_gettime(time.CLOCK_REALTIME) == time.time()
        assert time.clock_gettime_ns(time.CLOCK_REALTIME) == time.time_ns()
        nanoseconds = [time.clock_gettime_ns(each) for each in clocks] + [time.process_time_ns(), time.thread_time_ns()]
        seconds = [time.clock_gettime(each) for each in clocks] + [time.process_time(), time.thread_time()]
        assert nanoseconds == [each * 1_000_000_000 for each in seconds]
        return [*seconds, os.times().user, os.times().elapsed]

    def later():
        before = shown()
        time.sleep(5)
        return before, shown()

    before, after = trial(later).value
    assert before == [1000.0, 0.0, 0.0, 1000.0, 0.0, 0.0, 0.0, 1000.0]
    assert after == [each + 5 for each in before]


def test_every_way_to_tell_the_time_tells_the_worlds():
    """As numbers, as texts, and taken apart."""

    def told():
        time.sleep(60)
        moments = time.localtime(), time.gmtime()
        texts = time.ctime(), time.asctime(), time.strftime("%c"), f"{datetime.now(UTC):%c}", time.ctime(time.time())
        return [f"{time.strftime('%c', moment)}" for moment in moments] + [*texts, time.ctime(0)]

    assert trial(told).value == ["Thu Jan  1 09:01:00 2026"] * 7 + ["Thu Jan  1 00:00:00 1970"]


def test_fresh_interpreters_keep_the_same_time():
    """Where each process is spawned, asyncio follows the clock as well."""
    program = (
        "import asyncio, sys; sys.path.insert(0, sys.argv[1]); import test_crash_time as t\n"
        "seen = t.trial(lambda: asyncio.run(t.sleeps_side_by_side())); print(seen.value, seen.world.elapsed())"
    )
    command = [sys.executable, "-c", program, str(Path(__file__).parent)]
    said = subprocess.check_output(command, text=True, timeout=60, env={**os.environ, "LABKIT_CHILDREN": "spawn"})
    assert said == "[[0.5, 0.5], [50, 50.0], [3600, 3600.0]] 3600.0\n"


def test_who_does_not_use_asyncio_does_not_load_it():
    """Its import would be paid at every crash point."""
    program = "import sys; from labkit import trial; print(trial(lambda: 'asyncio' in sys.modules).value)"
    assert subprocess.check_output([sys.executable, "-c", program], text=True, timeout=60) == "False\n"
