"""What a race sees of files, locks, clocks and polling: where two names are one file, and where one name is two."""

import fcntl
import os
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from labkit import after, race


def reasons(report):
    """Without what pytest adds to them."""
    return [order.reason.partition(" assert ")[0] for order in report.broken]


def add(name):
    """Add one to the number in a file, through one descriptor."""
    fd = os.open(name, os.O_RDWR)
    number = int(os.pread(fd, 9, 0))
    os.pwrite(fd, str(number + 1).encode(), 0)
    os.close(fd)


def append(name, line):
    """Write behind the end, as it was found."""
    fd = os.open(name, os.O_RDWR)
    os.lseek(fd, 0, os.SEEK_END)
    os.write(fd, line)
    os.close(fd)


def append_to_a_file(name, line):
    """The same by a file object."""
    with open(name, "r+b", buffering=0) as file:
        file.seek(0, os.SEEK_END)
        file.write(line)


def two_names():
    """Of one file."""
    Path("n").write_text("0")
    os.link("n", "other")


def holds(name, size):
    """An invariant: a file holds 2, or so many bytes."""

    def invariant(_):
        found = Path(name).read_bytes()
        assert found == b"2" if size is None else len(found) == size, found

    return invariant


@pytest.mark.parametrize(
    ("workers", "setup", "invariant"),
    [
        ([partial(add, "n"), partial(add, "other")], two_names, holds("n", None)),
        ([partial(append, "log", b"1"), partial(append, "log", b"2")], Path("log").touch, holds("log", 2)),
        ([partial(append_to_a_file, "log", b"1")] * 2, Path("log").touch, holds("log", 2)),
    ],
    ids=["two names of one file", "the end by lseek", "the end by seek"],
)
def test_a_lost_update_is_seen_by_whatever_way_it_is_lost(workers, setup, invariant):
    """Of four orders, the two in which each has read before the other writes; in the two others nothing is lost."""
    report = race(workers, invariant, setup)
    assert (len(report.broken), len(report.orders)) == (2, 4)


def move_then_add():
    """A name for another."""
    os.rename("n", "m")
    add("m")


def release(target):
    """Put another link in the place of one."""
    os.symlink(target, "next")
    os.replace("next", "current")


def two_releases():
    """Two folders with a file each, a link to one, and links to that link."""
    for version in "12":
        os.mkdir(version)
        Path(version, "page").write_text(version)
    os.symlink("1", "current")
    os.symlink("current", "app")
    os.symlink(os.path.join(os.getcwd(), "app"), "absolute")


@pytest.mark.parametrize(
    "read",
    [
        lambda: Path("current/page").read_text(),
        lambda: Path("app/page").read_text(),
        lambda: Path("absolute/../app/page").read_text(),
        lambda: os.listdir("app") and Path(os.readlink("current")).name,
        lambda: "1" if os.stat("app").st_ino == os.stat("1").st_ino else "2",
    ],
    ids=["a link", "a link to a link", "an absolute link", "where it leads", "what it is"],
)
def test_links_on_the_way_to_a_file_are_read_with_it(read):
    """Who puts another link in the place of one leads others elsewhere, whatever links lead to that one."""

    def read_twice():
        return read() + read()

    def invariant(o):
        assert o.workers["read_twice"].returned in {"11", "22"}, "half of each"

    report = race({"read_twice": read_twice, "release": partial(release, "2")}, invariant, two_releases)
    assert report.broken
    assert {*reasons(report)} == {"half of each"}


def test_what_is_done_behind_a_link_may_be_moved_elsewhere():
    """A file is made in the folder to which a link leads at that moment."""

    def write():
        Path("app/new").touch()

    def invariant(_):
        assert not Path("2/new").exists(), "made in 2"

    report = race({"write": write, "release": partial(release, "2")}, invariant, two_releases)
    assert 0 < len(report.broken) < len(report.orders)


def test_a_file_that_is_open_is_the_same_under_its_new_name():
    """Also for a step that its worker was about to take when another renamed it."""

    def invariant(seen):
        came = sum(not end.raised for end in seen.workers.values())
        assert Path("m").read_text() == str(came), f"{came} added, and it is {Path('m').read_text()}"

    assert race([partial(add, "n"), move_then_add], invariant, lambda: Path("n").write_text("0")).broken


def lock_files():
    """A file to lock, and a number."""
    for name in ("lock", "n"):
        Path(name).write_text("0")


def locked(take, *, upgrade=False, reopen=False):
    """Add one within a lock."""
    lock = os.open("lock", os.O_RDWR)
    take(lock, fcntl.LOCK_SH if upgrade else fcntl.LOCK_EX)
    if reopen:
        os.close(os.open("lock", os.O_RDONLY))
    fd = os.open("n", os.O_RDWR)
    number = int(os.pread(fd, 9, 0))
    if upgrade:
        take(lock, fcntl.LOCK_EX)
    os.pwrite(fd, str(number + 1).encode(), 0)
    os.close(fd)
    os.close(lock)


def by_flock(**options):
    """Of BSD."""
    locked(fcntl.flock, **options)


def by_lockf(**options):
    """Of POSIX."""
    locked(fcntl.lockf, **options)


