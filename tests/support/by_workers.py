"""A class of students with their answers, workers that judge them at once, and a grading by these, in this process."""

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from own_class import RIGHT, WRONG, everything, make_criteria
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from labkit.grading.distributed.coordinator import Coordinator
from labkit.grading.distributed.database import ALIVE, Database
from labkit.grading.distributed.jobs import Jobs
from labkit.grading.gradebook.book import Book
from labkit.grading.gradebook.exports import write_all
from labkit.grading.gradebook.student import Student
from labkit.grading.judge.criteria import exercises
from labkit.grading.notebook.submission import Submission

PROGRAM = Path(__file__).with_name("stand_in_worker.py")
DEADLY = "# it kills whoever judges it"
CUT_OFF = """SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
"""Ends the connections that hold leases in a database."""


def reached(url: str) -> Database:
    """The database of a URL that has a password."""
    return Database({**ALIVE, **conninfo_to_dict(url)})


def without_password(url: str) -> tuple[str, str]:
    """What a command may be told of it, and its password."""
    how = conninfo_to_dict(url)
    password = how.pop("password")
    return make_conninfo(**how), password


def submissions(folder: Path, number: int, deadly: int = 0) -> list[Student]:
    """So many students, each right or wrong; the first `deadly` ones kill their workers."""
    known = exercises(folder if (folder / "criteria.toml").exists() else make_criteria(folder))
    students = []
    for each in range(number):
        answer = f"{WRONG if each % 3 == 1 else RIGHT}# {each}\n{DEADLY if each < deadly else ''}"
        students.append(Student(f"student {each:02d}", {"90_double": Submission({"double": answer})}, [], known))
    return students


class Workers:
    """Processes of workers, and what they have begun."""

    def __init__(self, url: str, folder: Path, seconds: float = 0.1) -> None:
        self.begun, self._url, self._seconds = folder / "begun", url, seconds
        self._log = (folder / "log").open("ab")
        self.living: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        """One more."""
        dsn, password = without_password(self._url)
        environment = {**os.environ, "LABKIT_HOME": tempfile.gettempdir(), "PGPASSWORD": password}
        command = [sys.executable, str(PROGRAM), dsn, str(self.begun), str(self._seconds), DEADLY]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": self._log, "stderr": self._log}
        self.living.append(subprocess.Popen(command, env=environment, **quiet))
        return self.living[-1]

    def keep(self, number: int) -> None:
        """As many as that, in place of those that have ended."""
        self.living = [each for each in self.living if each.poll() is None]
        while len(self.living) < number:
            self.start()

    def attempts(self) -> dict[str, int]:
        """How often each submission was begun."""
        steps = [line.partition(" ")[2] for line in self._lines()]
        return {step: steps.count(step) for step in steps}

    def kill_one(self, chance: random.Random) -> None:
        """Kill one that lives, if possible one that has begun something."""
        busy = {int(line.partition(" ")[0]) for line in self._lines()[-2 * len(self.living) :]}
        chosen = chance.choice([each for each in self.living if each.pid in busy] or self.living)
        self.living.remove(chosen)
        chosen.kill()
        chosen.wait()

    def _lines(self) -> list[str]:
        return self.begun.read_text().split("\n")[:-1] if self.begun.exists() else []

    def end(self) -> None:
        """Kill them all."""
        for each in self.living:
            each.kill()
            each.wait()
        self._log.close()


@contextmanager
def workers(url: str, folder: Path, number: int = 1, seconds: float = 0.1) -> Iterator[Workers]:
    """So many workers for a while."""
    found = Workers(url, folder, seconds)
    try:
        found.keep(number)
        yield found
    finally:
        found.end()


class Grading:
    """One `labkit grade --on`, in this process."""

    def __init__(self, url: str, out: Path, criteria: Path, *, again: bool = False) -> None:
        self.said: list[str] = []
        self.done: list[str] = []
        self.book = Book(out, criteria, run_notebooks=False)
        self.jobs = Jobs(reached(url), self.said.append)
        self.coordinator = Coordinator(self.book, self.jobs, self.done.append, self.said.append, again=again)

    def grade(self, students: list[Student]) -> dict[str, bytes]:
        """Grade them; what is written for people."""
        with closing(self.jobs):
            self.enforced = self.coordinator.grade(students)
        write_all(self.book.out, self.book.grades(self.book.rows()), self.enforced or [], [])
        return everything(self.book.out)
