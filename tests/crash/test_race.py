"""The race lab on files, tools and time: exact numbers of orders for the classical races, and none for their fixes."""

import fcntl
import json
import os
import re
import time
from functools import partial
from pathlib import Path

import pytest
from filelock import FileLock

from labkit import FakeClock, WorldClock, ack, after, arrange, ask, race, tool
from labkit.crash.client import CLIENT
from labkit.crash.race import picture
from labkit.crash.race.found import TakenStep
from labkit.crash.race.report import LostRaceError
from labkit.crash.race.stale import Stale, stale
from labkit.crash.report.picture import BAD


def nothing(_):
    pass


def counter():
    Path("count").write_text("0")


def count():
    value = int(Path("count").read_text())
    Path("count.tmp").write_text(str(value + 1))
    os.replace("count.tmp", "count")


def count_by_a_name_of_its_own():
    value = int(Path("count").read_text())
    Path(f"count.{os.getpid()}").write_text(str(value + 1))
    os.replace(f"count.{os.getpid()}", "count")


def both_counted(_):
    value = Path("count").read_text()
    if value != "2":  # pytest would add the values to an assert
        raise AssertionError(f"two have counted, and the counter shows {value!r}")


def count_under_flock():
    with open("lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        count()


def count_under_filelock():
    with FileLock("lock"):
        count()


def check_then_act():
    if not os.path.exists("mark"):
        Path("mark").write_text("")
        tool("deploy_container", service="shop")


def insert_if_absent():
    try:
        os.close(os.open("mark", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return
    tool("deploy_container", service="shop")


def once(seen):
    assert len(seen.ledger) == 1, f"deployed {len(seen.ledger)} times"


RACES = {
    "lost update": ([count_by_a_name_of_its_own] * 2, both_counted, counter),
    "two writers of one temporary name": ([count] * 2, both_counted, counter),
    "check then act": ([check_then_act] * 2, once, None),
}
FIXES = {
    "lost update under flock": ([count_under_flock] * 2, both_counted, counter),
    "lost update under filelock": ([count_under_filelock] * 2, both_counted, counter),
    "insert if absent": ([insert_if_absent] * 2, once, None),
}


@pytest.mark.parametrize(
    ("name", "broken", "orders"),
    [("lost update", 4, 6), ("two writers of one temporary name", 22, 24), ("check then act", 4, 6)],
)
def test_each_classical_race_breaks_in_as_many_orders_as_counted(name, broken, orders):
    """Each order once, and each order that can lose."""
    report = race(*RACES[name])
    assert (report.problem, len(report.broken), len(report.orders)) == (None, broken, orders), str(report)


@pytest.mark.parametrize("name", FIXES)
def test_its_fix_survives_every_order(name):
    """And that proves something."""
    report = race(*FIXES[name])
    report.assert_survives()


def test_the_smallest_counterexample_is_shown_in_columns_with_what_was_read_and_what_went_stale():
    """Text that is the same at every run."""
    report = race({"a": count_by_a_name_of_its_own, "b": count_by_a_name_of_its_own}, both_counted, counter)
    shown = """\
a and b: 4 of 6 orders break it
two have counted, and the counter shows '1'
  a                                           b
  open count
  read count: 0
  open-truncate count.4260
  write count.4260
                                              open count
                                              read count: 0
                                              open-truncate count.4261
                                              write count.4261
                                              replace count.4261 → count
                                              RETURN
  ! replace count.4260 → count
  RETURN
! a goes on with an old value:
  a did read count                       count_by_a_name_of_its_own, line N: value = int(Path("count").read_text())
  then b did replace count.4261 → count  count_by_a_name_of_its_own, line N: os.replace(f"count.{os.getpid()}", "count")
  then a did replace count.4260 → count  count_by_a_name_of_its_own, line N: os.replace(f"count.{os.getpid()}", "count")
A lock over these three would have kept b out."""
    assert re.sub(r"line \d+:", "line N:", str(report)) == shown
    with pytest.raises(LostRaceError, match=r"4 of 6 orders break it"):
        report.assert_survives()


def test_an_order_can_be_run_once_more():
    """By the names of who takes each step, or by its number; another order says what cannot be."""
    report = race({"a": count, "b": count}, both_counted, counter)
    worst = report.broken[0]
    assert report.replay(worst.names) == worst
    assert report.replay(0) == report.orders[0]
    with pytest.raises(ValueError, match="c cannot take step 2 of this order"):
        report.replay(["a", "c"])


def work_for_a_minute():
    """Hold a lease of 60 seconds, and write without a look at the clock."""
    Path("owner").write_text("slow")
    Path("written").write_text("slow")


def take_over(now):
    """Whoever finds the lease expired takes it."""
    if now() - START > 60:
        Path("owner").write_text("fast")
        Path("written").write_text("fast")


START = FakeClock().now().timestamp()


def the_owner_has_written(_):
    owner, written = Path("owner").read_text(), Path("written").read_text()
    if owner != written:
        raise AssertionError(f"{owner} owns it, and {written} has written last")


@pytest.mark.long
@pytest.mark.parametrize("now", [time.time, lambda: WorldClock().now().timestamp()], ids=["time", "WorldClock"])
def test_time_that_passes_lets_the_zombie_write(now):
    """A lease expires under a worker that is only slow, whichever clock is asked; without `after`, it does not."""
    workers = {"slow": work_for_a_minute, "fast": partial(take_over, now)}
    assert not race(workers, the_owner_has_written).broken
    report = race({**workers, "time": after(61)}, the_owner_has_written)
    assert report.problem is None
    assert report.broken
    assert report.broken[0].reason == "fast owns it, and slow has written last"


def deploy():
    tool("deploy_container", service="shop")
    ack("done")


def ask_then_deploy():
    if ask("deploy_container", service="shop") is None:
        tool("deploy_container", service="shop")


def test_calls_of_tools_come_in_every_order():
    """The ledger is a list: each order of its entries is one; an acknowledgement is seen beside it."""
    report = race([deploy, deploy], nothing)
    assert len(report.orders) == 4
    assert len(race([ask_then_deploy] * 2, once, arrange_asked).broken) == 2


def arrange_asked():
    arrange(kinds={"deploy_container": "asked"})


def sleep_until_there():
    while not os.path.exists("flag"):
        time.sleep(1)


def raise_flag():
    Path("flag").write_text("")


def test_who_polls_waits_for_the_others():
    """A loop that sleeps makes no endless orders; where nobody comes, it is told as a livelock."""
    report = race([sleep_until_there, raise_flag], nothing)
    report.assert_survives()
    assert {order.how for order in report.orders} == {"complete"}
    alone = race([sleep_until_there, deploy], nothing)
    assert alone.broken[0].reason == "livelock: sleep_until_there went on and on, and came to no end"


def two_locks():
    with FileLock("one"), FileLock("two"):
        Path("both").write_text("")


def two_locks_the_other_way_round():
    with FileLock("two"), FileLock("one"):
        Path("both").write_text("")


def test_a_deadlock_is_a_verdict_with_who_waits_for_whom():
    """It is seen as the locks are asked for, not by waiting."""
    report = race({"a": two_locks, "b": two_locks_the_other_way_round}, nothing)
    assert report.broken[0].reason == "deadlock: a waits for b (lock two), b waits for a (lock one)"
    assert len(report.broken) == 1


def spin():
    while True:
        pass


def wait_for_a_pipe():
    read, _ = os.pipe()
    os.read(read, 1)


def fork():
    os.fork()


def no_plain_data():
    count()
    return object()


def fail():
    Path("x").write_text("")
    raise KeyError("x")


def use_sqlite():
    import sqlite3

    sqlite3.connect("db")


def ask_for_the_other():
    os.kill(4261, 0)


@pytest.mark.parametrize(
    ("worker", "problem"),
    [
        (spin, "spin did not end in time: it waits for something outside the lab, or for ever"),
        (wait_for_a_pipe, "wait_for_a_pipe did not end in time: it waits for something outside the lab, or for ever"),
        (fork, "fork was going to start another process: the crash lab explores one"),
        (use_sqlite, "use_sqlite was going to use SQLite in a race: its locks are taken in C code, and not seen"),
        (ask_for_the_other, "ask_for_the_other was going to ask for the process 4261 of another worker"),
    ],
)
def test_what_cannot_be_explored_is_refused_by_name(worker, problem, monkeypatch):
    """It is no verdict, and nothing is left running."""
    monkeypatch.setattr(CLIENT, "seconds", 0.5)
    report = race([worker, count], nothing, counter)
    assert report.problem.startswith(problem)
    assert report.verdict.endswith("not explored")
    with pytest.raises(LostRaceError, match=problem):
        report.assert_survives()


@pytest.mark.parametrize(
    ("workers", "why"),
    [
        ([fail, fail], "fail 1 raised KeyError in every order: let it come to its end first"),
        ([count, lambda: None], "<lambda> did nothing that another could notice: it can lose no race"),
        ([deploy, lambda: os.mkdir("own")], "there is one order only: the workers share nothing"),
        (
            [lambda: Path("x").read_bytes(), count],
            "<lambda> raised FileNotFoundError in every order: let it come to its",
        ),
        ([input, count], "input raised EOFError in every order: let it come to its end first"),
        ([no_plain_data, count], "no_plain_data raised NotPlainDataError in every order: let it come to its end first"),
    ],
)
def test_what_proves_nothing_does_not_pass(workers, why):
    """No order breaks it, and that says nothing."""
    report = race(workers, nothing, counter)
    assert report.problem is None
    with pytest.raises(LostRaceError, match=why):
        report.assert_survives()
    assert f"It proves nothing: {why}" in str(report)


def test_more_orders_than_the_limit_are_told():
    """Those that were run count, and never as all."""
    report = race([count, count], nothing, counter, limit=3)
    assert report.verdict == "count 1 and count 2: 0 of 3 orders (there are more) break it"
    with pytest.raises(LostRaceError, match="there are more than 3 orders, and these alone were run: raise the limit"):
        report.assert_survives()


def test_a_touch_is_one_step():
    """Its look at the clock is the kernel's own: no time passes between that and the file's new time."""

    def touch():
        os.utime("count")

    report = race([touch, touch, after(60)], nothing, counter)
    assert {step.op for order in report.orders for step in order.steps if step.worker != "time"} <= {"utime", "RETURN"}
    assert report.problem is None


def test_a_broken_order_is_enough():
    """For who asks for no more: a race that no order breaks is explored to its end."""
    report = race([count, count], both_counted, counter, enough=1)
    assert report.verdict == "count 1 and count 2: 1 of 2 orders (there are more) breaks it"
    assert race([count, count], nothing, counter, enough=1) == race([count, count], nothing, counter)


def test_an_invariant_that_always_fails_is_no_race():
    """What breaks where nothing overlaps is told as such."""
    report = race([count, count], lambda _: 1 / 0, counter)
    assert "It breaks in every order, also where nothing overlaps: so it is no race." in str(report)


@pytest.mark.parametrize("workers", [[], [count], [after(1), after(2)]])
def test_a_race_needs_two(workers):
    """One line says so."""
    with pytest.raises(ValueError, match="a race needs at least two participants"):
        race(workers, nothing)


async def coroutine():
    count()


def generator():
    yield count()


@pytest.mark.parametrize(
    ("workers", "invariant", "options", "why"),
    [
        ([1, 2], nothing, {}, "a worker is a function without arguments, or after\\(seconds\\): 1 is neither"),
        ([coroutine, count], nothing, {}, "coroutine is a coroutine function, and a call of it runs nothing"),
        ([generator, count], nothing, {}, "generator is a generator function, and a call of it runs nothing"),
        ({"": count, "b": count}, nothing, {}, "a worker needs a name that can be read: '' is none"),
        ([count, count], None, {}, "invariant is to be a function: None is none"),
        ([count, count], nothing, {"setup": 1}, "setup is to be a function: 1 is none"),
        ([count, count], nothing, {"enough": 0}, "enough=0: at least one order has to be run"),
        ([count, count], nothing, {"limit": 0}, "limit=0: at least one order has to be run"),
    ],
)
def test_what_is_no_race_is_told_before_anything_runs(workers, invariant, options, why):
    """In one line, and not from within a child."""
    with pytest.raises((TypeError, ValueError), match=why):
        race(workers, invariant, **options)


def test_what_workers_return_and_raise_is_in_the_observation():
    """By name, as plain data."""

    def seen(o):
        ends = {name: (end.how, end.returned, end.raised) for name, end in o.workers.items()}
        assert ends == {"a": ("returned", {"x": 1}, ""), "b": ("raised", None, "KeyError")}, str(ends)

    report = race({"a": lambda: {"x": 1}, "b": fail}, seen)
    assert not report.broken
    assert report.raised() == "b raised KeyError in 1 of 1 orders"


def test_the_report_as_plain_data():
    """Every order with its steps, what was read, and how it ended."""
    told = race([count, count], both_counted, counter).to_json()
    assert json.loads(json.dumps(told)) == told
    assert len(told["orders"]) == 24
    assert (told["complete"], told["crowded"], told["problem"]) == (True, False, None)


@pytest.mark.long
def test_the_picture_stands_for_every_order_also_when_it_is_folded():
    """No row is left out without its number."""
    report = race([count, count], both_counted, counter, crash=True)
    rows = picture.folded(report.orders)
    assert len(report.orders) == sum(number for _, number in rows) > len(rows)
    assert picture.strip(report.orders, report.workers, report.verdict).startswith(b"\x89PNG")


def test_the_text_is_the_same_at_every_run():
    """Whatever the machine does beside it."""
    texts = {str(race(*RACES["check then act"])) for _ in range(5)}
    assert len(texts) == 1


def test_a_stale_read_is_found_behind_later_reads_of_something_else():
    """The file is read, another is synced, and then the first is replaced: over what somebody has written since."""
    steps = [
        TakenStep("a", "read", "count", "0", touches=((("data", "count"), False),)),
        TakenStep("a", "fsync", "count.new", "", touches=((("data", "count.new"), False),)),
        TakenStep("b", "write", "count", "", touches=((("data", "count"), True),)),
        TakenStep("a", "replace", "count.new → count", "", touches=((("data", "count"), True),)),
    ]
    assert stale(steps) == [Stale(0, 2, 3)]


def test_the_title_has_the_colour_of_the_verdict_whatever_the_race_is_called(monkeypatch):
    """A name may look like a verdict."""
    from matplotlib.axes import Axes

    colours = []
    monkeypatch.setattr(Axes, "set_title", lambda *_, color, **__: colours.append(color))
    report = race(*RACES["lost update"], name="with 0 of them")
    picture.strip(report.orders, report.workers, report.verdict)
    assert (bool(report.broken), colours) == (True, [BAD])
