"""`labkit doctor` on a machine with one part broken names that part, and the next step."""

import shutil
import socket
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import metadata
from threading import Thread
from types import SimpleNamespace

import pytest
from jupyter_server import serverapp

from labkit import cli, crash, database, doctor, repository
from labkit.crash import CrashLabError
from labkit.database import DatabaseError
from labkit.grading.sandbox import guarantees
from labkit.grading.sandbox.guarantees import Guarantee
from labkit.isolation import process


def fails(error):
    """A function that raises it."""

    def fail(*_, **__):
        raise error

    return fail


def old_python(patch, _):
    """A Python that is too old."""
    patch.setattr(sys, "version_info", (3, 10, 4, "final", 0))


def no_package(patch, _):
    """One package is not installed."""
    real = metadata.version
    patch.setattr(
        metadata, "version", lambda n: fails(metadata.PackageNotFoundError(n))() if n == "psutil" else real(n)
    )


def no_kernel(patch, tmp_path):
    """Another kernel of that name stands before ours."""
    patch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    patch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    (tmp_path / "kernels" / "python3").mkdir(parents=True)
    spec = '{"argv": ["/usr/bin/false", "-f"], "display_name": "another", "language": "python"}'
    (tmp_path / "kernels" / "python3" / "kernel.json").write_text(spec)


def no_right(patch, _):
    """The copies may not be written."""
    patch.setattr(doctor.os, "access", lambda *_: False)


def no_room(part):
    """Break the room of one part alone."""

    def full(patch, _):
        patch.setitem(doctor.MEGABYTES, part, 10**9)

    return full


def no_port(patch, _):
    """Nobody may listen at localhost."""
    patch.setattr(doctor, "bind_sockets", fails(OSError(99, "Cannot assign requested address")))


def silent_lab(patch, _):
    """A lab that was opened here does not answer any more."""
    silent = socket.create_server(("localhost", 0))
    patch.setattr(doctor, "PATIENCE", 0.1)
    here = {"root_dir": str(repository.root()), "base_url": "/", "pid": 12345, "kept": silent}
    servers = [{**here, "port": silent.getsockname()[1]}, {**here, "root_dir": "/elsewhere", "port": 1}]
    patch.setattr(serverapp, "list_running_servers", lambda: iter(servers))


def no_process(patch, _):
    """The crash lab's own process dies."""
    patch.setattr(crash, "trial", fails(CrashLabError("the crash lab's own process ended: killed")))


def dead_process(patch, _):
    """Its children die."""
    patch.setattr(crash, "trial", lambda _: SimpleNamespace(how="died", words="ended by itself, with exit status 1"))


def no_server(patch, _):
    """The database does not answer."""
    patch.delitem(sys.modules, "labkit.database")  # which a fresh `labkit doctor` loads last
    patch.setattr(database, "server", fails(DatabaseError("no server answers: `labkit db start` starts it")))


def no_namespaces(patch, _):
    """The kernel keeps nobody from the network."""
    weak = (Guarantee(what="files", by="Landlock"), Guarantee(what="network"))
    patch.setattr(guarantees, "guarantees", lambda: weak)


BROKEN = {
    old_python: ("Python", "3.10.4", "install Python 3.11"),
    no_package: ("packages", "psutil not installed", "run `make lab`"),
    no_kernel: ("kernel", "/usr/bin/false, which is not this Python", "move"),
    no_right: ("copies", "cannot be written", "set LABKIT_WORK"),
    no_room("copies"): ("copies", "MB are free", "LABKIT_WORK"),
    no_port: ("port", "Cannot assign", "/etc/hosts"),
    silent_lab: ("open labs", "does not answer", "`kill -9 12345`"),
    no_room("crash lab"): ("crash lab", "MB are free", "make room there"),
    no_process: ("crash lab", "ended: killed", "more processes and memory"),
    dead_process: ("crash lab", "ended by itself", "restart"),
    no_room("PostgreSQL"): ("PostgreSQL", "MB are free", "LABKIT_HOME"),
    no_server: ("PostgreSQL", "no server answers", "`labkit db start`"),
    no_namespaces: ("network", "NOT ENFORCED", "grade on a Linux with namespaces"),
}


@pytest.mark.parametrize("broken", BROKEN, ids=[f"{broken.__name__} {said[0]}" for broken, said in BROKEN.items()])
def test_a_broken_part_is_named_with_the_next_step(broken, monkeypatch, tmp_path, capsys):
    """It alone is not ok, the exit status is 1, and nothing is said on standard error."""
    monkeypatch.delenv("LABKIT_DSN", raising=False)
    broken(monkeypatch, tmp_path)
    part, said, todo = BROKEN[broken]

    assert cli.main(["doctor"]) == 1

    out, err = capsys.readouterr()
    assert err == ""
    (found,) = [line for line in out.splitlines() if line.startswith("NOT OK")]
    (following,) = [line for line in out.splitlines() if line.strip().startswith("Next:")]
    assert part in found.split()[2:4] or part in found
    assert said in found
    assert todo in following


def test_where_all_works_each_part_is_told(capsys):
    """Status 0; the parts of the machine come first, then what a grading is kept from."""
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    parts = [
        "Python",
        "packages",
        "copies",
        "port",
        "open labs",
        "kernel",
        "crash lab",
        "PostgreSQL",
        *["files", "network"],
    ]
    places = [out.index(f" {part} ") for part in parts]
    assert places == sorted(places)
    assert "NOT OK" not in out


def test_a_lab_that_answers_is_named(monkeypatch):
    """Whoever opens a second one knows of the first."""
    with HTTPServer(("localhost", 0), BaseHTTPRequestHandler) as server:
        Thread(target=server.handle_request).start()
        mine = {"root_dir": str(repository.root()), "base_url": "/", "pid": 1, "port": server.server_port}
        monkeypatch.setattr(serverapp, "list_running_servers", lambda: iter([mine]))
        assert doctor.open_labs() == doctor.Finding("open labs", f"at port {server.server_port}")


@pytest.mark.parametrize(("spawn", "how"), [(False, "by fork"), (True, "by fresh interpreters")])
def test_it_says_how_processes_start(monkeypatch, spawn, how):
    """A sweep that is slow has its reason told."""
    monkeypatch.setattr(crash, "trial", lambda _: SimpleNamespace(how="returned"))
    monkeypatch.setattr(process, "SPAWN", spawn)
    assert f"starts processes {how}" in doctor.crash_lab().said


def test_room_is_looked_for_where_the_folder_will_be(tmp_path, monkeypatch):
    """A folder that is not there yet counts as part of the one in which it would be made."""
    asked = []
    monkeypatch.setattr(shutil, "disk_usage", lambda place: asked.append(place) or SimpleNamespace(free=10**12))
    monkeypatch.setenv("LABKIT_WORK", str(tmp_path / "a" / "b"))
    assert doctor.copies().todo == ""
    assert asked == [tmp_path]


def test_the_lab_opens_all_the_same(monkeypatch, capsys):
    """`labkit lab` tells what its quick look finds broken, and goes on."""
    opened = []
    monkeypatch.setattr("labkit.copies.prepare_work", lambda _: SimpleNamespace(_asdict=dict))
    monkeypatch.setattr("labkit.start.open_lab", lambda *_: opened.append(1))
    no_port(monkeypatch, None)
    assert cli.main(["lab"]) == 0
    assert opened
    assert "localhost cannot be listened at" in capsys.readouterr().err
