"""Writers that save and acknowledge while their server is killed at random, again and again."""

import random
import subprocess
import sys
import time

from labkit import database
from labkit.database import as_url
from labkit.postgres import PostgresStateStore, connect
from labkit.task import Task, TaskState

WRITER = """
import sys, time
from labkit.postgres import PostgresStateStore, connect
from labkit.store import NotFoundError, StoreError
from labkit.task import Task, TaskState

engine, task_id = connect(sys.argv[1]), sys.argv[2]
while True:
    try:
        store = PostgresStateStore(engine)
        task = store.get(Task, task_id)
        if task is None:
            task = store.insert(Task(id=task_id, user_input="go"))
        if task.state is TaskState.PENDING:
            task = store.save(task.to(TaskState.RUNNING))
        while True:
            task = store.save(task.finished(f"step {len(task.journal) % 50}", str(task.version)))
            print(task.version, flush=True)
    except StoreError:
        time.sleep(0.01)  # the server is down: read the task again when it is up
"""


def assert_no_acknowledged_save_is_lost(kills: int) -> None:
    """Four writers; what `save` returned is there after every SIGKILL, and start is all that is ever needed."""
    chance = random.Random(5)
    with database.throwaway_cluster() as cluster:
        cluster.make_database("work")
        url = as_url(cluster.owner("work"))
        command = [sys.executable, "-u", "-c", WRITER, url]
        writers = [subprocess.Popen([*command, f"task-{n}"], stdout=subprocess.PIPE, text=True) for n in range(4)]
        for _ in range(kills):
            time.sleep(chance.uniform(0.0, 0.5))
            cluster.kill()
            cluster.start()
        for writer in writers:
            writer.kill()
        store = PostgresStateStore(connect(url))
        for number, writer in enumerate(writers):
            acknowledged = [int(line) for line in writer.stdout.read().split()]
            assert len(acknowledged) > kills, "the workload did next to nothing"
            assert acknowledged == sorted(set(acknowledged))
            stored = store.get(Task, f"task-{number}")
            assert stored.state is TaskState.RUNNING
            assert stored.version >= acknowledged[-1], "an acknowledged save is lost"
