"""Grading by workers on other machines, each in a network namespace: nothing in common but the DSN, over TCP.

It needs Linux, root and `ip`, and says so where it cannot run. The server listens on a Unix socket; a relay in the
asker's namespace stands for one that listens on TCP. It asks for a password.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from attacked import UNAPART, as_nobody, attackers, two_cases
from own_class import RIGHT, WRONG, everything, hand_in, make_criteria
from psycopg.conninfo import conninfo_to_dict

from labkit import database
from labkit.database import as_url
from labkit.isolation.removal import remove
from labkit.repository import root

LABKIT = Path(sys.executable).with_name("labkit")
ASKER, WORKER = "10.99.25.1", "10.99.25.2"
RELAY = """
import socket, sys, threading

address, there = sys.argv[1:3]

def carry(one, other):
    try:
        while data := one.recv(65536):
            other.sendall(data)
    except OSError:
        pass
    for each in (one, other):
        try:
            each.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

with socket.create_server((address, 5432)) as listener:
    print("listens", flush=True)
    while True:
        client, _ = listener.accept()
        server = socket.socket(socket.AF_UNIX)
        server.connect(there)
        for pair in ((client, server), (server, client)):
            threading.Thread(target=carry, args=pair, daemon=True).start()
"""
INSIDE = """
import socket, sys, threading, time
RELAY, HERE = sys.argv.pop(1), sys.argv.pop(1)
mine, sys.argv = sys.argv, ["relay", "127.0.0.1", HERE]
threading.Thread(target=exec, args=(RELAY, {}), daemon=True).start()
time.sleep(1)
sys.argv = mine
"""
"""A relay beside a worker, in the network namespace in which it is."""
needs_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None,
    reason="two machines are simulated by network namespaces, which need root on Linux, and the program ip",
)


def ip(*arguments):
    """Run ip; whether it worked."""
    return subprocess.run(["ip", *arguments], capture_output=True, check=False).returncode == 0


@pytest.fixture
def machines():
    """The names of two namespaces that reach each other, and nothing else."""
    names, mine = ("labkit-asker", "labkit-worker"), ("labkit-a", "labkit-w")
    made = [ip("netns", "add", name) for name in names]
    try:
        made.append(ip("link", "add", mine[0], "type", "veth", "peer", "name", mine[1]))
        for name, link, address in zip(names, mine, (ASKER, WORKER), strict=True):
            made.append(ip("link", "set", link, "netns", name))
            made.append(ip("-n", name, "addr", "add", f"{address}/24", "dev", link))
            made += [ip("-n", name, "link", "set", each, "up") for each in (link, "lo")]
        if not all(made):
            pytest.skip("this machine makes no network namespaces with a cable between them")
        yield names
    finally:
        for name in names:
            ip("netns", "del", name)


@pytest.fixture
def where():
    """A folder that any user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="labkit-grade-", dir="/var/tmp"))
    folder.chmod(0o777)
    yield folder
    remove(folder)


@contextmanager
def served(*inside, address="127.0.0.1"):
    """A server behind TCP; its DSN without a password, and the password."""
    with database.throwaway_cluster() as cluster, ExitStack() as ends:
        cluster.make_database("work")
        how = conninfo_to_dict(as_url(cluster.owner("work")))
        command = [*inside, sys.executable, "-u", "-c", RELAY, address, f"{how['host']}/.s.PGSQL.5432"]
        relay = ends.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
        ends.callback(relay.kill)
        assert relay.stdout.readline() == b"listens\n"
        yield f"postgresql://{how['user']}@{address}:5432/work", how["password"]


@contextmanager
def worker(dsn, password, home, *before, program=(LABKIT,)):
    """A worker for a while, with a home of its own."""
    home.mkdir(exist_ok=True)
    home.chmod(0o777)
    known = {**os.environ, "PGPASSWORD": password, "LABKIT_HOME": str(home), "HOME": str(home)}
    with (home / "log").open("wb") as log:
        command = [*before, *program, "grade-worker", "--on", dsn]
        process = subprocess.Popen(command, env=known, stdout=log, stderr=log, cwd="/")
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(120)
            finally:
                process.kill()


def grade(where, out, *more, before=(), password="", seconds=900):
    """Run `labkit grade`; what it printed."""
    command = [*before, LABKIT, "grade", where / "class", "--criteria", where / "criteria", "--out", where / out, *more]
    known = {**os.environ, "PGPASSWORD": password}
    done = subprocess.run(command, env=known, capture_output=True, text=True, check=False, timeout=seconds)
    assert done.returncode == 0, done.stderr
    return done


def results(out):
    """What a book says of everybody."""
    return [json.loads(path.read_text()) for path in (out / "results").glob("*.json")]


PRYING = {
    "environment": "import os; assert 'DROWSSAP'[::-1] in str(os.environ)",
    "environments": """
import glob
found = b''
for name in glob.glob('/proc/*/environ') + glob.glob('/proc/*/cmdline'):
    try: found += open(name, 'rb').read()
    except OSError: pass
assert b'DROWSSAP'[::-1] in found or b'10.99' b'.25' in found""",
    "descriptors": """
import os, socket
found = []
for fd in range(3, 256):
    try: found.append(socket.socket(fileno=os.dup(fd)).getpeername())
    except OSError: pass
assert any(isinstance(name, tuple) for name in found)""",
    "network": "import socket; socket.create_connection(('ADDRESS', 5432), 2)",
    "folders": """
import glob
found = b''
for name in glob.glob('/tmp/**/*', recursive=True) + glob.glob('/dev/shm/**/*', recursive=True):
    try: found += open(name, 'rb').read()
    except OSError: pass
assert b'DROWSSAP'[::-1] in found""",
}
"""Each fails where it finds nothing, and so costs the answer its marks."""


