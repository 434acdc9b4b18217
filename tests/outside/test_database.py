"""A real PostgreSQL with nothing to install: it starts whatever was left behind, and lets nobody in who should not be.

What needs a server of our own is NOT CHECKED, by name, where LABKIT_DSN gives another.
"""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import sql

from labkit import cli, database
from labkit.database import Cluster, DatabaseError, programs
from labkit.database.backends import ending

GIVEN = os.environ.get("LABKIT_DSN")


@pytest.fixture(autouse=True)
def embedded(request):
    """What a test needs that is about the embedded server."""
    if GIVEN and "given" not in request.keywords:
        pytest.skip("NOT CHECKED with LABKIT_DSN: it is about the embedded server")


@pytest.fixture
def folder():
    """An empty folder that the server's user can reach."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def new_cluster(folder):
    """Make a cluster in a folder of this name; it is killed when the test ends."""
    made = []

    def new(name="postgres"):
        made.append(Cluster(folder / name, folder))
        return made[-1]

    yield new
    for cluster in made:
        cluster.kill()


@pytest.fixture
def home(folder, monkeypatch):
    """Another embedded server than the one that other tests use."""
    monkeypatch.setenv("LABKIT_HOME", str(folder))
    yield folder
    Cluster(folder / "postgres").kill()


def answer(cluster, query="SELECT 42"):
    """What a server says."""
    with cluster.connect(**cluster.conninfo()) as connection:
        return connection.execute(query).fetchone()[0]


def in_other_process(code, *arguments, **options):
    """Start Python code in a process of its own."""
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, **options)


START = "import sys; from pathlib import Path; from labkit.database import Cluster; Cluster(Path(sys.argv[1])).start()"


def test_a_first_start_makes_a_server_that_answers(new_cluster):
    """Nothing is there; after start there is a running server, and stop and start keep what it holds."""
    cluster = new_cluster()
    assert not cluster.running
    assert cluster.pid is None
    cluster.start()
    assert cluster.running
    cluster.make_database("shop")
    cluster.stop()
    assert not cluster.running
    assert cluster.pid is None
    cluster.start()
    assert answer(cluster, "SELECT datname FROM pg_database WHERE datname = 'shop'") == "shop"


def test_to_start_what_runs_and_to_stop_what_does_not_does_nothing(new_cluster):
    """Both may be said at any time."""
    cluster = new_cluster()
    cluster.stop()
    cluster.start()
    pid = cluster.pid
    cluster.start()
    assert cluster.pid == pid
    cluster.stop()
    cluster.stop()


def test_what_is_committed_is_safe_by_the_servers_own_settings(new_cluster):
    """This is a lab about durability: nothing is turned off to be faster."""
    cluster = new_cluster()
    cluster.start()
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert answer(cluster, f"SHOW {setting}") == "on"
    assert answer(cluster, "SHOW listen_addresses") == ""


@pytest.mark.parametrize("name", ["with two spaces", "Данные агента", 'it\'s "quoted", 100% $(false)', "long " * 20])
def test_it_works_in_any_folder(new_cluster, name):
    """Spaces, letters of all alphabets, quotes, a comma, and paths too long for a socket."""
    cluster = new_cluster(name)
    cluster.start()
    assert answer(cluster) == 42
    cluster.make_database("shop")
    with psycopg.connect(database.as_url(cluster.owner("shop"))) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("shop",)


def test_two_starts_at_once_make_one_server(new_cluster):
    """Two notebooks may be opened in the same moment, even the first time."""
    cluster = new_cluster()
    starts = [in_other_process(START, cluster.folder) for _ in range(3)]
    assert [start.wait(60) for start in starts] == [0, 0, 0]
    assert answer(cluster) == 42


def test_a_killed_server_starts_again_and_has_lost_nothing(new_cluster):
    """After SIGKILL of every process, start is all that is needed, and every commit is there."""
    cluster = new_cluster()
    cluster.start()
    with cluster.connect(**cluster.conninfo()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        cluster.kill()
    assert not cluster.running
    cluster.start()
    assert answer(cluster, "SELECT one FROM kept") == 1


def test_a_killed_postmaster_is_waited_for(new_cluster):
    """Where only the first process was killed, the others need a moment to go: start waits for that."""
    cluster = new_cluster()
    cluster.start()
    with cluster.connect(**cluster.conninfo()):
        postmaster = psutil.Process(cluster.pid)
        postmaster.kill()
        postmaster.wait(10)
        cluster.start()
    assert answer(cluster) == 42


def test_a_stranger_with_the_old_process_id_is_not_touched(new_cluster):
    """A stale postmaster.pid may name a process that has got the number since: it is neither waited for nor ended."""
    cluster = new_cluster()
    cluster.start()
    told = (cluster.folder / "data" / "postmaster.pid").read_text().splitlines()
    cluster.kill()
    with subprocess.Popen(["sleep", "100"]) as stranger:
        (cluster.folder / "data" / "postmaster.pid").write_text("\n".join([str(stranger.pid), *told[1:]]))
        assert not cluster.running
        cluster.kill()
        cluster.stop()
        cluster.start()
        assert answer(cluster) == 42
        assert stranger.poll() is None
        stranger.kill()


def test_a_server_that_was_half_made_is_made_anew(new_cluster):
    """Whoever was killed in the middle of the first start leaves nothing that stands in the way of the second."""
    cluster = new_cluster()
    (cluster.folder / "data" / "base").mkdir(parents=True)
    (cluster.folder / "password").write_text("old")
    cluster.start()
    assert answer(cluster) == 42


def test_the_server_outlives_a_killed_kernel(new_cluster):
    """A process that started it may die by SIGKILL, with its whole group."""
    cluster = new_cluster()
    code = f"{START}; print(1, flush=True); import time; time.sleep(100)"
    with in_other_process(code, cluster.folder, start_new_session=True) as kernel:
        kernel.stdout.readline()
        os.killpg(kernel.pid, signal.SIGKILL)
    assert answer(cluster) == 42


def copied_wheel(folder):
    """The folder of PostgreSQL's programs, in a copy of the wheel."""
    package = programs.find().parents[1]
    for each in package.parent.glob(f"{package.name}*"):
        shutil.copytree(each, folder / each.name)
    return folder / programs.find().relative_to(package.parent)


