"""The command: one clear line and exit status 2 for whatever goes wrong, never a traceback."""

import errno
import os
import subprocess
import sys

import pytest

from labkit import cli, repository
from labkit.repository import UsageError


@pytest.mark.parametrize(
    "argv", [[], ["deploy"], ["lab", "--port"], ["lab", "--port", "http"], ["lab", "--port", "99999"]]
)
def test_wrong_use_is_one_line(argv, capsys):
    """Whatever is wrong with the command, one line says so and where help is."""
    assert cli.main(argv) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("labkit: ")
    assert "--help" in line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UsageError("no such chapter: 99"), "labkit: no such chapter: 99"),
        (OSError(errno.ENOSPC, "No space left on device", "a file"), "labkit: a file: No space left on device"),
        (OSError("the disk is gone"), "labkit: the disk is gone"),
    ],
)
def test_an_error_is_one_line(monkeypatch, capsys, error, line):
    """What a command raises for its user is printed without a traceback."""

    def fail():
        raise error

    monkeypatch.setattr(repository, "root", fail)

    assert cli.main(["lab"]) == 2
    assert capsys.readouterr().err.splitlines() == [line]


def test_control_c_is_quiet(monkeypatch, capsys):
    """Being interrupted is no error: nothing is printed, and the status is the shell's own for it."""

    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(repository, "root", interrupt)

    assert cli.main(["lab"]) == 130
    assert capsys.readouterr() == ("", "")


def test_help_does_not_wait_for_jupyter():
    """Asking for help loads nothing heavy."""
    program = (
        "import sys; from labkit.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print(sorted({'jupyterlab', 'matplotlib', 'pydantic'} & sys.modules.keys()))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert told.splitlines()[-1] == "[]"


def test_the_installed_command_gives_the_exit_status():
    """The program on the disk passes on what main returns."""
    command = os.path.join(os.path.dirname(sys.executable), "labkit")

    ended = subprocess.run([command, "deploy"], capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
