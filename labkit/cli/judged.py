"""`labkit check`, `labkit grade`, `labkit criteria check` and `labkit release`: the judge, and what instructors do."""

import argparse
import sys
from pathlib import Path

from labkit import repository
from labkit.cli import distributed
from labkit.repository import UsageError

AS_YOU = "runs as you, and may read and write what you may; `labkit grade` encloses what others wrote"
"""Said of a notebook that lies neither in work/ nor in the course."""


def check(arguments: argparse.Namespace) -> int:
    """Judge one exercise and print a verdict per case; 1 unless all are met."""
    from rich.console import Console  # noqa: PLC0415 - `labkit --help` must not wait for it

    from labkit.grading import on_terminal  # noqa: PLC0415
    from labkit.grading.judge import criteria, judge  # noqa: PLC0415
    from labkit.grading.judge.as_text import statuses  # noqa: PLC0415
    from labkit.learner.state import note_cases  # noqa: PLC0415

    if arguments.exercise.endswith(".ipynb"):
        number = Path(arguments.exercise).name.partition("_")[0]
        raise UsageError(f"the exercise comes first, and then a file: labkit check {number} {arguments.exercise}")
    exercise, cases = criteria.find(arguments.exercise)
    copy = repository.work() / "exercises" / f"{exercise.stem}.ipynb"
    if arguments.file is None and not copy.exists():
        raise UsageError(f"there is no {copy.name} in work/exercises: run `make lab` once, or name a file")
    if arguments.file and not any(arguments.file.resolve().is_relative_to(ours) for ours in _ours()):
        print(f"labkit: {arguments.file} {AS_YOU}", file=sys.stderr, flush=True)
    path = arguments.file or copy
    judged = on_terminal.judged
    result = judged(Console(), len(cases), lambda tell: judge.judge_notebook(exercise, path, cases, tell=tell))
    mine = path.resolve().is_relative_to(repository.work().resolve())  # what others wrote says nothing of this student
    note_cases(statuses(result), watched=mine)
    return int(result.met < len(result.verdicts))


def _ours() -> list[Path]:
    return [folder.resolve() for folder in (repository.work(), repository.root())]


def grade(arguments: argparse.Namespace) -> int:
    """Grade a class and write its book."""
    from labkit.grading.gradebook import command  # noqa: PLC0415 - `labkit --help` must not wait for the judge

    if arguments.on is None:
        command.main(arguments)
    else:
        distributed.grade(arguments)
    return 0


def release(arguments: argparse.Namespace) -> int:
    """Write what students get into a folder."""
    from labkit import release as releasing  # noqa: PLC0415 - `labkit --help` must not wait for it

    names = releasing.release(repository.root(), arguments.folder)
    print(f"{len(names)} files for students are in {arguments.folder}: `make lab` there opens the lab")
    return 0


def criteria_check(arguments: argparse.Namespace) -> int:
    """Say what is wrong with exercises and cases of one's own; 1 if anything is."""
    from labkit.grading.judge import criteria, faults  # noqa: PLC0415 - `labkit --help` must not wait for the judge

    found = False
    for fault in faults.faults(arguments.folder):
        found = True
        print(fault, flush=True)
    if not found:
        known = criteria.exercises(arguments.folder)
        cases = sum(len(each.cases) for each in known.values())
        print(f"Nothing is wrong: exercises {', '.join(each.number for each in known.values())}, {cases} cases")
    return int(found)