AS_DAEMON = """
import os, pwd, sys, psutil, psycopg.sql
from pathlib import Path
from labkit.database import Cluster
daemon = pwd.getpwnam("daemon")
os.setgroups([]); os.setgid(daemon.pw_gid); os.setuid(daemon.pw_uid)
Cluster(Path(sys.argv[1])).start()
"""
"""What it needs of Python is loaded first: Python's folder may be root's alone."""


def test_it_runs_for_an_ordinary_user(folder):
    """No root is needed: the user's own processes do it all, and all files are the user's."""
    cluster = Cluster(folder / "own" / "postgres")
    if os.geteuid() != 0:
        cluster.start()
    else:
        cluster.folder.parent.mkdir()
        shutil.chown(cluster.folder.parent, "daemon")
        environment = {**os.environ, "LABKIT_PG_BIN": str(copied_wheel(folder))}
        assert in_other_process(AS_DAEMON, cluster.folder, cwd="/", env=environment).wait(60) == 0
    try:
        assert cluster.running
        assert len({path.stat().st_uid for path in (cluster.folder, *cluster.folder.rglob("*"))}) == 1
    finally:
        cluster.kill()


WITHOUT_A_NAME = """
import os, sys, psutil, psycopg.sql
from pathlib import Path
from labkit.database import Cluster, DatabaseError
os.setgroups([]); os.setgid(54321); os.setuid(54321)
try:
    Cluster(Path(sys.argv[1])).start()
except DatabaseError as error:
    print(error)
"""


@pytest.mark.parametrize("allowed", [True, False])
def test_a_user_without_a_name_gets_a_database(folder, allowed):
    """As in a container: /etc/passwd has no line for the user id. Where it cannot be done, one line says what to do."""
    if os.geteuid() != 0:
        pytest.skip("NOT CHECKED: only root can become a user without a name")
    cluster = Cluster(folder / "own" / "postgres")
    cluster.folder.parent.mkdir()
    os.chown(cluster.folder.parent, 54321, 54321)
    environment = {
        **os.environ,
        "LABKIT_PG_BIN": str(copied_wheel(folder)),
        **({} if allowed else {"PATH": "/nowhere"}),
    }
    with in_other_process(WITHOUT_A_NAME, cluster.folder, cwd="/", env=environment) as process:
        said, _ = process.communicate(timeout=60)
    try:
        assert cluster.running == allowed
        assert ("your user id 54321 has no name here" in str(said)) != allowed
    finally:
        cluster.kill()


