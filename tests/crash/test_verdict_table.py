"""The table of known verdicts holds wherever programs are defined: in a script, on standard input, in a notebook."""

import inspect
import subprocess
import sys

import nbformat
import pytest
import test_crash
from nbclient import NotebookClient

NAMES = [
    "write_old", "load", "whole_and_kept", "in_place", "write_beside", "sync_folder", "temp_and_rename", "file_fsync",
    "early_ack", "correct", "save_steps", "naive_agent", "agent_with_keys", "agent_that_saves_at_the_end",
    "each_step_once",
]  # fmt: skip
PROGRAM = "\n\n".join(
    [
        "import json\nimport os\nfrom pathlib import Path\n\nfrom labkit import ack, sweep, tool",
        f"OLD, NEW = {test_crash.OLD}, {test_crash.NEW}\nSTEPS = {test_crash.STEPS}",
        *(inspect.getsource(getattr(test_crash, name)).replace(": Observation", "") for name in NAMES),
        "for run, recover, invariant in ["
        + ", ".join(f"({', '.join(function.__name__ for function in row[:3])})" for row in test_crash.TABLE)
        + "]:\n    report = sweep(run, recover, invariant, write_old, power=True)\n"
        '    killed = sum(bool(point.broken("process killed")) for point in report.points)\n'
        "    print(run.__name__, killed, len(report.broken), len(report.points))",
    ]
)
EXPECTED = "".join(f"{row[0].__name__} {row[3]} {row[5]} {row[6]}\n" for row in test_crash.TABLE)


@pytest.fixture
def notebook(tmp_path):
    """The programs in a cell, with the expected output."""
    cell = nbformat.v4.new_code_cell(PROGRAM, execution_count=1, id="table")
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=EXPECTED)]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    path = tmp_path / "table.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=kernel), path)
    return path


def test_the_table_holds_in_a_script(tmp_path):
    """A file run by a plain interpreter."""
    script = tmp_path / "table.py"
    script.write_text(PROGRAM)
    assert subprocess.check_output([sys.executable, script], text=True) == EXPECTED


@pytest.mark.long
def test_the_table_holds_on_standard_input():
    """No file at all."""
    assert subprocess.check_output([sys.executable, "-"], input=PROGRAM, text=True) == EXPECTED


@pytest.mark.long
def test_the_table_holds_in_a_kernel(notebook):
    """A cell of a live kernel."""
    ran = nbformat.read(notebook, as_version=4)
    NotebookClient(ran, timeout=120).execute()
    assert "".join(output.text for output in ran.cells[0].outputs) == EXPECTED


@pytest.mark.long
def test_the_table_holds_under_nbval(notebook):
    """Strict comparison with the stored output."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--noconftest", "--nbval"]
    done = subprocess.run(
        [*command, "--nbval-current-env", notebook.name],
        cwd=notebook.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
