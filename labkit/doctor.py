"""`labkit doctor`: what works on this machine, part by part, and the next step for what does not."""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from importlib import metadata
from pathlib import Path

from tornado.netutil import bind_sockets

from labkit import repository

OLDEST = (3, 11)
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - sandboxes lie there, see crash.client
MEGABYTES = {"copies": 50, "PostgreSQL": 300, "crash lab": 30}
"""Free room that is needed, in 10⁶ bytes: beside the student's copies, for the database, for sandboxes."""
PATIENCE = 2.0
"""Seconds for which a lab that is open may take to answer."""


@dataclass(frozen=True)
class Finding:
    """What was found of one part."""

    part: str
    said: str
    todo: str = ""
    """The next step; empty if the part works."""

    def __str__(self) -> str:
        line = f"{'NOT OK' if self.todo else 'ok':7} {self.part:12} {self.said}"
        return f"{line}\n{'Next:':>26} {self.todo}" if self.todo else line


def python() -> Finding:
    """Whether this Python is new enough."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST:
        return Finding("Python", version, "install Python 3.11 or newer, delete .venv, and run `make lab`")
    return Finding("Python", f"{version} in {sys.prefix}")


def packages() -> Finding:
    """Whether everything is installed that labkit needs to run."""
    needed = [each for each in metadata.requires("labkit") or () if "extra ==" not in each and "win32" not in each]
    names = [re.match(r"[\w.-]+", each)[0] for each in needed]
    lacking = [name for name in names if not _is_installed(name)]
    if lacking:
        return Finding(
            "packages", f"{', '.join(lacking)} not installed", "run `make lab`; if it says nothing, delete .venv first"
        )
    return Finding("packages", f"{len(names)} installed")


def _is_installed(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


def kernel() -> Finding:
    """Whether notebooks get a kernel of this Python: another one of the same name may stand before it."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel  # noqa: PLC0415 - as slow as Jupyter

    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return Finding(
            "kernel", "Jupyter knows no kernel called python3", "run `make lab`; if it says nothing, delete .venv first"
        )
    program = shutil.which(spec.argv[0]) or spec.argv[0]
    if spec.argv[0] != "python" and Path(program).parent.resolve() != Path(sys.executable).parent.resolve():
        return Finding(
            "kernel", f"notebooks would run {program}, which is not this Python", f"move {spec.resource_dir} away"
        )
    return Finding("kernel", "python3, of this Python")


def copies() -> Finding:
    """Whether the student's copies can be kept."""
    folder = repository.work()
    place = _nearest(folder)
    if not os.access(place, os.W_OK | os.X_OK):
        return Finding("copies", f"{place} cannot be written", "set LABKIT_WORK to a folder that you can write")
    return _room("copies", folder, "set LABKIT_WORK to a folder on another disk, or make room")


def port() -> Finding:
    """Whether Jupyter can listen on this machine."""
    try:
        for socket in bind_sockets(0, "localhost"):
            socket.close()
    except OSError as error:
        return Finding(
            "port",
            f"localhost cannot be listened at: {error.strerror}",
            "look whether /etc/hosts has localhost as 127.0.0.1",
        )
    return Finding("port", "localhost can be listened at")


def open_labs() -> Finding:
    """Whether labs that were opened here, and are still open, answer."""
    from jupyter_server.serverapp import list_running_servers  # noqa: PLC0415 - as slow as Jupyter

    shown = {repository.root(), repository.work().parent}
    ours = [server for server in list_running_servers() if Path(server["root_dir"]) in shown]
    for server in ours:
        try:
            connection = HTTPConnection("localhost", server["port"], timeout=PATIENCE)
            connection.request("GET", f"{server['base_url']}api")
            connection.getresponse()
        except (OSError, HTTPException):
            said = f"the lab at port {server['port']} does not answer"
            return Finding("open labs", said, f"close its page, and end its process: `kill -9 {server['pid']}`")
    return Finding("open labs", f"at port {', '.join(str(server['port']) for server in ours)}" if ours else "none")


def crash_lab() -> Finding:
    """Whether a process can be started and killed, and how fast that is."""
    from labkit.crash import CrashLabError, trial  # noqa: PLC0415 - what is broken is to be told, not raised here
    from labkit.isolation import process  # noqa: PLC0415 - as above

    place = _room(
        "crash lab", SHARED_MEMORY if SHARED_MEMORY.is_dir() else Path(tempfile.gettempdir()), "make room there"
    )
    if place.todo:
        return place
    try:
        done = trial(bool)
    except (CrashLabError, OSError) as error:
        return Finding(
            "crash lab", str(error), "restart the machine, or start the container with more processes and memory"
        )
    if done.how != "returned":
        return Finding("crash lab", f"a process of the lab {done.words}", "restart the machine")
    how = "fresh interpreters: a sweep takes seven times as long as by fork" if process.SPAWN else "fork"
    return Finding("crash lab", f"starts processes by {how}")


def postgres() -> Finding:
    """Whether the database starts and answers."""
    from labkit import database  # noqa: PLC0415 - as above

    if (
        "LABKIT_DSN" not in os.environ
        and (
            room := _room("PostgreSQL", database.home(), "set LABKIT_HOME to a folder on another disk, or make room")
        ).todo
    ):
        return room
    try:
        server = database.server()
        server.start()
        return Finding("PostgreSQL", server.status())
    except (database.DatabaseError, OSError) as error:
        said, _, todo = str(error).rpartition(": ")
        return Finding("PostgreSQL", said or todo, todo)


def isolation() -> Iterator[Finding]:
    """What `labkit grade` can keep students' code from."""
    from labkit.grading.sandbox.guarantees import guarantees, missing  # noqa: PLC0415 - as above

    for each in guarantees():
        todo = "grade on a Linux with namespaces, in a virtual machine if need be" if each.what in missing() else ""
        yield Finding(f"  {each.what}", str(each).partition(": ")[2], todo)


QUICK: tuple[Callable[[], Finding], ...] = (python, packages, copies, port, open_labs)
"""What `labkit lab` looks at first."""
SLOW: tuple[Callable[[], Finding], ...] = (kernel, crash_lab, postgres)


def examine() -> Iterator[Finding]:
    """Every part, as soon as it was looked at."""
    for look in (*QUICK, *SLOW):
        yield look()
    yield from isolation()


def _room(part: str, folder: Path, todo: str) -> Finding:
    """Whether there is free room."""
    place = _nearest(folder)
    free = shutil.disk_usage(place).free / 1e6
    if free < MEGABYTES[part]:
        return Finding(part, f"{free:.0f} MB are free in {place}, and {MEGABYTES[part]} are needed", todo)
    return Finding(part, str(folder))


def _nearest(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())