@pytest.mark.long
def test_programs_that_the_servers_user_cannot_reach_are_copied(folder, new_cluster, monkeypatch):
    """Root's home is closed to nobody, as whom the server runs: a clone there works all the same."""
    if os.geteuid() != 0:
        pytest.skip("NOT CHECKED: only root's server runs as another user")
    monkeypatch.setenv("LABKIT_PG_BIN", str(copied_wheel(folder / "closed")))
    (folder / "closed").chmod(0o700)
    cluster = new_cluster()
    cluster.start()
    assert answer(cluster) == 42


@pytest.mark.long
def test_a_server_whose_programs_are_gone_is_started_anew(folder, new_cluster, monkeypatch):
    """Its environment was made anew or removed while it ran: it could load nothing any more."""
    cluster = new_cluster()
    monkeypatch.setenv("LABKIT_PG_BIN", str(copied_wheel(folder / "environment")))
    cluster.start()
    first = cluster.pid
    shutil.rmtree(folder / "environment")
    monkeypatch.delenv("LABKIT_PG_BIN")
    cluster.start()
    assert cluster.pid != first
    assert answer(cluster) == 42


def test_a_folder_that_the_servers_user_cannot_reach_is_refused(folder, new_cluster):
    """As root: the message says where to set another one."""
    if os.geteuid() != 0:
        pytest.skip("NOT CHECKED: only root's server runs as another user")
    (folder / "closed").mkdir(mode=0o700)
    with pytest.raises(DatabaseError, match="set LABKIT_HOME to a folder that it can"):
        new_cluster("closed/postgres").start()


def test_nobody_gets_in_without_a_password(new_cluster):
    """Local connections are not trusted: any process of the machine could make them."""
    cluster = new_cluster()
    cluster.start()
    with pytest.raises(DatabaseError, match="no password supplied"):
        cluster.connect(**{**cluster.conninfo(), "password": ""})
    with pytest.raises(DatabaseError, match="password authentication failed"):
        cluster.connect(**{**cluster.conninfo(), "password": "postgres"})
    assert (cluster.folder / "password").stat().st_mode & 0o077 == 0
    assert (cluster.folder / "socket").stat().st_mode & 0o077 == 0


def test_a_backend_that_is_ended_is_gone_when_the_statement_returns():
    """Those of which the condition holds, and no others."""
    with database.throwaway() as url, psycopg.connect(url, autocommit=True) as ours:
        others = [psycopg.connect(url, application_name=name) for name in ("ended", "ended", "kept")]
        ours.execute(ending(sql.SQL("application_name = {}").format("ended")))
        left = ours.execute("SELECT pid FROM pg_stat_activity WHERE application_name IN ('ended', 'kept')").fetchall()
        assert left == [(others[2].info.backend_pid,)]
        for each in others:
            each.close()


