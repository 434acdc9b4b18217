"""The first minute of a newcomer: a clone with a space in its name, an empty home, and one command."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress

from running_lab import address_of, clone, lab  # noqa: F401 - fixtures

from labkit.repository import WORK, root
from labkit.start import START_PAGE


def answer_of(request):
    """What the lab says. ConnectionRefusedError if it does not listen."""
    try:
        return urllib.request.urlopen(request, timeout=30).read()
    except urllib.error.URLError as error:
        raise error.reason from error


def test_the_lab_answers_with_the_start_page(lab):  # noqa: F811
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

    assert address.path == f"/lab/tree/{WORK}/{START_PAGE}"
    assert b"JupyterLab" in ask(address.path)
    assert json.loads(ask(f"/api/contents/{WORK}/{START_PAGE}"))["content"]["cells"]
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
