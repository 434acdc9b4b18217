"""Grading in the sandbox: nothing that a student's code does reaches the marks, the machine, or anybody else.

It needs Linux with namespaces and Landlock, and fails without them: there nobody should grade strangers' code.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from answers.hostile import answer
from attacked import UNAPART, as_nobody, attackers, informed_attackers, two_cases
from own_class import RIGHT, cell, cells, everything, hand_in, make_criteria, notebook

from labkit.grading.gradebook.book import Book
from labkit.grading.gradebook.exports import write_all
from labkit.grading.judge.criteria import exercises, read_submission
from labkit.grading.judge.judge import Status, judge
from labkit.grading.run_through.attempt import Attempt, checks, rebuilt
from labkit.grading.sandbox import guarantees
from labkit.grading.sandbox.room import Room
from labkit.grading.sandbox.warm import Servers
from labkit.isolation.process import processors
from labkit.isolation.removal import remove
from labkit.repository import root

LABKIT = Path(sys.executable).with_name("labkit")
SHARED = Path("/dev/shm")  # noqa: S108 - where crash labs have their folders
HARMLESS_TO_RUN = ("leaves at once", "an honest wrong answer", "a detached child", "terminal codes and HTML")
"""Attacks whose notebooks are also run: the others take a minute each, and reach the same sandbox."""


@pytest.fixture
def where():
    """A folder that any user can reach, with a canary: a folder that everybody may write, if only they get there."""
    folder = Path(tempfile.mkdtemp(prefix="labkit-grade-", dir="/var/tmp"))
    folder.chmod(0o755)
    canary = folder / "canary"
    canary.mkdir()
    canary.chmod(0o777)
    (canary / "secret").write_text("SECRET")
    yield folder
    remove(folder)


def passed(grade):
    """The cases that a grade has marks for."""
    return {verdict.case for verdict in grade.results[0].verdicts if verdict.status is Status.PASS}


def test_the_machine_can_isolate():
    """Else nothing below says anything."""
    assert guarantees.missing() == []


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_who_attacks_gets_no_more_than_an_honest_wrong_answer_and_reaches_nothing(where, monkeypatch, subtests):
    """A class of attackers: their marks, what they read and wrote, whom they reached, what they left running."""
    monkeypatch.setenv("LABKIT_TEST", "SECRET")
    book = Book(where / "out", two_cases(where / "criteria"), run_notebooks=False)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        attackers(where, listener.getsockname()[1])
        found = book.grade(book.students(where / "class"), jobs=processors())
        with pytest.raises(BlockingIOError):
            listener.accept()
    write_all(where / "out", found, [], [])
    grades = {grade.student: grade for grade in found}
    honest = passed(grades["an honest wrong answer"])
    assert honest == {"returns_value"}
    for attack, grade in grades.items():
        with subtests.test(attack):
            assert passed(grade) <= honest
            assert len(grade.results[0].verdicts) == 2
    assert [path.name for path in (where / "canary").iterdir()] == ["secret"]
    assert strangers() == []
    for name, data in everything(where / "out").items():
        assert b"SECRET" not in data, name
        assert b"all marks" not in data, name
        assert b"\x1b" not in data, name
        assert b"<script>" not in data or name.endswith((".json", ".csv")), name


@pytest.mark.timeout(1800)
def test_who_attacks_with_the_design_in_hand_gets_nothing_either(where, monkeypatch, subtests):
    """A class of them: the honest have what is theirs; nothing was read, reached, left running or left behind."""
    before = {*SHARED.glob("labkit-*")}
    monkeypatch.setattr("labkit.grading.gradebook.student.SECONDS", 20.0)
    book = Book(where / "out", make_criteria(where / "criteria"), run_notebooks=False)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0labkit-test-{os.getpid()}")
        listener.listen()
        listener.settimeout(0)
        others = informed_attackers(where, os.getpid())
        found = book.grade(book.students(where / "class"), jobs=processors())
        with pytest.raises(BlockingIOError):
            listener.accept()
    write_all(where / "out", found, [], [])
    grades = {grade.student: grade for grade in found}
    assert grades["honest right"].total.got == 3
    assert {grades[each].status for each in ("honest right", "honest wrong")} == {"graded"}
    assert len(grades) == len(list((where / "class").iterdir()))
    for name, grade in grades.items():
        with subtests.test(name):
            assert grade.total.got == 0 or name in {*others, "honest right"}
    assert [path.name for path in (where / "canary").iterdir()] == ["secret"]
    assert strangers() == []
    left = {*SHARED.glob("labkit-*")} - before
    assert [path for path in left if path.stat().st_uid >= guarantees.FIRST_USER] == []
    for name, data in everything(where / "out").items():
        for word in (b"REACHED", b"SECRET", b"\x1b", "\u202e".encode()):
            assert word not in data, name


def strangers():
    """Processes of students' users that still run."""
    users = range(guarantees.FIRST_USER, guarantees.FIRST_USER + 100)
    found = [process for process in psutil.process_iter(["uids", "status"]) if process.info["uids"].real in users]
    return [process for process in found if process.info["status"] != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("attack", HARMLESS_TO_RUN)
def test_a_notebook_that_attacks_is_told_about_and_costs_nothing(where, attack):
    """Its cells are named that did not run, and the kernel's death within seconds."""
    exercise = exercises()["03_backoff"]
    path = root() / "solutions" / "03_backoff.ipynb"
    submission = read_submission(exercise, path)
    submission.answers["full_jitter"] = answer(attack, CANARY=str(where / "canary"))
    result = judge(exercise, submission, [])
    attempt = Attempt({exercise.stem: rebuilt(exercise, submission)}, {exercise.stem: checks(exercise, result)})
    with closing(Servers()) as servers:
        told = attempt.run(Room(7), servers)
    expected = {
        "leaves at once": ["the kernel died in this cell"],
        "terminal codes and HTML": ["ValueError: <script>alert(1)</script></dl><b>100 of 100 marks</b>"],
    }
    assert [line.partition(": ")[2] for line in told] == expected.get(attack, [])
    assert not (where / "canary" / "late").exists()


@pytest.fixture
def own(where):
    """A class with an exercise of the instructor's own."""
    folder = Path(tempfile.mkdtemp(dir=where))
    folder.chmod(0o777)
    make_criteria(folder / "criteria")
    return folder


def grade(folder, *before, out="out", more=(), program=(LABKIT,)):
    """Run `labkit grade` on it; what it printed."""
    command = [*before, *program, "grade", folder / "class", "--out", folder / out, "--criteria", folder / "criteria"]
    command += more
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


PRYING = {
    "files": f"print(open({str(root() / 'exercises' / 'criteria.toml')!r}).read())",
    "network": "import socket; socket.create_connection(('192.0.2.1', 80), 2)",
    "other sockets": "import socket; socket.socket(socket.AF_UNIX).connect('LISTENER')",
    "processes": "import os; assert [int(name) for name in os.listdir('/proc') if name.isdigit()] != []",
    "signals": "import ctypes; libc = ctypes.CDLL(None); assert libc.kill(libc.getppid(), 0) == 0",
    "memory": "hoard = bytearray(2**33)",
    "judge": "print(open('CRITERIA').read())",
    "rights": "import ctypes; assert ctypes.CDLL(None).unshare(0x00020000) == 0",
    "keyrings": "import ctypes; assert ctypes.CDLL(None).syscall(248, b'user', b'mine', b'answer', 6, -3) > 0",
    "IPC": "import ctypes; assert ctypes.CDLL(None).shmget(7, 4096, 0o1600) >= 0",
    "processors": "import os; os.sched_setaffinity(0, range(os.cpu_count()))",
    "limits": "import os, resource; resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)",
}
"""Each fails where it is kept from what it tries, and so costs the answer its marks."""


@pytest.fixture
def prying(own):
    """A class that pries, and one who is right."""
    with socket.socket(socket.AF_UNIX) as listener:
        path = own / "listener"
        listener.bind(str(path))
        listener.listen()
        path.chmod(0o777)
        criteria = own / "criteria" / "criteria" / "90_double.py"
        for what, code in PRYING.items():
            prying = code.replace("CRITERIA", str(criteria)).replace("LISTENER", str(path))
            hand_in(own / "class", what, RIGHT.replace("\n", f"\n{prying}\n", 1))
        hand_in(own / "class", "right", RIGHT)
        yield own


def marks(printed):
    """By student, as printed."""
    return dict(line.split(": ") for line in printed.splitlines() if " of " in line)


def test_an_ordinary_user_can_grade_as_safely_as_root(prying):
    """The same verdicts, and every guarantee but that of a user of its own."""
    as_root, said = grade(prying, more=["--marks-only"])
    assert said.count("enforced by") == len(guarantees.guarantees())
    out = "out of nobody"
    by_nobody, said = grade(prying, *as_nobody(prying), out=out, more=["--marks-only"])
    assert "user: NOT ENFORCED" in said
    assert said.count("enforced by") == len(guarantees.guarantees()) - 1
    assert by_nobody == as_root.replace(f"{prying / 'out'}:", f"{prying / out}:")
    found = marks(as_root)
    assert found.pop("right") == "3 of 3"
    assert set(found.values()) == {"0 of 3"}


def test_where_there_are_no_namespaces_it_says_what_is_left_and_keeps_it(prying):
    """Files, TCP, memory and signals are closed all the same, and what is left running is ended. Notebooks run."""
    late = prying / "late"
    left = f"import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(3)\n    open({str(late)!r}, 'w')"
    hand_in(prying / "class", "detached", RIGHT.replace("\n", f"\n{left}\n", 1))
    printed, said = grade(prying, *as_nobody(prying), program=(sys.executable, "-P", "-c", UNAPART))
    assert "network: enforced by Landlock, for TCP; NOT for other sockets" in said
    assert "processes: enforced by a subreaper" in said
    found = marks(printed)
    assert found.pop("right") == "3 of 3"
    assert found.pop("other sockets") == "3 of 3"
    assert set(found.values()) == {"0 of 3"}
    runs = json.loads((prying / "out" / "results" / "right.json").read_text())["runs"]
    assert runs == []
    time.sleep(4)
    assert not late.exists()


def test_who_interrupts_a_grading_waits_for_nobody(own):
    """Not for an answer that never ends; afterwards nothing is left, and no verdict that is none."""
    hand_in(own / "class", "endless", RIGHT.replace("\n", "\nwhile True: pass\n", 1))
    command = [LABKIT, "grade", own / "class", "--out", own / "out", "--criteria", own / "criteria"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        while process.poll() is None and not [*(own / "out").glob(".state/task/*.json")]:
            time.sleep(0.1)
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in said
    (task,) = (own / "out" / ".state" / "task").glob("*.json")
    assert json.loads(task.read_text())["record"]["journal"] == {}


@pytest.mark.long
def test_check_cells_say_what_plain_nbval_says(own):
    """On an honest notebook: a student can run what the instructor runs."""
    submission_cells = cells(RIGHT.replace("2 * number", "2 * number + (number == 0)"))
    path = own / "90_double.ipynb"
    path.write_text(json.dumps(notebook(*submission_cells)))
    exercise = exercises(own / "criteria")["90_double"]
    submission = read_submission(exercise, path)
    found = checks(exercise, judge(exercise, submission, exercise.cases))
    assert {check.name: check.status for check in found.values()} == {"90.doubles": "PASS", "90_double": "FAIL"}
    solution = root() / "solutions" / "03_backoff.ipynb"
    command = [sys.executable, "-m", "pytest", "-q", "--nbval-lax", "--nbval-current-env", "--noconftest"]
    wrong = json.loads(solution.read_text())
    for each in wrong["cells"]:
        if "".join(each["source"]).startswith("# answer: full_jitter"):
            each["source"] = answer("an honest wrong answer")
    (own / "03_backoff.ipynb").write_text(json.dumps(wrong))
    plain = subprocess.run(
        [*command, "-p", "no:cacheprovider", "03_backoff.ipynb"], cwd=own, capture_output=True, text=True, check=False
    ).stdout
    chapter = exercises()["03_backoff"]
    submission = read_submission(chapter, own / "03_backoff.ipynb")
    judged = checks(chapter, judge(chapter, submission, chapter.cases))
    code = [each for each in wrong["cells"] if each["cell_type"] == "code"]
    unmet = [each for each in code if each["id"] in judged and judged[each["id"]].status != "PASS"]
    expected = {f"Cell {code.index(each)}" for each in unmet}
    failed = {line.split("::")[1].split(" - ")[0] for line in plain.splitlines() if line.startswith("FAILED")}
    assert failed == expected
    assert len(expected) == 2


def test_every_guarantee_of_the_database_holds(own):
    """A submission has databases of its own, and no others; afterwards they are gone."""
    toml = own / "criteria" / "criteria.toml"
    toml.write_text(toml.read_text().replace('title = "Twice', 'database = true\ntitle = "Twice', 1))
    body = """# answer: double
import psycopg
from labkit import database


def double(number):
    with psycopg.connect(database.url(), autocommit=True) as connection:
        tried = ["CREATE DATABASE more", "CREATE ROLE more", "COPY (SELECT 1) TO PROGRAM 'true'"]
        tried += ["SELECT pg_read_file('postgresql.conf')", "SET ROLE postgres", "DROP DATABASE postgres"]
        for statement in tried:
            try:
                connection.execute(statement)
            except psycopg.Error:
                continue
            return statement
        open_to_us = "SELECT datname FROM pg_database WHERE datallowconn AND has_database_privilege(datname, 'CONNECT')"
        names = {name.partition("_labkit_scratch_")[0] for name, in connection.execute(open_to_us)}
        return 2 * number if len(names) == 1 else sorted(names)
"""
    hand_in(own / "class", "right", body)
    printed, _ = grade(own)
    assert printed.startswith("right: 3 of 3"), json.loads(everything(own / "out")["results/right.json"])["results"]


def test_a_cell_in_a_student_notebook_that_is_no_answer_is_never_run(own):
    """The notebook that is run is the instructor's, with the answers in it."""
    path = hand_in(own / "class", "eve", RIGHT)
    evil = cell("evil", f"open({str(own / 'evil')!r}, 'w')", metadata={"tags": ["given"]})
    path.write_text(json.dumps(notebook(evil, *cells(RIGHT), evil)))
    assert grade(own)[0].startswith("eve: 3 of 3")
    assert not (own / "evil").exists()
