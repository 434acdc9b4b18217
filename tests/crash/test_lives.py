"""Numbers of a life: hashes of texts and numbers of threads are the same all through a life, and others in the next."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from unittest.mock import Mock

import psutil
import pytest

from labkit.crash import sweep
from labkit.crash.child.hashing import uses_hashes
from labkit.crash.client import CLIENT

STEPS = ["check", "clean", "build", "ship", "tell"]


def in_order_of_a_set() -> None:
    """Does each step once, in the order of a set, and keeps count by a line each."""
    with open("done", "a") as done:
        for step in set(STEPS):
            done.write(f"{step}\n")
            done.flush()


def rest_of_a_set() -> list[str]:
    """Goes on where the lines end, in the order of the set."""
    done = Path("done").read_text().split() if Path("done").exists() else []
    return done + list(set(STEPS))[len(done) :]


def in_order_of_a_list() -> None:
    """The same in an order that stays."""
    with open("done", "a") as done:
        for step in sorted(set(STEPS)):
            done.write(f"{step}\n")
            done.flush()


def rest_of_a_list() -> list[str]:
    """The same."""
    done = Path("done").read_text().split() if Path("done").exists() else []
    return done + sorted(set(STEPS))[len(done) :]


def each_once(o) -> None:
    """Every step was done once."""
    assert sorted(o.state) == sorted(STEPS), o.state


@pytest.mark.slow
@pytest.mark.parametrize(("run", "recover", "survives"), [
    (in_order_of_a_set, rest_of_a_set, False),
    (in_order_of_a_list, rest_of_a_list, True),
])  # fmt: skip
def test_the_order_of_a_set_is_another_after_a_restart(run, recover, survives):
    """Who goes on by the place in a set repeats and forgets steps: it never survives because a seed was fixed."""
    report = sweep(run, recover, each_once)
    assert report.problem is None
    assert bool(report.broken) != survives


NUMBERS = {
    "hash of a text": lambda: hash("owner"),
    "hash by its method": lambda: str.__hash__("owner"),
    "thread": threading.get_ident,
    "main thread": lambda: threading.main_thread().ident,
}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("depth", [1, 2])
def test_a_number_of_a_life_is_not_known_in_the_next(name, depth):
    """What run kept, recover does not find again, however often the recovery is killed; and no sweep is unexplored."""
    number = NUMBERS[name]

    def run() -> None:
        Path("owner").write_text(f"{number()} {number()}")

    def recover() -> list[bool]:
        kept = Path("owner").read_text().split() if Path("owner").exists() else []
        return [each == str(number()) for each in kept]

    def a_stranger(o) -> None:
        assert True not in o.state

    report = sweep(run, recover, a_stranger, depth=depth)
    assert (report.problem, report.broken) == (None, [])


@pytest.mark.slow
def test_setup_is_a_life_of_its_own():
    """What setup has named by a hash, run does not find."""

    def setup() -> None:
        Path(f"state-{hash('state')}").touch()

    def run() -> None:
        Path("found").write_text(str(Path(f"state-{hash('state')}").exists()))

    def recover() -> str:
        return Path("found").read_text() if Path("found").exists() else ""

    def never(o) -> None:
        assert o.state != "True"

    report = sweep(run, recover, never, setup)
    assert (report.problem, report.broken) == (None, [])


def fresh_interpreters() -> set[psutil.Process]:
    """The zygote's living children that are no forks of it. What a copy of one of them leaves is adopted, and dies."""
    found = set()
    for each in psutil.Process(CLIENT.pid).children():
        with suppress(psutil.NoSuchProcess):  # ZombieProcess is one
            if "spawned" in " ".join(each.cmdline()):
                found.add(each)
    return found


def kept_interpreters() -> set[psutil.Process]:
    """Those that are there for more than one sweep."""
    sweep(in_order_of_a_set, rest_of_a_set, lambda _: None)
    before = fresh_interpreters()
    sweep(in_order_of_a_set, rest_of_a_set, lambda _: None)
    return before & fresh_interpreters()


def wait_until(true: Callable[[], bool]) -> None:
    """At most 20 seconds."""
    until = time.monotonic() + 20
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_an_interpreter_with_other_hashes_is_kept_for_the_next_sweep():
    """It is forked for each zygote that explores, and few dead copies stay. To start one takes longer than a sweep."""
    kept = kept_interpreters()
    for _ in range(6):
        sweep(in_order_of_a_set, rest_of_a_set, lambda _: None)
    assert kept
    wait_until(lambda: fresh_interpreters() == kept)
    dead = [each for kin in kept for each in kin.children() if each.status() == psutil.STATUS_ZOMBIE]
    assert len(dead) <= 2 * len(kept) * os.cpu_count()


def test_an_interpreter_with_other_hashes_that_was_killed_is_started_anew():
    """Nobody has to restart a kernel for it."""
    for killed in kept_interpreters():
        killed.kill()
        wait_until(lambda it=killed: it.status() == psutil.STATUS_ZOMBIE)  # a signal takes effect when it is delivered
    assert sweep(in_order_of_a_set, rest_of_a_set, lambda _: None).problem is None


def test_only_who_hashes_pays_for_another_interpreter():
    """To look something up in a set, or to have a table, needs no second seed."""

    def looks_up(word: str) -> bool:
        table = {"a": 1}
        return word in {"a", "b"} or word in {word, "c"} or word in table.keys()  # noqa: SIM118

    def goes_through() -> list[str]:
        return [*{"a", "b"}]

    def adds(words: list[str]) -> set[str]:
        return {word.strip() for word in words}

    def in_common(one: dict, two: dict) -> list[str]:
        return list(one.keys() & two.keys())

    assert not uses_hashes(looks_up.__code__)
    assert all(uses_hashes(each.__code__) for each in (goes_through, adds, in_common))


def test_what_poses_as_a_function_is_not_looked_into():
    """To ask a lazy module for its class loads it, and a Mock with a spec says that it is a function, and is none."""
    kept = []

    def run() -> None:
        Path("ran").touch()
        lazy = type("Lazy", (), {"__class__": property(lambda _: Path("loaded").touch())})
        kept.extend([lazy(), Mock(spec=lambda: None)])

    def not_loaded(seen) -> None:
        assert "loaded" not in seen.state

    sweep(run, lambda: [each.name for each in Path().iterdir()], not_loaded).assert_survives()