def pry(where, password, address):
    """Hand in somebody who is right, somebody who is wrong, and those who look for the database."""
    make_criteria(where / "criteria")
    for what, code in PRYING.items():
        prying = code.replace("DROWSSAP", password[::-1]).replace("ADDRESS", address)
        hand_in(where / "class", what, RIGHT.replace("\n", f"\n{prying}\n", 1))
    hand_in(where / "class", "right", RIGHT)
    hand_in(where / "class", "wrong", WRONG)


@needs_root
@pytest.mark.timeout(3600)
def test_two_machines_that_share_a_dsn_make_the_book_of_one(where, machines):
    """Byte for byte, notebooks run as well; and what students' code looks for, it does not find."""
    asker, other = (("ip", "netns", "exec", name) for name in machines)
    with served(*asker, address=ASKER) as (dsn, password):
        pry(where, password, ASKER)
        alone = grade(where, "one")
        with worker(dsn, password, where / "home", *other) as process:
            done = grade(where, "on", "--on", dsn, before=asker, password=password)
            assert process.poll() is None
    assert done.stdout.replace("/on:", "/one:") == alone.stdout
    assert everything(where / "on") == everything(where / "one")
    marks = dict(line.split(": ") for line in done.stdout.splitlines() if " of 3" in line)
    assert {name: marks.pop(name) for name in ("right", "wrong")} == {"right": "3 of 3", "wrong": "0 of 3"}
    assert set(marks.values()) == {"0 of 3"}
    for text in (done.stderr, (where / "home" / "log").read_text(), *map(str, everything(where / "on").values())):
        assert password not in text


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user for a while")
@pytest.mark.timeout(3600)
def test_a_machine_that_keeps_less_is_told_in_the_book(where):
    """A worker without namespaces: the same marks, also for who looks for the database; the class's page says it."""
    (where / "home").mkdir()
    with database.throwaway_cluster() as cluster:
        cluster.make_database("work")
        how = cluster.owner("work")
        pry(where, how["password"], "127.0.0.1")
        grade(where, "one", "--marks-only")
        tcp, unix = (f"host={host} user={how['user']} dbname=work" for host in ("127.0.0.1", how["host"]))
        inside = as_nobody(where / "home", root(), how["host"])
        program = (sys.executable, "-P", "-c", INSIDE + UNAPART, RELAY, f"{how['host']}/.s.PGSQL.5432")
        with worker(tcp, how["password"], where / "home", *inside, program=program):
            grade(where, "on", "--marks-only", "--on", unix, password=how["password"])
    one, on = everything(where / "one"), everything(where / "on")
    who_is_told_how_it_was_refused = {"junit.xml", "results/network.json", "students/network.html"}
    assert {name for name in one if one[name] != on[name]} - who_is_told_how_it_was_refused == {"class.html"}
    assert b"NOT ENFORCED" in on["class.html"]
    assert b"NOT ENFORCED" not in one["class.html"]
    marks = {each["student"]: each["total"]["got"] for each in results(where / "on")}
    assert marks == {**dict.fromkeys((*PRYING, "wrong"), 0), "right": 3}


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user for a while")
def test_a_machine_that_keeps_less_works_over_no_unix_socket(where):
    """There students' code could reach it, and be let in by who it is: status 2, and what to do."""
    with database.throwaway_cluster() as cluster:
        cluster.make_database("work")
        how = cluster.owner("work")
        dsn = f"host={how['host']} user={how['user']} dbname=work"
        (where / "home").mkdir()
        inside, program = as_nobody(where / "home", root(), how["host"]), (sys.executable, "-P", "-c", UNAPART)
        with worker(dsn, how["password"], where / "home", *inside, program=program) as process:
            assert process.wait(100) == 2
    assert "must be reached over TCP" in (where / "home" / "log").read_text()


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_who_attacks_reaches_no_more_through_a_worker(where, subtests):
    """The class of attackers: no more marks than for an honest wrong answer, nothing read, and the worker lives."""
    canary = where / "canary"
    canary.mkdir()
    canary.chmod(0o777)
    (canary / "secret").write_text("SECRET")
    two_cases(where / "criteria")
    with served() as (dsn, password), socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        attackers(where, listener.getsockname()[1])
        with worker(dsn, password, where / "home") as one, worker(dsn, password, where / "home") as two:
            grade(where, "out", "--marks-only", "--on", dsn, password=password, seconds=3000)
            assert (one.poll(), two.poll()) == (None, None)
        with pytest.raises(BlockingIOError):
            listener.accept()
        with psycopg.connect(f"{dsn}?password={password}") as connection:
            assert connection.execute("TABLE labkit_grading_1.job").fetchall() == []
    for each in results(where / "out"):
        with subtests.test(each["student"]):
            assert each["total"]["got"] <= 1
    assert [path.name for path in canary.iterdir()] == ["secret"]
    for name, data in everything(where / "out").items():
        for word in (b"SECRET", b"all marks", password.encode()):
            assert word not in data, name
