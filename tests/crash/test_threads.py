"""Threads in the crash lab: effects in one order are explored, effects in no order are refused, always."""

import asyncio
import os
import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from rest import rest_is_long

from labkit import sweep


def save(name: str) -> None:
    """A program's effects."""
    Path(f"{name}.tmp").write_text(name)
    os.replace(f"{name}.tmp", name)


def two_threads() -> None:
    both = [threading.Thread(target=save, args=(name,), name=name) for name in ("one", "two")]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()


def two_one_after_the_other_by_chance() -> None:
    """The first has ended long before the second begins, and nobody has waited for it."""
    first = threading.Thread(target=save, args=("one",), name="one")
    first.start()
    while first.is_alive():
        pass
    save("two")


def behind_a_lock() -> None:
    lock = threading.Lock()

    def locked(name: str) -> None:
        with lock:
            save(name)

    both = [threading.Thread(target=locked, args=(name,), name=name) for name in ("one", "two")]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()


def a_pool_of_two() -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(save, ["one", "two"]))


def two_workers_of_a_queue() -> None:
    todo = queue.Queue()

    def work() -> None:
        save(todo.get())
        todo.task_done()

    for name in ("one", "two"):
        threading.Thread(target=work, name=name, daemon=True).start()
    todo.put("one")
    todo.put("two")
    todo.join()


def gathered() -> None:
    async def main() -> None:
        await asyncio.gather(asyncio.to_thread(save, "one"), asyncio.to_thread(save, "two"))

    asyncio.run(main())


UNORDERED = [
    two_threads,
    two_one_after_the_other_by_chance,
    behind_a_lock,
    a_pool_of_two,
    two_workers_of_a_queue,
    gathered,
]


@pytest.mark.parametrize("run", UNORDERED)
def test_effects_in_no_order_are_refused_every_time(run):
    """However the threads happened to run: ten sweeps, ten refusals."""
    for _ in range(10):
        report = sweep(run, lambda: None, lambda seen: None)
        assert report.problem.startswith("run was going to change things in two threads in no order ("), report.problem
    assert report.problem_line is not None


def joined() -> None:
    save("before")
    thread = threading.Thread(target=save, args=("one",))
    thread.start()
    thread.join()
    save("two")


def one_future_after_the_other() -> None:
    with ThreadPoolExecutor(2) as pool:
        for name in ("one", "two"):
            pool.submit(save, name).result()
    save("three")


def a_pool_that_is_shut_down() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(save, "one")
    save("two")


def a_writer_behind_a_queue() -> None:
    todo = queue.Queue()

    def write() -> None:
        while name := todo.get():
            save(name)
            todo.task_done()

    threading.Thread(target=write, daemon=True).start()
    for name in ("one", "two"):
        todo.put(name)
        todo.join()
        save(f"after {name}")


def an_event() -> None:
    done = threading.Event()

    def work() -> None:
        save("one")
        done.set()

    threading.Thread(target=work, daemon=True).start()
    done.wait()
    save("two")


def awaited() -> None:
    async def main() -> None:
        await asyncio.to_thread(save, "one")
        save("two")
        await asyncio.to_thread(os.replace, "two", "three")

    asyncio.run(main())


ORDERED = [joined, one_future_after_the_other, a_pool_that_is_shut_down, a_writer_behind_a_queue, an_event, awaited]


@pytest.mark.parametrize("run", rest_is_long(ORDERED, 3))
def test_effects_in_one_order_are_explored(run):
    """A thread that is waited for is as good as none; each effect has a line of the program."""
    report = sweep(run, lambda: None, lambda seen: None)
    assert report.problem is None
    assert len(report.points) > 6
    assert all(effect.line is not None for effect in report.effects if effect.op != "RETURN")


def test_a_thread_that_only_reads_disturbs_nobody():
    """What has no effects has no order."""

    def run() -> None:
        Path("note").write_text("x")
        thread = threading.Thread(target=lambda: Path("note").read_text())
        thread.start()
        save("one")
        thread.join()

    assert sweep(run, lambda: None, lambda seen: None).problem is None
