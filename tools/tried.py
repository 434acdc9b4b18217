"""How hard labkit's own mechanisms have been tried by its tests, as one line.

    make tried                  by the quick tests of the mechanisms
    make tried ARGS=tests/long  by the long ones; ARGS go to pytest

Counted is what a test asks to survive: real kills, power cuts in the model of the disk, orders of races, and in how
many programs. Where a test fails because one of them did not survive, it counts as broken. What a test breaks on
purpose, and passes, does not count. Status 1 if a mechanism was broken, or pytest's own status.
"""

import json
import os
import sys
import tempfile
from collections import Counter
from functools import wraps
from pathlib import Path

import pytest

from labkit.crash.race.report import RaceReport
from labkit.crash.report.findings import KILLED, POWER_CUT, Findings

QUICK = ("tests/mechanisms", "tests/crash/test_race_mechanisms.py")
FILE = "LABKIT_TRIED"
"""The variable that names the file in which all workers of pytest count."""
ASKED: list[tuple[dict, bool]] = []
"""What the running test has asked to survive: what was explored, and whether it did survive."""


def explored(report: Findings | RaceReport) -> dict[str, int]:
    """The kills, cuts and orders behind a report. A recovery that was killed as well is a kill more."""
    if isinstance(report, RaceReport):
        return {"orders": len(report.orders), "programs": 1}
    outcomes = [outcome for point in report.points for outcome in point.outcomes]
    kills = sum((outcome.model == KILLED) + bool(outcome.again) for outcome in outcomes)
    return {"kills": kills, "cuts": sum(outcome.model == POWER_CUT for outcome in outcomes), "programs": 1}


def noting(method: object) -> object:
    """`assert_survives`, which also notes what it was asked about."""

    @wraps(method)
    def asked(self: Findings | RaceReport, *args: object, **more: object) -> None:
        survived = False
        try:
            method(self, *args, **more)
            survived = True
        finally:
            ASKED.append((explored(self), survived))

    return asked


def counted(asked: list[tuple[dict, bool]], *, passed: bool) -> dict[str, int]:
    """What a test adds. One that passed has broken on purpose whatever did not survive."""
    total: Counter[str] = Counter()
    for what, survived in asked:
        if survived or not passed:
            total.update({**what, "broken": int(not survived)})
    return dict(total)


def said(total: Counter[str]) -> str:
    """In a line."""
    tried = f"{total['kills']:,} real kills, {total['cuts']:,} power cuts, {total['orders']:,} orders of races"
    return f"{tried}, in {total['programs']:,} programs: {total['broken']:,} broke one of labkit's mechanisms"


def pytest_configure() -> None:
    """This is pytest's plugin, too, in each of its workers."""
    if FILE in os.environ:
        for report in (Findings, RaceReport):
            report.assert_survives = noting(report.assert_survives)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count what a test asked about, in the process that ran it."""
    if report.when == "call" and FILE in os.environ and ASKED:
        with open(os.environ[FILE], "a") as file:
            file.write(json.dumps(counted(ASKED, passed=report.passed)) + "\n")
        ASKED.clear()


def main(arguments: list[str]) -> int:
    """Run the tests, and print the line."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "tried"
        told.touch()
        here = os.pathsep.join(filter(None, [os.path.dirname(os.path.abspath(__file__)), os.environ.get("PYTHONPATH")]))
        os.environ.update({FILE: str(told), "PYTHONPATH": here})
        given = arguments or [*QUICK]
        status = pytest.main(["-p", "tried", "-q", "--numprocesses", "auto", "--dist", "worksteal", *given])
        total: Counter[str] = Counter()
        for line in told.read_text("utf-8").splitlines():
            total.update(json.loads(line))
    print(said(total))
    return int(status) or int(bool(total["broken"]))


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    sys.exit(main(sys.argv[1:]))
