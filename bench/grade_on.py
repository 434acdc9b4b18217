"""What does it cost to grade a class by workers? Two of them beside `labkit grade --jobs 2`, in one run.

    python bench/grade_on.py [SUBMISSIONS]

20 solutions of exercise 2 by default, and a few, whose difference leaves starting up out. The aims: at most 1.15 of the
time of one machine, and less than 3% of the processor time for the queue. Processor time is that of all processes,
PostgreSQL included, counted by a control group, for which this must be root on Linux. The book must be the same.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
from figures import TRY, Figure, missing, tell
from grade import LABKIT, processor_time

SECONDS = 1200
FEW, WORKERS = 2 if TRY else 4, 2
SOLUTION = Path(__file__).parents[1] / "solutions" / "02_idempotency.ipynb"
READY = "waits for submissions"


def make_class(folder: Path, submissions: int) -> None:
    """So many who have handed in."""
    for number in range(submissions):
        path = folder / "class" / f"student{number}" / SOLUTION.name
        path.parent.mkdir(parents=True)
        shutil.copy(SOLUTION, path)


def grade(folder: Path, out: str, *more: str) -> None:
    """Grade it, and leave beside the book how many seconds it took, and of which processor."""
    command = [LABKIT, "grade", folder / "class", "--out", folder / out, *more]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    told = {"seconds": time.monotonic() - began, "coordinator": used}
    (folder / f"{out}.json").write_text(json.dumps(told))


def grade_by_workers(folder: Path, workers: int) -> None:
    """The same by so many workers, which are at work before it begins."""
    from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415

    from labkit import database  # noqa: PLC0415 - the process that only measures does not need it
    from labkit.database import as_url  # noqa: PLC0415

    out = f"by {workers}"
    with database.throwaway_cluster() as cluster, ExitStack() as ends:
        cluster.make_database("work")
        how = conninfo_to_dict(as_url(cluster.owner("work")))
        os.environ["PGPASSWORD"] = how.pop("password")
        dsn = make_conninfo(**how)
        for number in range(workers):
            log = ends.enter_context((folder / f"log {number}").open("w+"))
            process = subprocess.Popen([LABKIT, "grade-worker", "--on", dsn], stdout=log, stderr=log)
            ends.callback(process.wait)
            ends.callback(process.terminate)
        while any(READY not in (folder / f"log {number}").read_text() for number in range(workers)):
            time.sleep(0.2)
        before = server_time(cluster.pid)
        grade(folder, out, "--on", dsn)
        told = json.loads((folder / f"{out}.json").read_text())
        told["server"] = server_time(cluster.pid) - before
        (folder / f"{out}.json").write_text(json.dumps(told))


def server_time(pid: int) -> float:
    """Seconds of processor time that a server and its processes have taken."""
    server = psutil.Process(pid)
    times = [each.cpu_times() for each in (server, *server.children())]
    return sum(each.user + each.system for each in times) + times[0].children_user + times[0].children_system


def measured(folder: Path, submissions: int) -> dict[str, dict[str, float]]:
    """By how it was graded: seconds, and seconds of processor time, of all and of some."""
    make_class(folder, submissions)
    found = {}
    ways = {"here": ["here"], **{f"by {n}": ["workers", str(n)] for n in (1, WORKERS)}}
    for way, words in ways.items():
        used = processor_time([sys.executable, __file__, *words, str(folder)], Path(__file__).parent)
        found[way] = {**json.loads((folder / f"{way}.json").read_text()), "all": used}
    books = [{p.name: p.read_bytes() for p in (folder / way).rglob("*.*") if ".state" not in p.parts} for way in ways]
    if any(book != books[0] for book in books):
        sys.exit("the books are not the same")
    return found


def main(submissions: int) -> None:
    """Measure, and tell."""
    if sys.platform != "linux" or os.geteuid():
        missing("a class by workers", "only root on Linux can count the processor time of all that a command starts")
        return
    with tempfile.TemporaryDirectory() as few, tempfile.TemporaryDirectory() as many:
        less, more = measured(Path(few), FEW), measured(Path(many), submissions)
    each = {
        way: {what: (more[way][what] - less[way][what]) / (submissions - FEW) for what in more[way]} for way in more
    }
    names = {"by 1": "one worker", f"by {WORKERS}": "two workers", "here": "--jobs 2"}
    times, used = ({names[way]: [each[way][what]] for way in each} for what in ("seconds", "all"))
    limit = "each submission goes through the database, there and back"
    tell(Figure("time for a submission", "two workers", "--jobs 2", times, aim=1.15, limit=limit))
    tell(Figure("processor time for a submission", "two workers", "--jobs 2", used, aim=1.03, limit=limit))
    limit = "the coordinator and the database take their share of the same processors"
    tell(Figure("time for a submission", "two workers", "one worker", times, aim=0.5, limit=limit))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["here", folder]:
            grade(Path(folder), "here", "--jobs", str(WORKERS))
        case ["workers", number, folder]:
            grade_by_workers(Path(folder), int(number))
        case [number]:
            main(int(number))
        case _:
            main(4 if TRY else 20)
