"""Sixty submissions, three workers killed at twenty moments, the server killed twice: for `make long`."""

import random
import time
from threading import Thread

import pytest
from by_workers import Grading, submissions, workers

from labkit import database
from labkit.database import as_url

STUDENTS, WORKERS, KILLS = 60, 3, 20


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
    assert len(grading.coordinator.twice) >= len(twice)  # one may die before it has written that it has begun
