"""A pytest plugin beside nbval: check cells get their outcome from the judge, and a kernel that dies is noticed.

It runs inside the sandbox, where everything may lie. So what it writes is told to the student, and never counts.
"""

import json
import time
from functools import partial
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, NbCellError

from labkit.grading.run_through.errand import CheckCell, Outcome

PATIENCE = 1.0
"""Seconds between two looks at the kernel."""
LONGEST = 400
"""Characters of a reason that are kept."""


class JudgedCells:
    """Given an errand's `checks`, and the file to which outcomes are appended."""

    def __init__(self, checks: dict[str, dict[str, CheckCell]], outcomes: Path) -> None:
        self._checks, self._outcomes = checks, outcomes
        self._look_at_kernels()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Name check cells after their case, and take their outcome from the judge."""
        for item in items:
            if isinstance(item, IPyNbCell):
                if check := self._check(item):
                    item.name = check.name
                    item.setup, item.runtest = lambda: None, partial(_as_judged, check)
                else:
                    item.setup = partial(_refuse_without_kernel, item)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        """Write down what became of each cell, at once: the next one may end us."""
        report = yield
        if isinstance(item, IPyNbCell) and (call.when == "call" or call.excinfo):
            told = Outcome(
                notebook=item.path.stem, cell=item.cell_num + 1, name=item.name, outcome=report.outcome,
                reason=_reason(call.excinfo.value) if call.excinfo else "", judged=self._check(item) is not None,
            )  # fmt: skip
            with self._outcomes.open("a") as file:
                file.write(json.dumps(told.model_dump()) + "\n")  # in ASCII: a reason may hold halves of characters
        return report

    def _check(self, item: IPyNbCell) -> CheckCell | None:
        return self._checks[item.path.stem].get(item.cell.get("id", ""))

    def _look_at_kernels(self) -> None:
        """Let nbval wait in short turns, between which we look whether there is somebody to wait for."""
        receive = RunningKernel.get_message

        def get_message(kernel: RunningKernel, stream: str, timeout: float | None = None) -> Any:
            end = None if timeout is None else time.monotonic() + timeout
            while True:
                try:
                    return receive(kernel, stream, timeout=PATIENCE)
                except Empty:
                    if not kernel.is_alive():
                        raise KernelDiedError from None
                    if end is not None and time.monotonic() >= end:
                        raise

        RunningKernel.get_message = get_message


class KernelDiedError(Exception):
    """The process that runs the cells has ended."""

    def __str__(self) -> str:
        return "the kernel died in this cell"


def _as_judged(check: CheckCell) -> None:
    if check.status != "PASS":
        pytest.fail(f"{check.status}: {check.what}", pytrace=False)


def _refuse_without_kernel(item: IPyNbCell) -> None:
    """In place of nbval's setup, which marks all that follows a timeout as xfail: fail it, and end the kernel."""
    file = item.parent
    if file.timed_out or not file.kernel.is_alive():
        if file.kernel.is_alive():  # one that has ignored the interrupt would go on
            file.kernel.km.shutdown_kernel(now=True)
        pytest.fail("not run: an earlier cell did not end, or ended the kernel", pytrace=False)


def _reason(error: BaseException) -> str:
    text = str(error)
    if isinstance(error, NbCellError) and error.inner_traceback and "Timeout" not in text:
        text = error.inner_traceback.strip().splitlines()[-1]
    return text[:LONGEST]
