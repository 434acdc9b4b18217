"""A fork server does its work in forks of itself, and nothing of it outlives whoever asked for it."""

import os
import signal
import socket
import subprocess
import sys
import time
from multiprocessing import Pipe
from pathlib import Path

import own_work
import psutil
import pytest

from labkit.isolation.forkserver import ForkServerClient
from labkit.isolation.work import ForkServerError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a class is graded in a sandbox on Linux only")
ENVIRONMENT = {"PYTHONPATH": str(Path(own_work.__file__).parent), "KNOWN": "yes"}


@pytest.fixture
def server(monkeypatch):
    """A server that is prepared."""
    monkeypatch.setenv("LABKIT_TEST", "SECRET")
    server, prepared = ForkServerClient.start(ENVIRONMENT, own_work.prepare, "well")
    assert prepared == "prepared well"
    yield server
    server.close()


@pytest.fixture
def pipe():
    """Two ends."""
    ours, theirs = Pipe()
    with ours, theirs:
        yield ours, theirs


def heard(channel):
    """The next message; the test fails if none comes in ten seconds."""
    assert channel.poll(10)
    return channel.recv()


def test_work_finds_what_was_prepared_and_knows_nothing_else_of_us(server, pipe):
    """Not our environment, and no file of ours but its channels."""
    ours, theirs = pipe
    assert server.work(None, own_work.tell, "this", channels=(theirs.fileno(),)).wait(10) == 0
    told = heard(ours)
    assert told["prepared"] == ["well"]
    assert told["what"] == "this"
    assert "KNOWN=yes" in told["environment"]
    assert "SECRET" not in told["environment"]
    assert len(told["descriptors"]) == 5  # in, out, errors, the channel, and the folder that is being listed
    assert told["processors"] == sorted(os.sched_getaffinity(0))


def test_pieces_of_work_know_nothing_of_each_other(server, pipe):
    """Each is a fork of the server as it was prepared."""
    ours, theirs = pipe
    assert server.work(None, own_work.prepare, "again").wait(10) == 0
    server.work(None, own_work.tell, "", channels=(theirs.fileno(),)).wait(10)
    assert heard(ours)["prepared"] == ["well"]


def test_whoever_asked_learns_how_it_ended(server):
    """As by subprocess."""
    assert server.work(None, own_work.end, 3).wait(10) == 3
    assert server.work(None, own_work.refuse).wait(10) == 1
    work = server.work(None, time.sleep, 600)
    assert work.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        work.wait(0.05)
    work.kill()
    assert work.wait(10) == -signal.SIGKILL
    assert work.poll() == -signal.SIGKILL


@pytest.mark.parametrize("entry", [own_work.leave_running, own_work.go_on])
def test_what_work_has_started_ends_with_it(server, pipe, tmp_path, entry):
    """Even in a session of its own, whether the work ends by itself or is ended; and only then its status is told."""
    ours, theirs = pipe
    work = server.work(None, entry, str(tmp_path / "late"), channels=(theirs.fileno(),))
    assert heard(ours) == "running"
    ours.send("go on")
    if entry is own_work.go_on:
        work.kill()
    work.wait(10)
    time.sleep(1.2)
    assert not (tmp_path / "late").exists()


ASKER = """
import sys, time
from multiprocessing import Pipe
from pathlib import Path
import own_work
from labkit.isolation.forkserver import ForkServerClient
server, _ = ForkServerClient.start({"PYTHONPATH": sys.argv[1]}, own_work.prepare, "well")
ours, theirs = Pipe()
work = server.work(None, own_work.go_on, sys.argv[3], channels=(theirs.fileno(),), folder=Path(sys.argv[2]))
ours.poll(10)
print(server._server.pid, work.pid, flush=True)
time.sleep(600)
"""


def test_if_whoever_asked_is_killed_nothing_is_left(tmp_path):
    """No process, and not the folder."""
    folder = tmp_path / "folder"
    folder.mkdir()
    command = [sys.executable, "-c", ASKER, ENVIRONMENT["PYTHONPATH"], folder, tmp_path / "late"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **ENVIRONMENT}) as asker:
        processes = [psutil.Process(int(pid)) for pid in asker.stdout.readline().split()]
        asker.kill()
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert alive == []
    assert not folder.exists()
    time.sleep(1.2)
    assert not (tmp_path / "late").exists()


def test_another_process_may_ask(server, pipe):
    """If it is handed the socket: a judge asks for its crash lab so."""
    ours, theirs = pipe
    other = ForkServerClient(socket.socket(fileno=os.dup(server.fileno())))
    assert other.work(None, own_work.tell, "other", channels=(theirs.fileno(),)).wait(10) == 0
    assert heard(ours)["what"] == "other"
    other.close()


@pytest.mark.parametrize(
    ("prepare", "trouble"), [(own_work.refuse, "ValueError: no such case"), (own_work.leave, "ended while it was")]
)
def test_a_server_that_cannot_be_prepared_says_why(prepare, trouble):
    """To whoever wants to start it."""
    with pytest.raises(ForkServerError, match=trouble):
        ForkServerClient.start(ENVIRONMENT, prepare)


def test_a_server_that_is_gone_is_an_error_and_no_wait(server):
    """Before the work and while it is begun."""
    os.kill(server._server.pid, signal.SIGKILL)
    server._server.wait(10)
    with pytest.raises(ForkServerError):
        server.work(None, own_work.end, 0)
