"""What no namespace keeps apart is refused as a system call: keyrings, IPC, processors, other processes' limits."""

import subprocess
import sys

import pytest

from labkit.isolation.calls import IGNORED, MACHINES, NAMES, OF_ONESELF, refuses

pytestmark = pytest.mark.skipif(not refuses(), reason="this machine has no filter of system calls that we know")
PREPARED = """
import ctypes, os, resource
from labkit.isolation.calls import MACHINES, NAMES, refuse
libc = ctypes.CDLL(None, use_errno=True)
machine = MACHINES[os.uname().machine]
refuse()
"""
EACH = """
for name, number in zip(NAMES, machine.numbers):
    ctypes.set_errno(0)
    print(name, libc.syscall(number, 1, 1, 0, 0, 0), ctypes.get_errno())
"""
OWN = """
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
os.nice(1)
os.setpriority(os.PRIO_PROCESS, 0, 5)
print(os.getpriority(os.PRIO_PROCESS, 0))
"""
OTHERS = """
for call in (
    lambda: os.setpriority(os.PRIO_PROCESS, os.getppid(), 5),
    lambda: os.setpriority(os.PRIO_USER, 0, 5),
    lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CORE, (0, 0)),
):
    try:
        print("done", call())
    except PermissionError:
        print("refused")
"""
MANY = """
import zmq
zmq.Context().socket(zmq.PUB).bind("inproc://here")
print("well")
"""


def said(code):
    """What a process that is refused them says."""
    done = subprocess.run([sys.executable, "-c", PREPARED + code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_every_call_is_refused_and_stays_so():
    """By each number: as if there were none (38), not permitted (1), or done to no effect."""
    errors = dict.fromkeys(NAMES, "-1 38") | dict.fromkeys(OF_ONESELF, "-1 1") | dict.fromkeys(IGNORED, "0 0")
    assert said(EACH) == [f"{name} {error}" for name, error in errors.items()]


def test_each_kind_of_machine_has_a_number_for_each_call():
    """And no two calls the same."""
    assert [len({*machine.numbers}) for machine in MACHINES.values()] == [len(NAMES)] * len(MACHINES)


def test_of_itself_a_process_may_change_what_it_could():
    """Limits and priority."""
    assert said(OWN) == ["5"]


def test_of_others_it_may_not():
    """Not even of those of the same user."""
    assert said(OTHERS) == ["refused"] * 3


def test_threads_that_set_their_priority_go_on():
    """As those of libzmq, on which every kernel stands."""
    assert said(MANY) == ["well"]
