"""A test that hangs fails, and the run goes on: wherever it hangs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import watchdog

HANGS = {
    "in_c_code": "def test_it():\n    sum(itertools.repeat(0))",
    "in_the_end_of_a_with": """
def test_it():
    with ThreadPoolExecutor(1) as pool:
        pool.submit(Event().wait).result()
""",
    "in_a_fixture_after_a_failure": """
@pytest.fixture
def waits():
    yield
    Event().wait()

def test_it(waits):
    assert False
""",
}
IMPORTS = "import itertools, pytest\nfrom concurrent.futures import ThreadPoolExecutor\nfrom threading import Event\n"


def run(folder, *arguments):
    """pytest on the tests in a folder, each of which has a second."""
    plugins = [f"-p{name}" for name in ("watchdog", "pytest_timeout", "xdist", "no:cacheprovider")]
    environment = {
        **os.environ,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "yes",  # the others take their time
        "PYTHONPATH": str(Path(watchdog.__file__).parent),
    }
    command = [sys.executable, "-m", "pytest", *plugins, "-o", "timeout=1", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=100
    )


@pytest.fixture
def folder(tmp_path):
    """A test for each way to hang, and behind them one that passes."""
    for name, code in HANGS.items():
        (tmp_path / f"test_{name}.py").write_text(f"{IMPORTS}\n{code}")
    (tmp_path / "test_passes.py").write_text("def test_it():\n    pass\n")
    return tmp_path


def test_whoever_hangs_fails_and_the_others_run(folder):
    """In processes for the tests alone, as with `make test`: another takes the place of one that is ended."""
    done = run(folder, "-n", "1")
    assert "4 failed, 1 passed" in done.stdout.splitlines()[-1]  # one of them fails, and hangs then
    for name in HANGS:
        assert f"crashed while running 'test_{name}.py::test_it'" in done.stdout


def test_a_run_in_one_process_ends(folder):
    """With what each thread was doing."""
    done = run(folder, "-n", "0", "test_in_a_fixture_after_a_failure.py")
    assert done.returncode == 1
    assert " in waits" in done.stderr.partition("Timeout (0:00:01")[2]
