"""The server's process is found by its pid file, and nobody else's is taken for it. Here, `sleep` plays the server."""

import subprocess

import pytest

from labkit.database.postmaster import Postmaster


@pytest.fixture
def data(tmp_path):
    """A cluster's folder."""
    return tmp_path


@pytest.fixture
def server(data):
    """A process that works in that folder and has a pid file as PostgreSQL writes it."""
    with subprocess.Popen(["sleep", "100"], cwd=data) as process:
        tell(data, process.pid)
        yield process
        process.kill()


def tell(data, pid, status="ready"):
    """Write a pid file."""
    (data / "postmaster.pid").write_text("\n".join([str(pid), str(data), "1", "5432", "", "", "", f"{status}   ", ""]))


def test_the_process_that_works_in_the_folder_is_the_server(data, server):
    """Its number is in the pid file, and it takes connections when the file says so."""
    postmaster = Postmaster(data)
    assert postmaster.process().pid == server.pid
    assert postmaster.ready
    assert not postmaster.bereft
    tell(data, server.pid, "starting")
    assert not postmaster.ready


@pytest.mark.parametrize("told", [None, "", "no number\n", "999999999\n", "-4\n"])
def test_a_pid_file_that_names_nobody_is_no_server(data, told):
    """Whatever a crash has left of it."""
    if told is not None:
        (data / "postmaster.pid").write_text(told)
    postmaster = Postmaster(data)
    assert postmaster.process() is None
    assert not postmaster.ready
    postmaster.stop()
    postmaster.kill()


def test_a_stranger_is_neither_stopped_nor_killed(data, tmp_path_factory):
    """It works elsewhere; the file that names it is removed before a start."""
    with subprocess.Popen(["sleep", "100"], cwd=tmp_path_factory.mktemp("elsewhere")) as stranger:
        tell(data, stranger.pid)
        postmaster = Postmaster(data)
        assert not postmaster.ready
        postmaster.stop()
        postmaster.kill()
        assert stranger.poll() is None
        postmaster.forget_stranger()
        assert not (data / "postmaster.pid").exists()
        stranger.kill()


def test_the_file_of_a_living_server_is_kept(data, server):
    """Without it, nobody could stop that server."""
    Postmaster(data).forget_stranger()
    assert (data / "postmaster.pid").exists()
    assert server.poll() is None
