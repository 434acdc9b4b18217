"""Whether a student's notebooks run through: rebuilt, and run in the sandbox by nbval. It costs no marks."""

import ast
import json
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from labkit.crash.printable import printable
from labkit.grading.judge.criteria import Exercise
from labkit.grading.judge.judge import Result, Status
from labkit.grading.notebook.cells import Cell, read_notebook
from labkit.grading.notebook.submission import Submission
from labkit.grading.run_through import forked
from labkit.grading.run_through.errand import OUTCOMES, CheckCell, Errand, Outcome
from labkit.grading.sandbox import guarantees
from labkit.grading.sandbox.room import Room
from labkit.grading.sandbox.warm import Servers
from labkit.isolation import limits
from labkit.isolation.mounts import FRESH
from labkit.isolation.removal import remove
from labkit.isolation.work import Work

TIMEOUT = 60
"""Seconds that one cell may take."""
SECONDS = 300
"""Real time for all notebooks of a student together."""
MODULES = ".modules"
MOST_TOLD = 2**20
"""Bytes of outcomes that are read."""


def rebuilt(exercise: Exercise, submission: Submission) -> dict[str, Any]:
    """The instructor's notebook with the student's answers in it, and nothing else of theirs."""
    notebook = json.loads(exercise.notebook.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        source = cell["source"]
        name = Cell(source if isinstance(source, str) else "".join(source)).answer
        if cell["cell_type"] == "code":
            cell |= {"source": submission.answers.get(name, source) if name else source, "outputs": []}
            cell |= {"execution_count": None, "metadata": {}}
    return notebook


def checks(exercise: Exercise, result: Result) -> dict[str, CheckCell]:
    """Check cells by id, with what the judge found."""
    found = {}
    for cell in read_notebook(exercise.notebook):
        for name in _checked(cell.source):
            case = name.partition(".")[2]
            verdicts = [verdict for verdict in result.verdicts if case in {"", verdict.case}]
            unmet = [verdict for verdict in verdicts if verdict.status is not Status.PASS]
            status, what = (unmet[0].status, f"{unmet[0].case}: {unmet[0].what}") if unmet else (Status.PASS, "")
            found[cell.id] = CheckCell(name, status.value, what)
    return found


def _checked(source: str) -> Iterable[str]:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id="check"), args=[ast.Constant(value=str(name))]):
                yield name


@dataclass(frozen=True)
class Attempt:
    """One student's notebooks, to be run together."""

    rebuilt: Mapping[str, dict[str, Any]]
    """Exercise stem → notebook."""
    checks: Mapping[str, dict[str, CheckCell]]

    def run(self, room: Room, servers: Servers | None) -> list[str]:
        """Run them; a line for each cell that should have run and did not. Without servers they are trusted."""
        with _box(room) as box:
            for stem, notebook in self.rebuilt.items():
                (box / f"{stem}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
            confinement = room.confinement(*(FRESH if room.apart else ())) if servers else None
            errand = Errand(str(box), _known(box, room), confinement, TIMEOUT, dict(self.checks))
            work = servers.run(forked.load, forked.run, errand, room, box) if servers else _start(errand)
            return _told(
                box / OUTCOMES, _watched(work, box), {s: _code_cells(each) for s, each in self.rebuilt.items()}
            )


def _code_cells(notebook: Mapping[str, Any]) -> int:
    return sum(cell["cell_type"] == "code" for cell in notebook["cells"])


@contextmanager
def _box(room: Room) -> Iterator[Path]:
    box = Path(tempfile.mkdtemp(prefix="labkit-box-")).resolve()
    try:
        # In the repository, where Python would look for labkit, nobody may look around.
        (box / MODULES).mkdir()
        (box / MODULES / "labkit").symlink_to(guarantees.package())
        if os.geteuid() == 0:
            os.chown(box, room.user, room.user)
        yield box
    finally:
        remove(box)


def _known(box: Path, room: Room) -> dict[str, str]:
    own = {"HOME": str(box), "IPYTHONDIR": str(box / ".ipython"), "MPLCONFIGDIR": str(box / ".matplotlib")}
    own["TMPDIR"] = str(box)
    return {**room.loan.environment, **own, "PYTHONPATH": str(box / MODULES), "OPENBLAS_NUM_THREADS": "1"}


def _start(errand: Errand) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        errand.command(), env={**guarantees.environment(), **errand.environment}, cwd=errand.box,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def _watched(work: Work | subprocess.Popen[bytes], box: Path) -> str:
    """Wait for its end. Why it was stopped; empty if it ended by itself."""
    reasons: list[str] = []

    def stop(reason: str) -> None:
        reasons.append(reason)
        work.kill()

    end = limits.watch(lambda: [work.pid], [box], stop)
    try:
        work.wait(SECONDS)
    except subprocess.TimeoutExpired:
        stop(f"they had not ended after {SECONDS} seconds")
    finally:
        work.kill()
        work.wait()
        end()
    return reasons[0] if reasons else ""


def _told(path: Path, stopped: str, cells: Mapping[str, int]) -> list[str]:
    """Which cells failed or did not run, by the outcomes in a file that strangers' code may have forged."""
    told = []
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            lines = file.read(MOST_TOLD).decode(errors="replace").splitlines()
        outcomes = [Outcome.model_validate_json(line) for line in lines if line.strip()]
        failed = [outcome for outcome in outcomes if outcome.outcome != "passed" and not outcome.judged]
        told = [f"{each.notebook}, code cell {each.cell}: {printable(each.reason)}" for each in failed]
        for notebook, count in cells.items():
            if missing := count - len({outcome.cell for outcome in outcomes if outcome.notebook == notebook}):
                told.append(f"{notebook}: {missing} of its {count} code cells did not come to an end")
    except (OSError, ValidationError):
        told = ["what became of the cells was not written down"]
    return [*told, *([f"the notebooks were stopped: {stopped}"] if stopped else [])]
