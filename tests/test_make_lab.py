"""The first minute of a newcomer: a clone with a space in its name, an empty home, and one command."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress

import pytest

from labkit.repository import root

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/\S+token=\w+")


@pytest.fixture
def clone(tmp_path):
    """A copy of the repository without a student's work, in a folder with a space in its name, installed already."""
    clone = tmp_path / "my clone"
    for folder in ("labkit", "notebooks", "exercises"):
        shutil.copytree(root() / folder, clone / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root() / "Makefile", clone)
    (clone / ".venv").symlink_to(sys.prefix)
    return clone


@pytest.fixture
def lab(clone, tmp_path):
    """A running `make lab`, killed in the end: its process, and a function that reads what it has said."""
    home = tmp_path / "empty home"
    home.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(clone)}
    command = ["make", "lab", "ARGS=--no-browser --LabApp.expose_app_in_browser=True", "--old-file=.venv/lab"]
    with (
        open(tmp_path / "log", "w") as log,
        subprocess.Popen(
            command, cwd=clone, env=environment, stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        yield process, (tmp_path / "log").read_text
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def address_of(lab):
    """The address that the lab printed, once it has."""
    process, said = lab
    while process.poll() is None:
        if printed := ADDRESS.search(said()):
            return urllib.parse.urlsplit(printed[0])
        time.sleep(0.05)
    pytest.fail(f"the lab ended before it printed an address:\n{said()}")


def answer_of(request):
    """What the lab says. ConnectionRefusedError if it does not listen."""
    try:
        return urllib.request.urlopen(request).read()
    except urllib.error.URLError as error:
        raise error.reason from error


def test_the_lab_answers_with_the_start_page(lab):
    """The printed address opens JupyterLab on the student's own start page; told to stop, the lab stops cleanly."""
    process, _ = lab
    address = address_of(lab)

    def ask(path, method="GET"):
        request = urllib.request.Request(address._replace(path=path).geturl(), method=method)
        for _ in range(100):  # Jupyter prints its address a moment before it listens
            with suppress(ConnectionRefusedError):
                return answer_of(request)
            time.sleep(0.05)
        return answer_of(request)

    assert address.path == "/lab/tree/work/notebooks/00_start_here.ipynb"
    assert b"JupyterLab" in ask(address.path)
    assert json.loads(ask("/api/contents/work/notebooks/00_start_here.ipynb"))["content"]["cells"]
    ask("/api/shutdown", "POST")
    assert process.wait(timeout=30) == 0


def test_make_without_a_fitting_python_is_one_line(tmp_path):
    """`make lab` with an old Python or none says what is needed, makes nothing and ends with status 2."""
    ended = subprocess.run(
        ["make", "lab", "PYTHON=false", f"VENV={tmp_path / 'venv'}"],
        cwd=root(),
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert "Python 3.11 or newer" in line
    assert not (tmp_path / "venv").exists()
