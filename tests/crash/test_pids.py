"""Process ids in a child: no call reaches another process, and the id of an earlier life is explored both ways."""

import os
import signal
from pathlib import Path

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
        with pytest.raises((ProcessLookupError, PermissionError)):
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


def test_who_does_not_trust_a_process_id_survives():
    """The right program, asked the same question."""
    assert not sweep(lambda: start(careful=True), lambda: start(careful=True), served).broken


def test_the_second_recovery_knows_the_id_of_the_first():
    """Killed twice: whoever left the file may have been the first recovery."""
    report = sweep(lambda: start(careful=False), lambda: start(careful=False), served, depth=2)
    assert {outcome.stranger for point in report.points for outcome in point.outcomes} == {0, 4242, 4343}
