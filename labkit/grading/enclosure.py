"""Starts a command where it sees no process, no network and no user of ours. Linux; run it as a program of its own.

    python -P -m labkit.grading.enclosure '<Plan as JSON>' command …

It stays outside, ends the command when it ends itself, and leaves with its status. Not every machine allows that:
`allowed` tries.
"""

import ctypes
import errno
import fcntl
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

NEWUSER, NEWPID, NEWNET, NEWNS, NEWIPC = 0x10000000, 0x20000000, 0x40000000, 0x00020000, 0x08000000
NAMESPACES = NEWPID | NEWNET | NEWNS | NEWIPC
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
NOBODY = 65534
LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Plan:
    """What the command is given."""

    user: int
    """The user and group that it runs as, if we are root."""
    keep: tuple[str, ...] = ()
    """Folders that it must reach even where those above them are closed to its user."""
    fresh: tuple[str, ...] = ()
    """Folders in whose place it finds empty ones of its own, in memory."""

    def command(self) -> tuple[str, ...]:
        """What stands before a command that is to be enclosed."""
        return sys.executable, "-P", "-m", "labkit.grading.enclosure", json.dumps(asdict(self))


@cache
def allowed(keep: tuple[str, ...]) -> bool:
    """Whether this machine gives us namespaces in which Python, reached by `keep`, runs."""
    if sys.platform != "linux":
        return False
    plan = Plan(os.geteuid() or NOBODY, keep=keep)
    command = [*plan.command(), sys.executable, "-I", "-S", "-c", ""]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def main(plan: Plan, command: Sequence[str]) -> int:
    """Run the command; its status as a shell has it."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    _leave()
    pid = os.fork()
    if pid == 0:
        try:
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            _settle(plan)
            os.execvp(command[0], command)  # noqa: S606 - there is no shell to start it by
        except OSError as error:
            print(f"cannot enclose {command[0]}: {error}", file=sys.stderr)
        finally:
            os._exit(126)
    for fd in range(3, 1024):  # what was handed on belongs to the command: who waits for its end must see it
        try:
            os.close(fd)
        except OSError:
            continue
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status if status >= 0 else 128 - status


def _leave() -> None:
    user, group = os.geteuid(), os.getegid()
    _call("unshare", NAMESPACES | (NEWUSER if user else 0))
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _settle(plan: Plan) -> None:
    """In the first process of the namespaces: its own mounts and network, and then no rights any more."""
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    _cover(plan)
    _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    _raise_loopback()
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(plan.user, plan.user, plan.user)
        os.setresuid(plan.user, plan.user, plan.user)
    LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _cover(plan: Plan) -> None:
    """Put empty folders over those that are to be fresh, and over those that close the way to what it must reach.

    What is needed of them is put into the new ones.
    """
    covers = dict.fromkeys(map(Path, plan.fresh), "mode=1777,size=256m")
    for folder in map(Path, plan.keep):
        closed = next((each for each in reversed(folder.parents) if not each.stat().st_mode & 1), None)
        if closed and os.geteuid() == 0:
            covers[closed] = "mode=755"
    hidden = [Path(folder) for folder in plan.keep if covers.keys() & {*Path(folder).parents}]
    kept = [(os.open(folder, os.O_PATH), folder) for folder in hidden]
    for folder, options in covers.items():
        if not covers.keys() & {*folder.parents}:
            _mount("tmpfs", str(folder), "tmpfs", MS_NOSUID | MS_NODEV, options)
    os.umask(0o022)
    for fd, folder in kept:
        folder.mkdir(parents=True, exist_ok=True)
        _mount(f"/proc/self/fd/{fd}", str(folder), None, MS_BIND | MS_REC)
        os.close(fd)


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        name = struct.pack("16sh", b"lo", 0)
        flags = struct.unpack("16sh", fcntl.ioctl(control, SIOCGIFFLAGS, name))[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP))


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str = "") -> None:
    _call("mount", *(text and text.encode() for text in (source, target, kind)), flags, data.encode())


def _call(name: str, *arguments: bytes | int | None) -> None:
    if getattr(LIBC, name)(*(ctypes.c_ulong(each) if isinstance(each, int) else each for each in arguments)):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {errno.errorcode.get(number, number)}")


if __name__ == "__main__":
    sys.exit(main(Plan(**json.loads(sys.argv[1])), sys.argv[2:]))
