"""The guard: what the crash lab can neither see nor put back is refused by name, whoever was going to do it."""

import ctypes
import errno
import mmap
import multiprocessing
import os
import platform
import shutil
import socket
import sqlite3
import subprocess
import syslog
import tempfile
import types
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from labkit import sweep
from labkit.crash.child.denied import tell_denied
from labkit.crash.child.files import Files
from labkit.isolation.confine import supports

ROLES = ("setup", "run", "recover", "invariant")


def nothing(*_) -> None:
    """A program of one effect."""
    Path("inside").touch()


def explored(role, what, **options):
    """The report of a sweep in which somebody does that, and has nobody to tell of errors."""

    def do(*_) -> None:
        nothing()
        with suppress(Exception):
            what()

    return sweep(**{**dict.fromkeys(ROLES, nothing), role: do}, **options)


def connect() -> None:
    with socket.socket() as one:
        one.connect(("127.0.0.1", 9))


def send() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as one:
        one.sendto(b"x", ("192.0.2.1", 9))


def listen() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))


def write_a_map() -> None:
    with open("inside", "w+b") as file:
        file.write(bytes(10))
        file.flush()
        mmap.mmap(file.fileno(), 0)


def go_by_ctypes() -> None:
    ctypes.CDLL(None).getpid()


def go_by_multiprocessing() -> None:
    multiprocessing.get_context("spawn").Process(target=print).start()


def vacuum() -> None:
    with sqlite3.connect("base") as base:
        base.execute(f"VACUUM INTO '{OUTSIDE}'")


OUTSIDE = "/var/tmp/labkit-outside"
WRITE, START = "write to", "start another process"
WAYS = {
    "a file": (WRITE, lambda: Path(OUTSIDE).write_text("x")),
    "a folder": (WRITE, lambda: os.mkdir(OUTSIDE)),
    "a copy": (WRITE, lambda: shutil.copy("inside", OUTSIDE)),
    "a symbolic link": (WRITE, lambda: os.symlink("inside", OUTSIDE)),
    "a link": (WRITE, lambda: os.link("inside", OUTSIDE)),
    "open past the shim": (WRITE, lambda: os.open.__wrapped__(OUTSIDE, os.O_CREAT | os.O_WRONLY)),
    "replace past the shim": (WRITE, lambda: os.replace.__wrapped__("inside", OUTSIDE)),
    "a folder past the shim": (WRITE, lambda: os.mkdir.__wrapped__(OUTSIDE, 0o755)),
    "rights past the shim": (WRITE, lambda: os.chmod.__wrapped__("/var/tmp", 0o1777)),
    "an owner past the shim": (WRITE, lambda: os.chown.__wrapped__("/var/tmp", os.getuid(), os.getgid())),
    "a size past the shim": (WRITE, lambda: os.truncate.__wrapped__("/var/tmp/no-such-file", 10)),
    "a database": (WRITE, lambda: sqlite3.connect(OUTSIDE)),
    "shared memory": (WRITE, lambda: Path("/dev/shm/labkit-outside").write_text("x")),
    "run": (START, lambda: subprocess.run(["true"])),
    "system": (START, lambda: os.system("true")),
    "posix_spawn": (START, lambda: os.posix_spawn("/bin/true", ["true"], {})),
    "spawnv": (START, lambda: os.spawnv(os.P_WAIT, "/bin/true", ["true"])),
    "execv": (START, lambda: os.execv("/bin/true", ["true"])),
    "fork": (START, lambda: os.fork()),
    "multiprocessing": (START, go_by_multiprocessing),
    "a pool": ("make a lock of multiprocessing", lambda: ProcessPoolExecutor(1).submit(print)),
    "connect": ("connect to", connect),
    "send": ("connect to", send),
    "listen": ("listen at", listen),
    "mmap": ("map inside into its memory", write_a_map),
    "ctypes": ("call C code by ctypes", go_by_ctypes),
    "syslog": ("write to the log of this machine", lambda: syslog.syslog("x")),
    "a pipe": (WRITE, lambda: os.mkfifo(OUTSIDE)),
    "alarm": ("set an alarm", lambda: __import__("signal").alarm(5)),
}


@pytest.mark.parametrize(("what", "way"), WAYS.values(), ids=WAYS)
def test_what_cannot_be_explored_is_refused_even_if_the_program_hides_it(what, way):
    """Nothing of it happens, and the report names it and the line."""
    report = explored("run", way)
    assert report.problem.startswith(f"run was going to {what}"), report.problem
    assert report.problem_line.file == __file__
    assert not any(Path(path).exists() or Path(path).is_symlink() for path in (OUTSIDE, "/dev/shm/labkit-outside"))


