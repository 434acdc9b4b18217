"""What does it cost to grade a class? Processor time per submission, beside nbgrader autograde and otter run.

    python bench/grade.py [FOLDER WITH nbgrader AND otter]

Five rounds of a class of 6, with equal notebooks of ten cells and one trivial check each; in a larger class,
starting up is less of each. Processor time is that of all processes, counted by a control group, for which this
must be root on Linux. The aim: at most 0.5 of nbgrader, and 0.7 of otter. The two want an environment of their own,
as conflicts with labkit's are likely: `make bench` makes .venv-graders. What they do not do is measured, too:
without --marks-only, labkit also judges in a sandbox of its own and then runs the notebook.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from figures import TRY, Took, beside, interleaved, missing

SECONDS = 600
CLASS, CELLS = 1 if TRY else 6, 10
GRADERS = Path(__file__).parents[1] / ".venv-graders" / "bin"
LIMIT = "Each submission is judged in a sandbox of its own, and its notebook is run in a kernel of its own."
LABKIT = Path(sys.executable).with_name("labkit")
GROUPS = (Path("/sys/fs/cgroup/cpuacct"), Path("/sys/fs/cgroup"))
CRITERIA = """
[exercises.90_double]
title = "Double"
signatures = {double = "double(number) -> float: twice the number"}
replaces = {}

[[exercises.90_double.cases]]
id = "doubles"
criterion = "sums"
title = "a number comes back twice as large"
marks = 1
answers = ["double"]
next = "What is twice one?"
hints = ["Multiply."]
"""
JUDGE = """
from functools import partial
from labkit import trial

def doubles(program, rng):
    assert trial(partial(_doubled, program)).value == 4

def _doubled(program):
    return program["double"](2)
"""
ANSWER = "def double(number):\n    return 2 * number"
OTTER_TEST = """
OK_FORMAT = True
test = {"name": "q1", "points": 1, "suites": [{"type": "doctest", "cases": [{"code": ">>> double(2)\\n4"}]}]}
"""


def notebook(answer: str, check: str, first: str, more: dict | None = None) -> str:
    """A notebook of equal cells, an answer and a check, as text."""
    sources = [first, answer, *(f"x{n} = {n}" for n in range(CELLS - 3)), check]
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
        for n, source in enumerate(sources)
    ]
    cells[1]["id"] = "double"
    cells[-1]["metadata"] = more or {}
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})


def processor_time(command: Sequence[object], folder: Path, path: str = "") -> Took:
    """Seconds of processor time that a command and all that it starts take."""
    root = next(group for group in GROUPS if (group / "cgroup.procs").exists())
    group = root / f"labkit-bench-{os.getpid()}"
    group.mkdir()
    try:
        known = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}"}
        done = subprocess.run(
            [*map(str, command)], cwd=folder, env=known, capture_output=True, text=True, check=False,
            preexec_fn=lambda: (group / "cgroup.procs").write_text(str(os.getpid())),
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"{command[0]} failed: {done.stderr[-2000:]}")
        return Took(used(group))
    finally:
        for _ in range(100):
            if not (group / "cgroup.procs").read_text():
                break
            time.sleep(0.1)
        group.rmdir()


def used(group: Path) -> float:
    """Seconds that a control group has taken, in either version of them."""
    old = group / "cpuacct.usage"
    if old.exists():
        return int(old.read_text()) / 1e9
    return int((group / "cpu.stat").read_text().split()[1]) / 1e6


def ours(folder: Path, *more: str) -> Took:
    """By labkit grade."""
    folder = Path(tempfile.mkdtemp(dir=folder))
    criteria = folder / "criteria"
    (criteria / "criteria").mkdir(parents=True, exist_ok=True)
    (criteria / "criteria.toml").write_text(CRITERIA)
    (criteria / "criteria" / "90_double.py").write_text(JUDGE)
    text = notebook(f"# answer: double\n{ANSWER}", 'check("90_double")', "from labkit import check")
    (criteria / "90_double.ipynb").write_text(text.replace("return 2 * number", "raise NotImplementedError"))
    for number in range(CLASS):
        path = folder / "class" / f"student{number}" / "90_double.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    out = folder / "out"
    return processor_time([LABKIT, "grade", folder / "class", "--criteria", criteria, "--out", out, *more], folder)


def nbgrader(folder: Path, programs: Path) -> Took:
    """By nbgrader autograde."""
    folder = Path(tempfile.mkdtemp(dir=folder))
    graded = {"grade": True, "grade_id": "q1", "points": 1, "locked": True, "schema_version": 3}
    graded |= {"solution": False, "task": False, "cell_type": "code"}
    text = notebook(ANSWER, "assert double(2) == 4", "import math", {"nbgrader": graded})
    for path in [folder / "source", *(folder / "submitted" / f"student{n}" for n in range(CLASS))]:
        (path / "ps").mkdir(parents=True)
        (path / "ps" / "double.ipynb").write_text(text)
    known = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}  # it calls other programs by name
    command = [programs / "nbgrader", "generate_assignment", "ps"]
    subprocess.run(command, cwd=folder, env=known, check=True, capture_output=True)
    return processor_time([programs / "nbgrader", "autograde", "ps"], folder, str(programs))


def otter(folder: Path, programs: Path) -> Took:
    """By otter run, a submission at a time, as it is meant."""
    folder = Path(tempfile.mkdtemp(dir=folder))
    (folder / "tests").mkdir()
    (folder / "tests" / "q1.py").write_text(OTTER_TEST)
    text = notebook(ANSWER, 'grader.check("q1")', "import otter\ngrader = otter.Notebook()")
    (folder / "double.ipynb").write_text(text)
    command = [programs / "otter", "generate", "-t", "tests", "-o", "autograder.zip"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    one = f"'{programs}/otter' run -a autograder.zip -o out$n double.ipynb"
    run = f"for n in $(seq {CLASS}); do mkdir out$n; {one} || exit; done"
    return processor_time(["sh", "-c", run], folder, str(programs))


def countable(what: str) -> bool:
    """Whether processor time can be counted; if not, that is told."""
    if sys.platform != "linux" or os.geteuid():
        missing(what, "only root on Linux can count the processor time of all that a command starts")
        return False
    return True


def main() -> None:
    """Measure, and tell."""
    if not countable("grade a class"):
        return
    programs = Path(sys.argv[1] if len(sys.argv) > 1 else GRADERS).absolute()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        took = {"labkit grade": partial(ours, folder), "--marks-only": partial(ours, folder, "--marks-only")}
        for way in (nbgrader, otter):
            if (programs / way.__name__).exists():
                took[way.__name__] = partial(way, folder, programs)
            else:
                missing(f"beside {way.__name__}", "it is not installed")
        rounds = interleaved(took, warm=False)
    each = {way: [seconds / CLASS for seconds in times] for way, times in rounds.items()}
    what = "processor time per submission"
    for mine in ("labkit grade", "--marks-only"):
        beside(what, each, mine)
        for theirs, aim in {"nbgrader": 0.5, "otter": 0.7}.items():
            if theirs in each:
                beside(what, each, mine, theirs, aim=aim if mine == "labkit grade" else None, limit=LIMIT)


if __name__ == "__main__":
    main()
