"""Processes of ours: whatever a process has made of its group and session, it is ended with what it left behind."""

import os
import signal
import time
from multiprocessing.connection import Pipe

import pytest

from labkit.isolation import process

LIMIT = 20.0
"""Real seconds that nothing here waits longer for."""


def leave_group() -> None:
    """Join the group of whoever started this process."""
    os.setpgid(0, os.getpgid(os.getppid()))


def leave_session() -> None:
    """Leave the group, which is what a leader must do first, and then the session."""
    leave_group()
    os.setsid()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("leave", [leave_group, leave_session])
def test_a_process_that_leaves_its_group_is_killed_like_any_other(leave):
    """By its id as well as by its group's."""
    ours, theirs = Pipe()

    def go(channel) -> None:
        leave()
        channel.send("gone")
        time.sleep(LIMIT)

    pid = process.start(go, [theirs], ())
    theirs.close()
    assert ours.poll(LIMIT)
    assert ours.recv() == "gone"
    assert process.end(pid) == -signal.SIGKILL
