"""What does the queue of a grading cost by itself, for each submission? Judged at once, by the text of the answer.

    python bench/grade_on_costs.py [SUBMISSIONS]

A class of 200 by one worker whose judge does nothing. Processor time of the coordinator, of the worker and of
PostgreSQL, transactions, and what reading takes; for which this must be root on Linux. `bench/scale.py` reckons with
these.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from figures import TRY, Figure, missing, tell
from grade import processor_time

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from by_workers import Grading, Workers, reached, submissions
from own_class import RIGHT, hand_in

from labkit import database
from labkit.grading.distributed import engine

TRANSACTIONS = "SELECT sum(xact_commit)::int FROM pg_stat_database"

IDLE = 20.0
"""Seconds for which a worker is watched that has nothing to do."""


def server_time(pid: int) -> float:
    """Seconds of processor time that a server and its processes have taken."""
    server = psutil.Process(pid)
    times = [each.cpu_times() for each in (server, *server.children())]
    return sum(each.user + each.system for each in times) + times[0].children_user + times[0].children_system


def main(number: int) -> None:
    """Measure, and tell."""
    if sys.platform != "linux" or os.geteuid():
        missing("the queue's own cost", "only root on Linux can count the processor time of all that a command starts")
        return
    with tempfile.TemporaryDirectory() as name, database.throwaway_cluster() as cluster:
        where = Path(name)
        cluster.make_database("work")
        url = database.as_url(cluster.owner("work"))
        students = submissions(where / "criteria", number)
        workers = Workers(url, where, seconds=0)
        process = psutil.Process(workers.start().pid)
        Grading(url, where / "few", where / "criteria").grade(students[:5])
        grading = Grading(url, where / "out", where / "criteria")
        with cluster.connect(**cluster.conninfo()) as admin:
            before = admin.execute(TRANSACTIONS).fetchone()[0], server_time(cluster.pid), sum(process.cpu_times()[:2])
            began, ours = time.monotonic(), time.process_time()
            grading.grade(students)
            took, ours = time.monotonic() - began, time.process_time() - ours
            time.sleep(1.5)  # the server counts what has ended
            after = admin.execute(TRANSACTIONS).fetchone()[0], server_time(cluster.pid), sum(process.cpu_times()[:2])
            commits, server, theirs = (now - then for now, then in zip(after, before, strict=True))
        looks = idle(url, lambda: (server_time(cluster.pid), sum(process.cpu_times()[:2])))
        workers.end()
        read = (reading(where, 45) - reading(where, 5)) / 40
    tell(Figure("a class by one worker", rounds={"labkit": [number / took]}, unit="submissions per second"))
    shares = {"coordinator": ours, "worker": theirs, "PostgreSQL": server}
    for who, seconds in shares.items():
        tell(Figure(f"processor time of the {who} for a submission", rounds={"labkit": [seconds / number]}))
    for who, seconds in zip(("PostgreSQL", "worker"), looks, strict=True):
        tell(Figure(f"processor time of the {who} for a look into the queue", rounds={"labkit": [seconds]}))
    tell(Figure("transactions for a submission", rounds={"labkit": [commits / number]}, unit="transactions"))
    tell(Figure("reading a submission", rounds={"labkit": [read]}))


def idle(url: str, used: Callable[[], tuple[float, float]]) -> list[float]:
    """What each look of an idle worker takes, in the pace of one that is waited for."""
    client = engine.client(reached(url))
    engine.set_pace(client, engine.BUSY)
    time.sleep(2 * engine.IDLE)
    before = used()
    time.sleep(IDLE)
    client.destroy()
    return [(now - then) / (IDLE / engine.BUSY) for now, then in zip(used(), before, strict=True)]


def reading(where: Path, number: int) -> float:
    """Seconds of processor time to read a class of so many."""
    for each in range(number):
        hand_in(where / f"class {number}", f"student {each}", RIGHT)
    program = f"from pathlib import Path; from labkit.grading.gradebook.book import Book; where = Path({str(where)!r});"
    program += f"Book(where / 'none', where / 'criteria').students(where / 'class {number}')"
    return processor_time([sys.executable, "-c", program], where)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10 if TRY else 200)
