"""How long a whole class takes, with every notebook of the course solved and all sweeps made.

    python bench/grade_all.py [STUDENTS]

The aim: 100 students in less than 45 minutes on two processors, so 27 s for each; the grader's memory flat. By
default 2 are graded in each of five rounds, with their share of starting up. It tells the shares of starting up (a
class of one who has solved nothing), of judging, and of running the notebooks through nbval, and how the memory
that the grader holds grows from the second quarter of the time to the last. Processor time is that of all
processes, for which this must be root on Linux.
"""

import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

import psutil
from figures import Took, beside, interleaved
from grade import LABKIT, countable, processor_time

ROOT = Path(__file__).parents[1]
SECONDS = 600
EVERY = 0.5
"""Seconds between two looks at the memory."""


def hand_in(folder: Path, students: int, notebooks: Path) -> Path:
    """A class that hands in these notebooks."""
    for number in range(students):
        shutil.copytree(notebooks, folder / f"student {number:03}", ignore=shutil.ignore_patterns("criteria*"))
    return folder


def grade(folder: Path, out: str, *more: str) -> Took:
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


def grown(held: list[tuple[int, int]], index: int) -> float:
    """Memory in the last quarter of the time, as a share of that in the second."""
    size = max(1, len(held) // 4)
    last, second = held[-size:], held[size : 2 * size] or held
    return statistics.median(each[index] for each in last) / statistics.median(each[index] for each in second)


def main() -> None:
    """Measure, and tell."""
    if not countable("grade every notebook of the course"):
        return
    students = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    wall, memory = [], {"the grader": [], "with its servers and judges": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        unsolved = hand_in(folder / "unsolved", 1, ROOT / "exercises")
        solved = hand_in(folder / "class", students, ROOT / "solutions")
        numbers = count()

        def whole() -> Took:
            held: list[tuple[int, int]] = []
            ended, began = remember_memory(held), time.monotonic()
            took = grade(solved, f"out {next(numbers)}")
            wall.append((time.monotonic() - began) / students)
            ended.set()
            for index, times in enumerate(memory.values()):
                times.append(grown(held, index))
            return took

        ways = {
            "starting up": lambda: grade(unsolved, f"out {next(numbers)}", "--marks-only"),
            "marks": lambda: grade(solved, f"out {next(numbers)}", "--marks-only"),
            "whole": whole,
        }
        rounds = interleaved(ways, warm=False)
    start, marks, all_of_it = rounds.values()
    beside("every notebook, time for each student", {"wall time": wall}, "wall time", aim=27)
    beside("starting up, once", {"processor": start}, "processor")
    judging = [(each - once) / students for each, once in zip(marks, start, strict=True)]
    beside("judging, each student", {"processor": judging}, "processor")
    running = [(each - less) / students for each, less in zip(all_of_it, marks, strict=True)]
    beside("running the notebooks, each student", {"processor": running}, "processor")
    for who in memory:
        beside("memory at the end, as a share of the middle", memory, who, unit="", aim=1.1)


if __name__ == "__main__":
    main()