@pytest.mark.parametrize(
    "workers",
    [
        [partial(by_flock, upgrade=True)] * 2,
        [partial(by_lockf, reopen=True)] * 2,
        [by_flock, by_lockf],
    ],
    ids=["flock made exclusive", "lockf, and another descriptor closed", "flock beside lockf"],
)
def test_a_lock_that_the_system_lets_go_of_keeps_nobody_out(workers):
    """As Linux has it: an update is lost, and nobody waits for ever."""
    report = race(workers, holds("n", None), lock_files)
    assert {*reasons(report)} == {"b'1'"}
    assert any(order.survives for order in report.orders)


@pytest.mark.parametrize("worker", [by_flock, by_lockf])
def test_a_lock_that_is_held_keeps_others_out(worker):
    """In each of the two orders."""
    report = race([worker, worker], holds("n", None), lock_files)
    report.assert_survives()
    assert len(report.orders) == 2


def within_a_lock(*, remove):
    """Be inside alone, by a lock file."""
    lock = os.open("lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    if remove:
        os.unlink("lock")
    os.mkdir("inside")
    os.rmdir("inside")
    os.close(lock)


def nobody_meets(seen):
    """An invariant: two were never inside."""
    assert "FileExistsError" not in {end.raised for end in seen.workers.values()}, "two are inside"


def test_who_locks_a_file_that_was_removed_locks_another_one_than_who_comes_later():
    """Its name is the same. A lock file that stays keeps them apart."""
    removed, kept = partial(within_a_lock, remove=True), partial(within_a_lock, remove=False)
    assert {*reasons(race([removed, kept], nobody_meets))} == {"two are inside"}
    race([kept, kept], nobody_meets).assert_survives()


def lock_a_part():
    """The first byte."""
    with open("lock", "r+") as file:
        fcntl.lockf(file, fcntl.LOCK_EX, 1, 0)


def test_a_lock_of_a_part_of_a_file_is_refused():
    """Two parts of a file can be locked at the same time: that is not followed."""
    assert (
        "was going to lock a part of a file in a race"
        in race([lock_a_part, by_flock], nobody_meets, lock_files).problem
    )


LOOKS = {
    "time.time": time.time,
    "time_ns": lambda: time.time_ns() / 1e9,
    "monotonic": time.monotonic,
    "now": lambda: datetime.now(UTC).timestamp(),
    "now without a zone": lambda: datetime.now().timestamp(),  # noqa: DTZ005 - that is the point
    "today": lambda: datetime.today().timestamp(),  # noqa: DTZ002
    "localtime": lambda: time.mktime(time.localtime()),
    "strftime": lambda: 60.0 * int(time.strftime("%M")),
}


def look_twice(name):
    """What a clock has gone on."""
    before = LOOKS[name]()
    return LOOKS[name]() - before


def not_a_minute(seen):
    """An invariant."""
    assert seen.workers["look"].returned < 60, "a minute has gone by"


@pytest.mark.parametrize("name", LOOKS)
def test_time_passes_between_two_looks_by_whatever_clock(name):
    """Before, between and after: in one of three orders the two looks differ."""
    report = race({"look": partial(look_twice, name), "time": after(61)}, not_a_minute)
    assert (len(report.broken), len(report.orders)) == (1, 3)


def test_a_time_that_is_only_shown_is_no_look():
    """Nothing hangs on when that is done."""
    report = race({"show": lambda: time.strftime("%M", time.gmtime(0)), "time": after(61)}, lambda _: None)
    assert len(report.orders) == 1


def by_tries():
    """Three looks."""
    for _ in range(3):
        if Path("flag").exists():
            return True
        time.sleep(1)
    return False


def by_deadline():
    """Looks for ten seconds."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if Path("flag").exists():
            return True
        time.sleep(1)
    return False


@pytest.mark.parametrize("poll", [by_tries, by_deadline])
def test_who_polls_may_give_up_before_the_others_have_come(poll):
    """In one order it does; in all others it sees the flag."""

    def seen_by_all(seen):
        assert seen.workers["poll"].returned, "it has given up"

    report = race({"poll": poll, "raise": partial(os.mkdir, "flag")}, seen_by_all)
    assert reasons(report) == ["it has given up"]
    assert len(report.orders) > 2
    assert report.replay(report.broken[0].names).reason == report.broken[0].reason


def with_a_lock_file():
    """Be inside alone, by a lock file that is made and removed."""
    while True:
        try:
            os.close(os.open("lock", os.O_CREAT | os.O_EXCL))
            break
        except FileExistsError:
            time.sleep(1)
    os.mkdir("inside")
    os.rmdir("inside")
    os.unlink("lock")


def test_a_try_that_fails_is_no_change():
    """Who tries to make a lock file again and again polls; it is no livelock."""
    race([with_a_lock_file] * 2, nobody_meets).assert_survives()


def spin():
    """Look without a pause."""
    while not Path("flag").exists():
        pass


def test_a_livelock_ends_the_race():
    """Hundreds of orders with one more look each would say no more."""
    report = race([spin, Path("flag").touch], lambda _: None)
    assert report.verdict == "spin and touch: 1 of 1 order (there are more) breaks it"
    assert report.broken[0].reason.startswith("livelock: spin")
