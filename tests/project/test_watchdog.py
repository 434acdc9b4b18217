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
    "at_the_end_of_the_process": "def test_it():\n    Thread(target=Event().wait).start()",
    "in_a_fixture_after_a_failure": """
@pytest.fixture
def waits():
    yield
    Event().wait()

def test_it(waits):
    assert False
""",
}
IMPORTS = (
    "import itertools, pytest\nfrom concurrent.futures import ThreadPoolExecutor\nfrom threading import Event, Thread\n"
)


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
    """A test for each way to hang, and two that pass: one of them takes longer than a process may hang."""
    for name, code in HANGS.items():
        (tmp_path / f"test_{name}.py").write_text(f"{IMPORTS}\n{code}")
    (tmp_path / "test_passes.py").write_text(
        "import pytest, time\n\ndef test_short():\n    pass\n\n"
        "@pytest.mark.timeout(60)\ndef test_long():\n    time.sleep(4)\n"
    )
    return tmp_path


@pytest.mark.long
def test_whoever_hangs_fails_and_the_others_run(folder):
    """In processes for the tests alone, as with `make test`: another takes the place of one that is ended."""
    done = run(folder, "-n", "1")
    assert "4 failed, 3 passed" in done.stdout.splitlines()[-1]  # one of them fails, and hangs then
    for name in ("in_c_code", "in_the_end_of_a_with", "in_a_fixture_after_a_failure"):
        assert f"crashed while running 'test_{name}.py::test_it'" in done.stdout


def test_a_process_that_waits_for_the_others_does_not_hang(folder):
    """It has no test left, and ends with the others."""
    done = run(folder, "-n", "2", "test_passes.py")
    assert "2 passed" in done.stdout
    assert "Timeout" not in done.stderr


@pytest.mark.parametrize(
    ("name", "where"), [("in_a_fixture_after_a_failure", "in waits"), ("at_the_end_of_the_process", "in _shutdown")]
)
def test_a_run_in_one_process_ends(folder, name, where):
    """With what each thread was doing."""
    done = run(folder, "-n", "0", f"test_{name}.py")
    assert done.returncode == 1
    assert where in done.stderr.partition("Timeout (0:00:01")[2]
