"""A running `make lab` of a newcomer: in a folder with a space in its name, with an empty home."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
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
