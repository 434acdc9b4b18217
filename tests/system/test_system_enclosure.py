"""In the enclosure there are the files that were planned, and no rights: neither to change them nor to get more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.grading.sandbox import guarantees
from labkit.isolation.mounts import FRESH
from labkit.isolation.namespaces import NOBODY, Plan, allowed


def run(command, *write, read=()):
    """What a shell there says."""
    plan = Plan(os.geteuid() or NOBODY, (*guarantees.readable(), *map(str, read)), tuple(map(str, write)))
    done = subprocess.run([*plan.command(), "sh", "-c", command], capture_output=True, text=True, check=False)
    return done.stdout.split()


@pytest.fixture
def ours(tmp_path):
    """A folder of which there is a part to read and a part to change, and a rest that is none of its business."""
    for name in ("read", "write", "rest"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o777)
        (tmp_path / name / "file").write_text(name)
        (tmp_path / name / "file").chmod(0o666)
    return tmp_path


def test_namespaces_are_tried_before_they_are_counted_on():
    """Where a machine does not allow them, this fails, and so does everything below."""
    assert allowed(guarantees.readable())
    assert not allowed(())


def test_it_holds_what_was_planned_and_nothing_else(ours):
    """Whatever its folders are called above, nothing beside them is seen there."""
    seen = run(f"ls {ours} {Path(__file__).parent}; cat {ours}/read/file", ours / "write", read=[ours / "read"])
    assert seen == [f"{ours}:", "read", "write", "read"]
    top = {"bin", "dev", "etc", "lib", "lib64", "proc", "tmp", "usr"}
    folders = {path.parts[1] for path in map(Path, [*guarantees.readable(), ours])}
    assert set(run("ls /", ours / "write")) <= top | folders


def test_links_lead_where_they_lead_outside(ours):
    """Many a Python is a link, or lies behind one."""
    (ours / "link").symlink_to(ours / "read")
    (ours / "rest" / "more").symlink_to(ours)
    paths = [ours / "link", ours / "rest" / "more" / "write"]
    seen = run(f"ls {ours}/rest; cat {ours}/link/file {ours}/rest/more/write/file", read=paths)
    assert seen == ["more", "readwrite"]


def test_only_what_was_planned_can_be_changed(ours):
    """Not even by a user to whom the files belong."""
    places = f"{ours}/read/new {ours}/read/file {ours}/write/new /usr/new /new {guarantees.package()}/new"
    tried = f"for place in {places}; do (echo x > $place) 2>/dev/null && echo $place; done"
    assert run(tried, ours / "write", read=[ours / "read"]) == [f"{ours}/write/new"]
    assert (ours / "write" / "new").read_text() == "x\n"
    assert (ours / "read" / "file").read_text() == "read"


def test_what_is_in_memory_ends_with_it():
    """What is usually for everybody is its own."""
    paths = [Path(folder, f"labkit-test-{os.getpid()}") for folder in FRESH]
    assert run(f"touch {' '.join(map(str, paths))} && echo yes") == ["yes"]
    assert [path for path in paths if path.exists()] == []


def test_it_has_no_rights_and_gets_none():
    """Of capabilities, none; and its own processes are all that it sees."""
    rights = run("grep -E 'Cap(Inh|Prm|Eff|Amb)|NoNewPrivs' /proc/self/status")
    assert [each for each in rights if not each.endswith(":")] == ["0000000000000000"] * 4 + ["1"]
    assert {name for name in run("ls /proc") if name.isdigit()} <= {"1", "2", "3"}


def test_there_is_a_loopback_and_no_other_network():
    """Kernels are reached over it by whoever runs notebooks as usual."""
    assert [line for line in run("cat /proc/net/dev") if line.endswith(":") and line != "lo:"] == []
    listen = (
        "import socket; server = socket.create_server(('127.0.0.1', 0)); socket.create_connection(server.getsockname())"
    )
    assert run(f'{sys.executable} -I -c "{listen}" && echo yes') == ["yes"]
