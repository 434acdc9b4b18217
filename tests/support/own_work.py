"""What a fork server under test is asked to do. It is imported by the server, too."""

import os
import sys
import time
from pathlib import Path

PREPARED = []


def prepare(value):
    """Remember it, and tell how it went."""
    PREPARED.append(value)
    return f"prepared {value}"


def refuse():
    """As a judge that cannot be loaded."""
    raise ValueError("no such case")


def leave():
    """As one that ends while it loads."""
    os._exit(1)


def tell(channel, what):
    """What this process has and knows."""
    known = {
        "prepared": PREPARED,
        "environment": Path("/proc/self/environ").read_bytes().decode(),
        "descriptors": sorted(os.listdir("/proc/self/fd")),
        "processors": sorted(os.sched_getaffinity(0)),
        "what": what,
    }
    channel.send(known)


def end(status):
    """With a status."""
    sys.exit(status)


def leave_running(channel, path):
    """Leave a process in a session of its own, which would write a file later, and end."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            channel.send("running")
            time.sleep(1)
            Path(path).write_text("late")
        os._exit(0)
    channel.poll(10)


def go_on(channel, path):
    """Leave a process behind, and wait for ever."""
    leave_running(channel, path)
    time.sleep(600)
