"""Sixty submissions, three workers killed at twenty moments, the server killed twice: for `make long`."""

import os
import random
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread

import psycopg
import pytest
from by_workers import Grading, submissions, without_password, workers
from own_class import RIGHT, WRONG, everything, hand_in, make_criteria

from labkit import database
from labkit.database import as_url
from labkit.grading.distributed.coordinator import TWICE

STUDENTS, WORKERS, KILLS = 60, 3, 20
LABKIT = Path(sys.executable).with_name("labkit")


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [25])
def test_whoever_is_killed_the_book_is_the_same_and_nobody_is_judged_thrice(tmp_path, seed):
    """Kills while first attempts still wait: behind them nobody is hit a second time. The asker is told of each."""
    chance, students = random.Random(seed), submissions(tmp_path / "criteria", STUDENTS)
    moments = sorted(chance.randrange(STUDENTS - KILLS - WORKERS) for _ in range(KILLS))
    outages = {moments[KILLS // 3], moments[2 * KILLS // 3]}
    with database.throwaway_cluster() as cluster:
        cluster.make_database("work")
        url = as_url(cluster.owner("work"))
        with workers(url, tmp_path, WORKERS, seconds=0.5) as judging:
            whole = Grading(url, tmp_path / "whole", tmp_path / "criteria").grade(students)
            assert set(judging.attempts().values()) == {1}
            judging.begun.unlink()
            grading = Grading(url, tmp_path / "out", tmp_path / "criteria")
            found = []
            asking = Thread(target=lambda: found.append(grading.grade(students)))
            asking.start()
            for moment in moments:
                while asking.is_alive() and len(judging.attempts()) < moment:
                    judging.keep(WORKERS)
                    time.sleep(0.05)
                time.sleep(chance.uniform(0, 0.5))
                if moment in outages:
                    outages.remove(moment)
                    cluster.kill()
                    cluster.start()
                judging.keep(WORKERS)
                judging.kill_one(chance)
            while asking.is_alive():
                judging.keep(WORKERS)
                asking.join(0.5)
            attempts = judging.attempts()
    twice = [each for each, number in attempts.items() if number > 1]
    print(f"{len(attempts)} submissions, {len(twice)} of them begun twice; said: {grading.said}")
    assert found == [whole]
    assert len(attempts) == STUDENTS
    assert twice
    assert max(attempts.values()) == 2
    (told,) = (each for each in grading.said if each.startswith(TWICE))
    assert told.count("student") >= len(twice)  # one may die before it has written that it has begun


class Judges:
    """Real workers, each with a log that says its name."""

    def __init__(self, dsn, password, folder):
        self.dsn, self.folder, self.living, self.number = dsn, folder, [], 0
        self.known = {**os.environ, "PGPASSWORD": password}

    def keep(self, number):
        """As many as that."""
        self.living = [each for each in self.living if each[0].poll() is None]
        while len(self.living) < number:
            self.number += 1
            log = self.folder / f"log {self.number}"
            with log.open("wb") as file:
                command = [LABKIT, "grade-worker", "--on", self.dsn]
                self.living.append((subprocess.Popen(command, env=self.known, stdout=file, stderr=file), log))

    def kill(self, name):
        """Kill the one of that name; whether it lived."""
        found = [process for process, log in self.living if f"Worker {name} on" in log.read_text()]
        for process in found:
            process.kill()
            process.wait()
        return bool(found)

    def grade(self):
        """Begin to grade the class."""
        command = [LABKIT, "grade", "class", "--criteria", "criteria", "--out", "on", "--on", self.dsn]
        with (self.folder / "told").open("ab") as told:
            return subprocess.Popen(command, env=self.known, cwd=self.folder, stdout=told, stderr=told)


@pytest.mark.timeout(3600)
def test_with_the_real_judge_the_book_is_that_of_one_machine_whoever_is_killed(tmp_path):
    """Two workers, killed at four first attempts, the server once, and whoever waits once: by the commands alone."""
    make_criteria(tmp_path / "criteria")
    for number in range(6):
        hand_in(tmp_path / "class", f"student {number}", f"{WRONG if number % 3 == 1 else RIGHT}# {number}\n")
    command = [LABKIT, "grade", "class", "--criteria", "criteria", "--out", "one"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, timeout=600)
    at_work = "SELECT id, worker FROM labkit_grading_1.job WHERE worker IS NOT NULL AND attempt = 1"
    with database.throwaway_cluster() as cluster:
        cluster.make_database("work")
        url = as_url(cluster.owner("work"))
        judges, killed = Judges(*without_password(url), tmp_path), set()
        asking = judges.grade()
        try:
            while len(killed) < 4 and asking.poll() is None:
                judges.keep(2)
                with suppress(psycopg.Error), psycopg.connect(url) as connection:
                    found = [row for row in connection.execute(at_work) if row[0] not in killed]
                    if found and judges.kill(found[0][1]):
                        killed.add(found[0][0])
                        if len(killed) == 2:
                            cluster.kill()
                            cluster.start()
                        if len(killed) == 3:
                            asking.kill()
                            asking.wait()
                            asking = judges.grade()
                time.sleep(0.02)
            while asking.poll() is None:
                judges.keep(2)
                time.sleep(0.2)
        finally:
            for process, _ in judges.living:
                process.kill()
                process.wait()
            asking.kill()
        with psycopg.connect(url) as connection:
            left = [connection.execute(f"TABLE labkit_grading_1.{name}").rowcount for name in ("job", "content")]
    told = (tmp_path / "told").read_text()
    assert len(killed) == 4, told
    assert everything(tmp_path / "on") == everything(tmp_path / "one"), told
    assert f"{TWICE}: " in told
    assert left == [0, 0]