def test_student_code_owns_its_own_database_and_nothing_else():
    """With what it is given, it is neither superuser nor in another database, nor the server's user."""
    with database.throwaway() as url, database.throwaway() as other:
        how = psycopg.conninfo.conninfo_to_dict(url)
        others = psycopg.conninfo.conninfo_to_dict(other)
        for changed in (
            {"user": "postgres"},
            {"dbname": others["dbname"]},
            {"user": others["user"]},
            {"dbname": "postgres"},
        ):
            with pytest.raises(psycopg.OperationalError, match=r"authentication failed|permission denied"):
                psycopg.connect(**{**how, **changed})
        with psycopg.connect(url, autocommit=True) as connection:
            for refused in (
                "COPY (SELECT 1) TO PROGRAM 'cat'",
                "COPY (SELECT 1) TO '/tmp/labkit-refused'",
                "CREATE DATABASE mine",
                "CREATE ROLE mine",
                "ALTER ROLE CURRENT_USER SUPERUSER",
                "ALTER SYSTEM SET fsync = off",
                "SET ROLE postgres",
                "SELECT pg_read_file('postgresql.conf')",
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> current_user",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(refused)


@pytest.mark.given
def test_a_scratch_database_is_empty_whoever_had_it_before():
    """Databases are used again: tables, views, functions, types, schemas and sequences of the last user are gone."""
    litter = """
        CREATE TABLE parent (id serial PRIMARY KEY, other int GENERATED ALWAYS AS IDENTITY);
        CREATE TABLE child (id int REFERENCES parent);
        CREATE VIEW seen AS SELECT * FROM child; CREATE MATERIALIZED VIEW kept AS SELECT * FROM seen;
        CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE TYPE pair AS (a mood, b mood);
        CREATE DOMAIN positive AS int CHECK (VALUE > 0);
        CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE SEQUENCE counted;
        CREATE SCHEMA other CREATE TABLE inside (mood public.mood); CREATE TABLE split (id int) PARTITION BY LIST (id);
    """
    littered = set()
    for _ in range(100):  # the server needs a moment to see that a holder is gone; others hold some, too
        with database.throwaway() as url, psycopg.connect(url) as connection:
            connection.execute(litter)  # fails where anything is left of the last time
            if url in littered:
                return
            littered.add(url)
    pytest.fail("no database is ever used again")


@pytest.mark.given
def test_two_scratch_databases_at_once_are_two():
    """Nobody gets a database that somebody else is using; when its holder is killed, it is free again."""
    code = "from labkit import database; database.scratch(); print(database.url(), flush=True); input()"
    with in_other_process(code, stdin=subprocess.PIPE) as other:
        theirs = other.stdout.readline().decode().strip()
        with database.throwaway() as one, database.throwaway() as two:
            assert len({theirs, one, two}) == 3
        other.kill()
    for _ in range(100):  # the server needs a moment to see that it is dead
        with database.throwaway() as one, database.throwaway() as two:
            if theirs in (one, two):
                return
    pytest.fail("the database of a killed process is never used again")


@pytest.mark.given
def test_engine_is_for_the_current_database_and_made_once():
    """In a process of its own: first the database for all, then the one that `scratch` gives."""
    code = """
from labkit import database
shared = database.url()
assert database.engine() is database.engine()
assert database.engine().url.render_as_string(False).split("@")[1].split("?")[0] == shared.split("@")[1].split("?")[0]
database.scratch()
assert database.url() != shared
with database.engine().begin() as connection:
    assert "labkit_scratch" in connection.exec_driver_sql("SELECT current_database()").scalar()
"""
    with in_other_process(code) as other:
        assert other.wait(60) == 0


def test_a_whole_server_for_a_while_leaves_nothing():
    """It is another one than that for all, may be killed and started, and goes with its folder."""
    with database.throwaway_cluster() as cluster:
        assert answer(cluster) == 42
        assert cluster.folder != database.server().folder
        cluster.kill()
        cluster.start()
        assert answer(cluster, "SHOW dynamic_shared_memory_type") == "mmap"  # none in /dev/shm, which outlives a kill
        socket = Path(cluster.conninfo()["host"])
    assert not cluster.running
    assert not cluster.folder.exists()
    assert not socket.exists()


@pytest.mark.parametrize("name", ["", "Shop", "a b", "x" * 41, "1a", "a;b", "a\n"])
def test_a_name_that_is_no_plain_word_is_refused(name):
    """Names of databases go into statements, addresses and roles."""
    with pytest.raises(ValueError, match="is no name for a database"):
        database.server().make_database(name)


def complaint(capfd, *command):
    """What `labkit db` complains of, in one line, with exit status 2."""
    assert cli.main(["db", *command]) == 2
    said = capfd.readouterr().err
    assert said.startswith("labkit: ")
    assert said.count("\n") == 1
    return said


@pytest.mark.given
@pytest.mark.parametrize(
    ("dsn", "said"),
    [
        ("nonsense", "LABKIT_DSN is no address of a database: write it like postgresql://"),
        ("postgresql://me:secret@127.0.0.1:1/shop", "Connection refused.*see whether the server of LABKIT_DSN runs"),
        ("postgresql://me:secret@/shop?host=/nowhere", "No such file.*see whether the server of LABKIT_DSN runs"),
    ],
)
def test_an_address_that_leads_nowhere_is_one_line(monkeypatch, capfd, dsn, said):
    """It says what is wrong with LABKIT_DSN, and never the password."""
    monkeypatch.setenv("LABKIT_DSN", dsn)
    for command in ("start", "url"):
        line = complaint(capfd, command)
        assert re.search(said, line), line
        assert "secret" not in line


def test_a_wrong_password_is_one_line(monkeypatch, capfd):
    """The server is there, and does not let us in."""
    with database.throwaway() as url:
        monkeypatch.setenv("LABKIT_DSN", url.replace(psycopg.conninfo.conninfo_to_dict(url)["password"], "wrong"))
        assert "password authentication failed" in complaint(capfd, "start")


def test_a_given_server_is_not_ours_to_stop_or_drop(monkeypatch, capfd):
    """LABKIT_DSN names somebody's server: what needs one of our own is left out by name."""
    with database.throwaway() as url:
        monkeypatch.setenv("LABKIT_DSN", url)
        assert cli.main(["db", "status"]) == 0
        assert "left out: killing a whole server" in capfd.readouterr().out
        for command in ("stop", "reset"):
            assert "is for the embedded server" in complaint(capfd, command)
        with pytest.raises(DatabaseError, match="needs the right CREATEDB"):
            database.server().make_database("mine")


def test_without_programs_the_next_step_is_named(home, monkeypatch, capfd):
    """An unusual machine, or a wrong LABKIT_PG_BIN."""
    monkeypatch.setenv("LABKIT_PG_BIN", str(home))
    assert "set LABKIT_PG_BIN to a folder that has them" in complaint(capfd, "start")
    monkeypatch.delenv("LABKIT_PG_BIN")
    monkeypatch.setattr(programs, "_in_wheel", list)
    monkeypatch.setattr(programs, "_of_system", list)
    assert "set LABKIT_DSN to a server" in complaint(capfd, "start")


def test_a_server_that_does_not_start_says_why(home, monkeypatch, capfd):
    """The reason is the server's own, from its log, and the log is named."""
    monkeypatch.setattr("labkit.database.cluster.PATIENCE", 0.0)
    assert cli.main(["db", "start"]) == 0
    assert cli.main(["db", "stop"]) == 0
    (home / "postgres" / "data" / "PG_VERSION").write_text("9.6\n")
    capfd.readouterr()
    assert "incompatible" in (said := complaint(capfd, "start"))
    assert str(home / "postgres" / "log") in said


def test_reset_asks_before_it_drops(home, monkeypatch, capfd):
    """Only "yes" drops, or --yes; anything else keeps everything."""
    assert cli.main(["db", "start"]) == 0
    database.server().make_database("shop")
    for said in ("", "no\n", "y\n"):
        monkeypatch.setattr("sys.stdin", io.StringIO(said))
        assert "nothing was dropped" in complaint(capfd, "reset")
    assert answer(database.server(), "SELECT count(*) FROM pg_database WHERE datname = 'shop'") == 1
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    assert cli.main(["db", "reset"]) == 0
    assert not database.server().running
    assert cli.main(["db", "start"]) == 0
    assert answer(database.server(), "SELECT count(*) FROM pg_database WHERE datname = 'shop'") == 0
    assert cli.main(["db", "reset", "--yes"]) == 0
    assert home.exists()


@pytest.mark.usefixtures("home")
def test_start_status_and_stop_by_command(capfd):
    """What `labkit db` says, and its exit status."""
    assert cli.main(["db", "status"]) == 1
    assert cli.main(["db", "start"]) == 0
    assert cli.main(["db", "status"]) == 0
    assert f"is running, process {database.server().pid}" in capfd.readouterr().out
    assert cli.main(["db", "url"]) == 0
    with psycopg.connect(capfd.readouterr().out.strip()) as connection:
        assert connection.execute("SELECT current_user, current_database()").fetchone() == ("lab", "lab")
    assert cli.main(["db", "stop"]) == 0
    assert cli.main(["db", "status"]) == 1
