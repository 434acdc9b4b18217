"""System calls that a stranger's code is refused, by seccomp: what no namespace, rlimit or Landlock rule keeps apart.

A keyring is its user's, who is the next student's, too. Memory that has neither a process nor a name is seen by no
watch. Who may choose processors takes those of others. A limit or priority may be changed only of oneself.
"""

import ctypes
import errno
import os
import struct
from dataclasses import dataclass

from labkit.isolation.process import LIBC

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2
LOAD, IF_EQUAL, IF_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, ERROR = 0x7FFF0000, 0x00050000
NONE, DENIED, NOTHING = ERROR | errno.ENOSYS, ERROR | errno.EPERM, ERROR
"""As if the kernel had no such call; not permitted; done, though nothing is."""
NUMBER, ARCHITECTURE, FIRST = 0, 4, 16
"""Where the kernel shows a call's number, its architecture, and its arguments, of eight bytes each."""
X32 = 0x40000000
"""From here on, numbers are those of another convention."""
REFUSED = (
    *("add_key", "request_key", "keyctl"),
    *("shmget", "semget", "msgget", "mq_open", "memfd_create", "memfd_secret"),
    *("sched_setaffinity", "sched_setattr", "ioprio_set"),
    *("io_uring_setup", "userfaultfd", "bpf", "perf_event_open", "unshare", "setns"),
)
OF_ONESELF = {"prlimit64": 1, "setpriority": 2}
"""Calls that are refused unless so many of their first arguments are 0, which means the process that calls."""
IGNORED = ("sched_setparam", "sched_setscheduler")
"""Calls that do nothing: libzmq makes them for each of its threads, and ends where they fail."""
NAMES = (*REFUSED, *OF_ONESELF, *IGNORED)


@dataclass(frozen=True)
class Machine:
    """How a kind of processor calls what is refused."""

    code: int
    """As the kernel's audit has it."""
    numbers: tuple[int, ...]
    """Of NAMES."""


MACHINES = {
    "x86_64": Machine(
        0xC000003E,
        (248, 249, 250, 29, 64, 68, 240, 319, 447, 203, 314, 251, 425, 323, 321, 298, 272, 308, 302, 141, 142, 144),
    ),
    "aarch64": Machine(
        0xC00000B7,
        (217, 218, 219, 194, 190, 186, 180, 279, 447, 122, 274, 30, 425, 282, 280, 241, 97, 268, 261, 140, 118, 119),
    ),
}


def refuses() -> bool:
    """Whether the calls of this machine are known, and its kernel can refuse them."""
    return os.uname().machine in MACHINES and LIBC is not None and os.path.exists("/proc/sys/kernel/seccomp")


def refuse() -> None:
    """From now on, in this process and all that it will start, it is as if the kernel had none of these calls.

    OSError if that cannot be had.
    """
    program = _program(MACHINES[os.uname().machine])
    held = ctypes.create_string_buffer(program, len(program))
    pointer = struct.pack("@HP", len(program) // 8, ctypes.addressof(held))
    LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if LIBC.prctl(PR_SET_SECCOMP, FILTER, pointer, 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel takes no filter of system calls")


def _program(machine: Machine) -> bytes:
    """For the kernel's filter: each instruction with what it skips if it holds, and if not."""
    steps = [(LOAD, 0, 0, ARCHITECTURE), (IF_EQUAL, 1, 0, machine.code), (RETURN, 0, 0, NONE)]
    steps += [(LOAD, 0, 0, NUMBER), (IF_AT_LEAST, 0, 1, X32), (RETURN, 0, 0, NONE)]
    for name, number in zip(NAMES, machine.numbers, strict=True):
        body = []
        for argument in range(OF_ONESELF.get(name, 0)):
            body += [(LOAD, 0, 0, FIRST + 8 * argument), (IF_EQUAL, 1, 0, 0), (RETURN, 0, 0, DENIED)]
        body.append((RETURN, 0, 0, ALLOW if name in OF_ONESELF else NOTHING if name in IGNORED else NONE))
        steps += [(IF_EQUAL, 0, len(body), number), *body]
    steps.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
