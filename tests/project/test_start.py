"""A student's copies: missing ones are made, existing ones are sacred, and what goes wrong is one clear line."""

import errno
import os
import re
import socket

import pytest

from labkit import cli, repository, start
from labkit.repository import UsageError

START_HERE = "notebooks/00_start_here.ipynb"
EXERCISE = "exercises/01_file_storage.ipynb"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A small repository, in a folder with a space in its name, that labkit takes for its own."""
    root = tmp_path / "a clone"
    for name in (START_HERE, "notebooks/glossary.md", "notebooks/draft.txt", EXERCISE, "exercises/criteria.toml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"ours: {name}")
    monkeypatch.setattr(repository, "root", lambda: root)
    return root


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


def test_chapters_and_exercises_are_copied(root):
    """Notebooks and the glossary go to work/ under their own names, and nothing else does."""
    copies = start.prepare_work(root)

    assert {str(copy.relative_to(root / "work")) for copy in copies} == {START_HERE, "notebooks/glossary.md", EXERCISE}
    assert (root / "work" / EXERCISE).read_text() == f"ours: {EXERCISE}"


def test_a_students_file_is_never_overwritten(root):
    """A second start brings back what was deleted and leaves what was changed."""
    start.prepare_work(root)
    (root / "work" / EXERCISE).write_text("the student's")
    (root / "work" / START_HERE).unlink()

    assert start.prepare_work(root) == [root / "work" / START_HERE]
    assert (root / "work" / EXERCISE).read_text() == "the student's"


def test_a_link_to_nowhere_is_not_replaced(root):
    """A student may keep work/ on another disk, and that disk may be away."""
    link = root / "work" / EXERCISE
    link.parent.mkdir(parents=True)
    link.symlink_to(root / "away")

    start.prepare_work(root)

    assert link.is_symlink()


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_copy_is_whole_or_not_there(root, monkeypatch, failing):
    """If the disk is full in the middle of a copy, no part of it stays, and the next start makes it whole."""

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, full)
        with pytest.raises(UsageError):
            start.prepare_work(root)

    assert [path for path in (root / "work").rglob("*") if path.is_file()] == []
    assert len(start.prepare_work(root)) == 3


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
@pytest.mark.usefixtures("root")
def test_a_full_or_forbidden_disk_is_one_line(started, monkeypatch, capsys, number):
    """The line names the file and the reason, the exit status is 2, and nothing was started."""

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(start, "write_atomically", fail)

    assert cli.main(["lab"]) == 2
    assert not started
    said = complaint(capsys)
    assert re.search(f"cannot copy .*01_file_storage.ipynb .*: {os.strerror(number)}", said)
    assert ("LABKIT_WORK names another folder" in said) == (number != errno.ENOSPC)


def test_a_file_in_the_place_of_work_is_one_line(root, started, capsys):
    """A file called work is not deleted to make room for the folder."""
    (root / "work").write_text("mine")

    assert cli.main(["lab"]) == 2
    assert not started
    assert "cannot copy" in complaint(capsys)
    assert (root / "work").read_text() == "mine"


def test_a_missing_start_page_is_one_line(root, started, capsys):
    """Without the notebooks there is nothing to open; the line says how to get them back."""
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
    assert (tmp_path / "lab" / EXERCISE).read_text() == f"ours: {EXERCISE}"


def test_other_arguments_reach_jupyter(root, started):
    """JupyterLab gets its own arguments last, so that a user's word counts more than ours."""
    assert cli.main(["lab", "--no-browser", "--ip=127.0.0.1"]) == 0

    assert started[0][-2:] == ["--no-browser", "--ip=127.0.0.1"]
    assert f"--ServerApp.root_dir={root}" in started[0]
