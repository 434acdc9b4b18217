"""How long a whole class takes, with every notebook of the course solved and all sweeps made.

    python bench/grade_all.py [STUDENTS]

The aim: 100 students in less than 45 minutes on two processors; the grader's memory flat. By default 4 are graded,
which takes a minute. It prints the shares of starting up (a class of one who has solved nothing), of judging, and of
running the notebooks through nbval, and what memory the grader holds, by quarters of the time.
Processor time is that of all processes, for which this must be root on Linux.
"""

import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
from grade import LABKIT, processor_time

ROOT = Path(__file__).parents[1]
EVERY = 0.5
"""Seconds between two looks at the memory."""


def hand_in(folder: Path, students: int, notebooks: Path) -> Path:
    """A class that hands in these notebooks."""
    for number in range(students):
        shutil.copytree(notebooks, folder / f"student {number:03}", ignore=shutil.ignore_patterns("criteria*"))
    return folder


def grade(folder: Path, out: str, *more: str) -> float:
    """Seconds of processor time that it takes to grade a class."""
    return processor_time([LABKIT, "grade", folder, "--out", folder.parent / out, *more], folder)


def remember_memory(held: list[tuple[int, int]]) -> threading.Event:
    """From now on, note the bytes of the grader itself, and of all processes that do not run students' code."""
    ended = threading.Event()
    us = psutil.Process()

    def look() -> None:
        while not ended.wait(EVERY):
            sizes = []
            for process in us.children(recursive=True):
                with suppress(psutil.Error):
                    if process.uids().real == os.geteuid():
                        sizes.append(process.memory_full_info().pss)
            if sizes:
                held.append((sizes[0], sum(sizes)))

    threading.Thread(target=look, daemon=True).start()
    return ended


def main() -> None:
    """Measure, and print."""
    if sys.platform != "linux" or os.geteuid():
        print("not measured: only root on Linux can count the processor time of all that a command starts")
        return
    students = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        unsolved = grade(hand_in(folder / "unsolved", 1, ROOT / "exercises"), "out of nothing", "--marks-only")
        few = hand_in(folder / "few", 2, ROOT / "solutions")
        whole, marks = grade(few, "out of few"), grade(few, "out of few, marks only", "--marks-only")
        held: list[tuple[int, int]] = []
        ended = remember_memory(held)
        began = time.monotonic()
        took = grade(hand_in(folder / "class", students, ROOT / "solutions"), "out")
        minutes = (time.monotonic() - began) / 60
        ended.set()
    print(f"{students} students: {minutes:.1f} minutes, {took / students:.1f} s of processor time for each")
    print(f"starting up: {unsolved:.1f} s, once")
    print(f"judging: {(marks - unsolved) / 2:.1f} s for each student; nbval: {(whole - marks) / 2:.1f} s")
    size = max(1, len(held) // 4)
    for what, index in (("the grader itself", 0), ("it and its servers and judges", 1)):
        quarters = [statistics.median(each[index] for each in held[n : n + size]) for n in range(0, 4 * size, size)]
        print(f"memory of {what}, in MB, by quarters: {', '.join(f'{each / 2**20:.0f}' for each in quarters)}")


if __name__ == "__main__":
    main()
