"""Linux namespaces for a stranger's code: no process, network or user of ours, and of our files those that it needs.

Whoever is to run there calls `leave`, forks, and in the child `settle`. As a program of its own it runs a command:

    python -P -m labkit.isolation.namespaces '<Plan as JSON>' command …

Not every machine allows it: `allowed` tries.
"""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from labkit.isolation.confine import PR_SET_DUMPABLE
from labkit.isolation.mounts import call, move_in
from labkit.isolation.process import LIBC, PR_SET_PDEATHSIG

if sys.platform == "linux":
    import fcntl

NEWUSER, NEWPID, NEWNET, NEWNS, NEWIPC = 0x10000000, 0x20000000, 0x40000000, 0x00020000, 0x08000000
CAPABILITIES_V3, DAC_READ_SEARCH = 0x20080522, 1 << 2
PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS = 8, 38
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
NOBODY = 65534
SYSTEM = (
    *("/usr", "/lib", "/lib64", "/bin"),
    *("/etc/alternatives", "/etc/fonts", "/etc/hosts", "/etc/ld.so.cache", "/etc/localtime"),
)
"""Files that Python and the programs beside it need."""


@dataclass(frozen=True)
class Plan:
    """What an enclosed process sees, and who it is."""

    user: int
    """The user and group that runs there, if we are root."""
    read: tuple[str, ...] = ()
    """Files and folders, with all that is in them, beside SYSTEM."""
    write: tuple[str, ...] = ()
    """Folders that may be changed, as far as that user may."""
    fresh: tuple[str, ...] = ()
    """Folders that may be changed, of which nobody outside sees what is in them: that ends with the namespace."""
    apart: bool = True
    """In namespaces of its own. Else it is but another user, and that only if we are root."""
    reads_all: bool = False
    """Whether it may read what it sees whoever owns it, if we are root, until `give_up_capabilities`."""

    def command(self) -> tuple[str, ...]:
        """The words to put before a command that is to run there."""
        return sys.executable, "-P", "-m", "labkit.isolation.namespaces", json.dumps(asdict(self))


@cache
def allowed(read: tuple[str, ...]) -> bool:
    """Whether this machine gives us namespaces in which Python, which is in `read`, runs."""
    if sys.platform != "linux":
        return False
    plan = Plan(os.geteuid() or NOBODY, read)
    command = [*plan.command(), sys.executable, "-I", "-S", "-c", ""]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def leave(plan: Plan) -> None:
    """By unshare: what this process forks next is process 1 of the enclosure. OSError if the machine forbids it."""
    user, group = os.geteuid(), os.getegid()
    if plan.apart:
        call("unshare", NEWPID | (NEWUSER if user else 0))
    if plan.apart and user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def settle(plan: Plan) -> None:
    """In process 1 of the enclosure: change root and user, and drop every capability that this took."""
    if plan.apart:
        call("unshare", NEWNET | NEWNS | NEWIPC)
        move_in([*SYSTEM, *plan.read], plan.write, dict.fromkeys(plan.fresh, plan.user))
        _raise_loopback()
    reads_all = plan.reads_all and os.geteuid() == 0
    if os.geteuid() == 0:
        LIBC.prctl(PR_SET_KEEPCAPS, reads_all)
        os.setgroups([])
        os.setresgid(plan.user, plan.user, plan.user)
        os.setresuid(plan.user, plan.user, plan.user)
    _keep_only(DAC_READ_SEARCH if reads_all else 0)
    LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    LIBC.prctl(PR_SET_DUMPABLE, 1)  # another user may not look into itself, unless it is told so
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # a change of user undoes it


def give_up_capabilities() -> None:
    """By capset: from now on this process may do what its user may."""
    _keep_only(0)


def _keep_only(capabilities: int) -> None:
    header = struct.pack("=Ii", CAPABILITIES_V3, 0)
    call("capset", header, struct.pack("=6I", capabilities, capabilities, 0, 0, 0, 0))


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        name = struct.pack("16sh", b"lo", 0)
        flags = struct.unpack("16sh", fcntl.ioctl(control, SIOCGIFFLAGS, name))[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP))


def main(plan: Plan, command: Sequence[str]) -> int:
    """Run a command; its status as a shell has it."""
    leave(plan)
    pid = os.fork()
    if pid == 0:
        try:
            settle(plan)
            os.execvp(command[0], command)  # noqa: S606 - there is no shell to start it by
        except OSError as error:
            print(f"cannot enclose {command[0]}: {error}", file=sys.stderr)
        finally:
            os._exit(126)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(Plan(**json.loads(sys.argv[1])), sys.argv[2:]))
