"""`labkit lab` opens JupyterLab where the user's copies lie, and what goes wrong is one clear line."""

import socket

import pytest
from small_repository import EXERCISE, START_HERE, small_repository

from labkit import cli, start


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A small repository that labkit takes for its own."""
    return small_repository(tmp_path, monkeypatch)


@pytest.fixture
def started(monkeypatch):
    """The arguments JupyterLab was started with, once for each start; it does not really start."""
    started = []
    monkeypatch.setattr(start.LabApp, "launch_instance", started.append)
    return started


def complaint(capsys):
    """The one line on standard error."""
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_nothing_is_opened_where_nothing_can_be_copied(root, started, capsys):
    """One line, and the exit status is 2."""
    (root / START_HERE).unlink()

    assert cli.main(["lab"]) == 2
    assert not started
    assert f"{START_HERE} is missing" in complaint(capsys)


@pytest.mark.usefixtures("root")
def test_a_taken_port_is_one_line(started, capsys):
    """A port asked for by name is that port or none, and nothing was started."""
    with socket.create_server(("localhost", 0)) as taken:
        port = taken.getsockname()[1]

        assert cli.main(["lab", "--port", str(port)]) == 2

    assert not started
    assert f"cannot use port {port}" in complaint(capsys)


def tree(folder):
    """What a folder holds, and when it was written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_users_share_a_repository_that_is_read_only(root, started, tmp_path, monkeypatch):
    """With LABKIT_WORK, each has copies of their own, which the lab shows; nothing is written into the repository."""
    before = tree(root)
    for user in ("ada", "bob"):
        (tmp_path / user).mkdir()
        monkeypatch.setenv("LABKIT_WORK", f"{tmp_path}/{user}/my lab")
        assert cli.main(["lab"]) == 0
        (tmp_path / user / "my lab" / EXERCISE).write_text(user)
        assert f"--ServerApp.root_dir={tmp_path}/{user}" in started[-1]
        assert f"--LabApp.default_url=/lab/tree/my%20lab/{START_HERE}" in started[-1]
    assert (tmp_path / "ada/my lab" / EXERCISE).read_text() == "ada"
    assert tree(root) == before


@pytest.mark.usefixtures("root")
def test_the_copies_alone_can_be_made(started, tmp_path, monkeypatch):
    """For a hub, which opens the lab itself."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LABKIT_WORK", "~/lab")
    assert cli.main(["lab", "--copy"]) == 0
    assert not started
    assert (tmp_path / "lab" / EXERCISE).exists()


def test_other_arguments_reach_jupyter(root, started):
    """JupyterLab gets its own arguments last, so that a user's word counts more than ours."""
    assert cli.main(["lab", "--no-browser", "--ip=127.0.0.1"]) == 0

    assert started[0][-2:] == ["--no-browser", "--ip=127.0.0.1"]
    assert f"--ServerApp.root_dir={root}" in started[0]
