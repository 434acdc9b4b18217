"""What several processes hold together is seen: whoever has ended, and wherever it has no name."""

import os
import subprocess
import sys
import threading
from contextlib import contextmanager

import psutil
import pytest

from labkit.isolation import limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing of strangers is graded")
MB = 2**20
SHARED = "import mmap; held = mmap.mmap(-1, 64 * 2**20); held.write(bytes(64 * 2**20))"
UNTOUCHED = f"{SHARED}; held.madvise(mmap.MADV_DONTNEED)"
DELETED = "import tempfile; held = tempfile.TemporaryFile(); held.write(bytes(64 * 2**20)); held.flush()"
NAMELESS = "import os; held = os.memfd_create('x'); os.write(held, bytes(64 * 2**20))"


@contextmanager
def running(code=""):
    """A process that has done this, and waits."""
    command = [sys.executable, "-c", f"{code}\nprint(flush=True)\ninput()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process.pid
        process.kill()


@pytest.mark.parametrize("code", [SHARED, UNTOUCHED, DELETED, NAMELESS])
def test_memory_without_a_name_counts(code):
    """Mapped or open, touched or not."""
    with running(code) as pid:
        assert limits.memory_of(pid) > 64 * MB


def test_what_two_processes_share_counts_once():
    """Or an honest pool of workers would be too large."""
    with running(f"{SHARED}\nimport os, signal\nos.fork() or signal.pause()") as pid:
        assert 64 * MB < limits.memory_of(pid) < 128 * MB
        for each in psutil.Process(pid).children():
            each.kill()


def test_a_process_that_has_just_ended_hides_no_other(monkeypatch):
    """The others are counted all the same."""
    with running() as gone:
        ended = psutil.Process(gone)
    with running("held = bytearray(b'x') * (64 * 2**20)") as pid:
        large = psutil.Process(pid)
        monkeypatch.setattr(psutil.Process, "children", lambda *_, **__: [ended, large])
        assert limits.memory_of(os.getpid()) > 64 * MB


def test_empty_files_and_folders_count(tmp_path):
    """A million of them is a lot of memory, too."""
    for number in range(100):
        (tmp_path / f"file {number}").touch()
        (tmp_path / f"folder {number}").mkdir()
    assert limits.size_of(tmp_path) >= 200 * limits.INODE


def test_a_watch_that_cannot_see_stops_what_it_watches(tmp_path, monkeypatch):
    """Rather than to say nothing."""
    said, heard = [], threading.Event()

    def stop(reason):
        said.append(reason)
        heard.set()

    monkeypatch.setattr(limits, "memory_of", lambda _: 1 // 0)
    end = limits.watch(lambda: [1], [tmp_path], stop)
    assert heard.wait(10)
    end()
    assert "could not be watched (ZeroDivisionError)" in said[0]


def test_only_what_comes_to_a_folder_counts(tmp_path, monkeypatch):
    """What lay there before was somebody else's."""
    monkeypatch.setattr(limits, "MOST_ON_DISK", 2 * limits.INODE)
    for number in range(9):
        (tmp_path / f"old {number}").touch()
    heard, looked = threading.Event(), threading.Semaphore(0)
    monkeypatch.setattr(limits, "memory_of", lambda _: looked.release() or 0)
    end = limits.watch(lambda: [None], [tmp_path], lambda _: heard.set())
    assert looked.acquire(timeout=10)
    assert looked.acquire(timeout=10)
    assert not heard.is_set()
    for number in range(9):
        (tmp_path / f"new {number}").touch()
    assert heard.wait(10)
    end()
