"""What a machine can keep a student's code from is said as it is, and what it cannot stops the grading."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from labkit.grading.sandbox import guarantees

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a class is graded in a sandbox on Linux only")
NONE = {"files": False, "tcp": False, "signals": False}
ALL = dict.fromkeys(NONE, True)


@pytest.fixture
def place():
    """A folder that anybody might reach."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture
def on(monkeypatch, place):
    """Pretends to be on a machine with a kernel, namespaces or not, and a user."""

    def on(kernel, *, namespaces, user, python_is_open=True):
        place.chmod(0o755 if python_is_open else 0o700)
        monkeypatch.setattr(guarantees, "supports", lambda: kernel)
        monkeypatch.setattr(guarantees, "refuses", lambda: True)
        monkeypatch.setattr(guarantees, "allowed", lambda read: namespaces)
        monkeypatch.setattr(guarantees, "readable", lambda: (str(place / "python"),))
        monkeypatch.setattr(os, "geteuid", lambda: user)
        guarantees.guarantees.cache_clear()
        return {each.what: each.by for each in guarantees.guarantees()}, guarantees.missing()

    yield on
    guarantees.guarantees.cache_clear()


def test_with_all_of_it_nothing_is_missing(on):
    """As on a Linux of today."""
    found, missing = on(ALL, namespaces=True, user=0)
    assert found["files"] == "a mount namespace and Landlock"
    assert found["user"] == "a user of its own"
    assert all(found.values())
    assert missing == []


def test_an_ordinary_user_lacks_only_another_user(on):
    """Which is no reason not to grade."""
    found, missing = on(ALL, namespaces=True, user=1000)
    assert [what for what, by in found.items() if not by] == ["user"]
    assert missing == []


def test_namespaces_alone_are_enough(on):
    """As on a Linux that is too old for Landlock."""
    found, missing = on(NONE, namespaces=True, user=1000)
    assert found["files"] == "a mount namespace"
    assert missing == []


def test_landlock_alone_is_enough_and_no_more_is_claimed_of_it(on):
    """As in some containers."""
    found, missing = on(ALL, namespaces=False, user=1000)
    assert found["files"] == "Landlock; NOT what files there are, their modes and times"
    assert found["network"] == "Landlock, for TCP; NOT for other sockets"
    assert "subreaper" in found["processes"]
    assert missing == []


def test_an_older_landlock_is_not(on):
    """It leaves the network open."""
    assert on({**ALL, "tcp": False}, namespaces=False, user=1000)[1] == ["network"]
    assert on(NONE, namespaces=False, user=1000)[1] == ["files", "network"]


def test_root_needs_another_user_that_can_reach_python(on):
    """Without namespaces nobody brings Python to where that user may go, and limits do not hold for root."""
    assert on(ALL, namespaces=False, user=0)[1] == []
    assert on(ALL, namespaces=False, user=0, python_is_open=False)[1] == ["user"]
    assert on(ALL, namespaces=True, user=0, python_is_open=False)[1] == []