@pytest.mark.skipif(not supports()["files"], reason="without Landlock, nobody keeps C code from it")
@pytest.mark.parametrize("hides", [True, False])
@pytest.mark.parametrize("role", ROLES)
def test_what_c_code_writes_elsewhere_is_refused_by_the_kernel_and_told(role, hides):
    """SQLite asks no hook before it does. The error that the program gets is not taken for its own."""

    def do(*_) -> None:
        nothing()
        with suppress(*[sqlite3.Error] * hides):
            vacuum()

    report = sweep(**{**dict.fromkeys(ROLES, nothing), role: do})
    assert report.problem.startswith(
        f"{role} was going to write to {OUTSIDE}, outside its folder, by C code: keep state"
    )
    assert report.problem_line.file == __file__
    assert not Path(OUTSIDE).exists()


@pytest.mark.skipif(not supports()["files"], reason="as above")
def test_c_code_that_asks_nobody_writes_nothing_elsewhere():
    """os.mkfifo has no audit event, and its error no name: nothing tells whose fault it was, but nothing happened."""
    report = sweep(lambda: os.mkfifo.__wrapped__(OUTSIDE), nothing, nothing)
    assert report.problem == "run raised PermissionError: [Errno 13] Permission denied"
    assert not Path(OUTSIDE).exists()


@pytest.mark.parametrize(("error", "told"), [
    (PermissionError(errno.EACCES, "Permission denied", "/var/tmp/x"), "write to /var/tmp/x, outside its folder, by C"),
    (OSError("Unable to create (name = '/var/tmp/x', errno = 13, error message = 'Permission denied')"), "write to"),
    (RuntimeError("could not open /var/tmp/x: Permission denied"), "write to /var/tmp/x"),
    (PermissionError(errno.EACCES, "Permission denied"), ""),
    (PermissionError(errno.EACCES, "Permission denied", "/proc/1/none"), ""),
    (FileNotFoundError(errno.ENOENT, "No such file or directory", "/var/tmp/x"), ""),
])  # fmt: skip
def test_an_error_is_the_kernels_if_the_rights_of_the_file_would_allow_it(error, told, tmp_path, monkeypatch):
    """As libraries in C put it. What anybody would have been refused is the program's own error."""
    monkeypatch.chdir(tmp_path)
    news = []
    trace = types.SimpleNamespace(lenient=False, note=news.append, loaded=list)
    tell_denied(error, [], Files(trace, tmp_path / "tmp"))
    assert [each.what.startswith(told) for each in news] == [True] * bool(told)


@pytest.mark.skipif(not supports()["files"], reason="as above")
def test_c_code_may_write_where_the_program_may(tmp_path):
    """In its folder, among its temporary files, to devices, and where it was asked to ignore."""

    def run() -> None:
        nothing()
        os.mkdir("folder")
        os.rename("inside", "folder/inside")
        for place in ("here", f"{tempfile.gettempdir()}/pipe", str(tmp_path / "pipe")):
            os.mkfifo.__wrapped__(place)
            os.remove.__wrapped__(place)
        for device in (os.devnull, "/dev/stdout"):
            Path(device).write_text("x")

    report = sweep(run, lambda: None, lambda o: None, ignore=[str(tmp_path), "/var/tmp/labkit-not-there-yet"])
    assert report.problem is None, report.problem


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", ["a file", "run", "connect", "ctypes"])
def test_the_guard_stands_in_every_process(role, name):
    """setup, recovery and invariant are code under test like any other."""
    what, way = WAYS[name]
    report = explored(role, way)
    assert report.problem.startswith(f"{role} was going to {what}"), report.problem


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize(("name", "does"), [("psycopg2", "writes by C code"), ("grpc", "speaks to others by C code")])
def test_what_reaches_others_from_c_is_refused_when_it_is_loaded(name, does, there, tmp_path, monkeypatch):
    """What it sends passes the crash lab by. Who only tries whether it is installed may go on without it."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / (f"{name}.py" if there else "other.py")).touch()

    def load() -> None:
        __import__(name)

    problem = explored("run", load).problem
    assert problem.startswith(f"run was going to load {name}, which {does}") if there else problem is None


def test_what_is_only_read_stays_allowed():
    """Files anywhere, a map of one, C code of libraries, a name that is looked up."""

    def run() -> None:
        nothing()
        Path(__file__).read_text()
        os.listdir("/")
        with open(__file__, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
            assert memory[:3]
        with open(os.devnull, "w") as nowhere:
            print("x", file=nowhere)
        import decimal
        import ssl

        assert decimal.Decimal(1)
        assert ssl.OPENSSL_VERSION
        socket.gethostname()
        assert platform.platform()
        platform.processor()

    assert sweep(run, nothing, nothing).problem is None


def test_what_is_no_state_of_the_program_may_be_ignored(tmp_path):
    """Folders and addresses by name, and the report says what it has not looked at."""
    log = tmp_path / "app.log"
    report = explored("run", lambda: log.write_text("x"), ignore=[str(tmp_path)])
    assert (report.problem, log.read_text()) == (None, "x")
    assert f"Ignored, as asked: {tmp_path}" in str(report)
    assert explored("run", connect, ignore=["127.0.0.1:9"]).problem is None
    assert "connect to" in explored("run", connect, ignore=["127.0.0.1:99"]).problem
