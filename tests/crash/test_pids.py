"""Process ids in a child: no call reaches another process, and the id of an earlier life is explored both ways."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from labkit import sweep, trial

ROLES = ("setup", "run", "recover", "invariant")
STRANGER = os.getpid()
"""A process of ours, which nobody in the lab may reach."""


def nothing(*_) -> None:
    """A program of one effect."""
    Path("inside").touch()


def by_pidfd() -> None:
    signal.pidfd_send_signal(os.pidfd_open(STRANGER), signal.SIGUSR1)


def by_folder() -> None:
    signal.pidfd_send_signal(os.open(f"/proc/{STRANGER}", os.O_RDONLY), signal.SIGUSR1)


CALLS = {
    "kill": lambda: os.kill(STRANGER, signal.SIGUSR1),
    "kill everybody": lambda: os.kill(-1, signal.SIGUSR1),
    "killpg": lambda: os.killpg(os.getpgid(STRANGER), signal.SIGUSR1),
    "kill the parent": lambda: os.kill(os.getppid(), signal.SIGUSR1),
    "setpgid": lambda: os.setpgid(0, STRANGER),
    "pidfd": by_pidfd,
    "pidfd of a folder": by_folder,
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_no_signal_leaves_the_lab(role, call):
    """Each call ends as if nobody had that id, or it were somebody else's; a handler of ours sees nothing."""
    reached = []
    before = signal.signal(signal.SIGUSR1, lambda *_: reached.append(1))

    def send(*_) -> None:
        nothing()
        with pytest.raises((ProcessLookupError, PermissionError, FileNotFoundError)):
            call()

    try:
        assert sweep(**{**dict.fromkeys(ROLES, nothing), role: send}).problem is None
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert reached == []


def test_a_signal_to_oneself_is_real():
    """By its own id, by its group, and by 0."""

    def run() -> list:
        heard = []
        signal.signal(signal.SIGUSR1, lambda *_: heard.append(1))
        for ask in (lambda: os.kill(os.getpid(), signal.SIGUSR1), lambda: os.killpg(os.getpgrp(), signal.SIGUSR1)):
            ask()
        signal.pidfd_send_signal(os.pidfd_open(os.getpid()), signal.SIGUSR1)
        return [len(heard), os.getpgid(0) == os.getpid() == os.getsid(0)]

    assert trial(run).value == [3, True]


def is_alive(pid: int) -> bool:
    """As pid files are checked."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def start(*, careful: bool) -> str:
    """Serve, unless the file says that somebody does already; the careful one also looks whose process that is."""
    path = Path("app.pid")
    if path.exists() and (text := path.read_text()):
        pid, _, name = text.partition(" ")
        if is_alive(int(pid)) and not careful:
            return f"already running as {name}"
    path.write_text(f"{os.getpid()} app")
    path.unlink()
    return "served"


def served(seen) -> None:
    """The invariant."""
    if seen.state != "served":
        raise AssertionError(seen.state)


def test_a_stale_process_id_is_explored_with_nobody_and_with_a_stranger():
    """Signal 0 finds a stranger under the id of the dead one: it is told with the words that it is modelled."""
    report = sweep(lambda: start(careful=False), lambda: start(careful=False), served)
    outcome = report.broken[0].broken()[0]
    assert (outcome.stranger, outcome.reason) == (4242, "already running as app")
    assert "(modelled: another process has the id 4242 now)" in report.words(report.broken[0].k, outcome)
    assert [outcome.stranger for outcome in report.broken[0].outcomes] == [0, 4242]


LOOKS = {
    "exists": lambda pid: os.path.exists(f"/proc/{pid}"),
    "is_dir": lambda pid: Path(f"/proc/{pid}/").is_dir(),
    "access": lambda pid: os.access(f"/proc/{pid}", os.F_OK),
    "listdir": lambda pid: str(pid) in os.listdir("/proc"),
    "iterdir": lambda pid: Path(f"/proc/{pid}") in [*Path("/proc").iterdir()],
    "open": lambda pid: can(lambda: open(f"/proc/{pid}/stat").close()),
    "os.open": lambda pid: can(lambda: os.open(f"/proc/{pid}/cmdline", os.O_RDONLY)),
    "read_text": lambda pid: can(lambda: Path("/proc", str(pid), "comm").read_text()),
    "another way": lambda pid: os.path.exists(f"/etc/../proc/{pid}/status"),
    "psutil": psutil.pid_exists,
}


def can(look) -> bool:
    """Whether that is there."""
    try:
        look()
    except FileNotFoundError:
        return False
    return True


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_who_looks_into_proc_is_answered_as_who_sends_signal_0(look):
    """Nobody has the id of an earlier life, or a stranger has it: both are explored. Oneself is always there."""

    def run() -> str:
        path = Path("app.pid")
        if path.exists() and (text := path.read_text()) and look(int(text)):
            return "already running"
        path.write_text(str(os.getpid()))
        served = "served" if look(os.getpid()) and look(os.getppid()) else "I am not there"
        path.unlink()
        return served

    report = sweep(run, run, served)
    assert report.problem is None
    assert {(outcome.stranger, outcome.reason) for point in report.broken for outcome in point.broken()} == {
        (4242, "already running")
    }


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_no_process_of_the_machine_is_found_in_proc(look):
    """Not ours, nor the child's real one."""
    assert trial(lambda: [look(STRANGER), look(1)]).value == [False, False]


def test_what_proc_tells_of_oneself_and_of_a_stranger():
    """Name and beginning differ, so a careful program finds out; what it tells is the same at every run."""

    def told(pid) -> list:
        folder = Path("/proc", str(pid))
        fields = (folder / "stat").read_text().split()
        return [fields[0], len(fields), fields[21], (folder / "comm").read_text(), (folder / "cmdline").read_text()]

    def recover() -> list:
        earlier = 4242
        seen = [told("self"), told(os.getpid()), os.readlink("/proc/self")]
        return [*seen, told(earlier)] if os.path.exists(f"/proc/{earlier}") else seen

    def right(seen) -> None:
        me = ["4343", 52, "106000", "python\n", "python\0"]
        assert seen.state in ([me, me, "4343"], [me, me, "4343", ["4242", 52, "105999", "another\n", "another\0"]])

    report = sweep(nothing, recover, right)
    assert (report.problem, report.broken) == (None, [])
    assert [outcome.stranger for outcome in report.points[0].outcomes] == [0, 4242]


def test_the_entries_of_proc_are_those_of_the_lab():
    """os.scandir tells what os.listdir does, and answers what an os.DirEntry is asked."""

    def seen() -> list:
        with os.scandir("/proc") as entries:
            found = {entry.name: entry for entry in entries}
        me, version = found[str(os.getpid())], found["version"]
        assert [*found] == os.listdir("/proc")
        return [
            me.is_dir(),
            me.is_file(),
            version.is_file(),
            me.path,
            os.fspath(me),
            next(os.scandir("/proc")).name > "",
        ]

    assert trial(seen).value == [True, False, True, "/proc/4242", "/proc/4242", True]


def test_who_does_not_trust_a_process_id_survives():
    """The right program, asked the same question."""
    assert not sweep(lambda: start(careful=True), lambda: start(careful=True), served).broken


def test_the_second_recovery_knows_the_id_of_the_first():
    """Killed twice: whoever left the file may have been the first recovery."""
    report = sweep(lambda: start(careful=False), lambda: start(careful=False), served, depth=2)
    assert {outcome.stranger for point in report.points for outcome in point.outcomes} == {0, 4242, 4343}
