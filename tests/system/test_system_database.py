"""A full disk, and the same suite against a server that was given."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from labkit import database
from labkit.database import Cluster, as_url
from labkit.postgres import PostgresStateStore, connect
from labkit.task import Task, TaskState


def test_a_full_disk_is_one_line_and_loses_nothing():
    """The server's disk is full: saves are refused with the next step, the old state is there, and goes on later."""
    if os.geteuid() != 0:
        pytest.skip("NOT CHECKED: only root can make a small disk")
    folder = Path(tempfile.mkdtemp())
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128m,mode=0755", "labkit", folder], check=True)
    cluster = Cluster(folder / "postgres", folder)
    try:
        cluster.start()
        cluster.make_database("work")
        store = PostgresStateStore(connect(as_url(cluster.owner("work"))))
        task = store.insert(Task(id="a", user_input="x"))
        litter = folder / "litter"
        with litter.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):  # noqa: PT012 - how small the disk is, it must find out
            while True:
                file.write(bytes(2**20))
        with pytest.raises(Exception, match="disk is full") as caught:  # noqa: PT012 - some pages are free already
            for number in range(10_000):
                store.insert(Task(id=f"b{number}", user_input="x" * 5000))
        assert "\n" not in str(caught.value)
        assert store.get(Task, "a") == task
        litter.unlink()
        cluster.start()
        assert store.save(task.to(TaskState.RUNNING)).version == 2
    finally:
        cluster.kill()
        subprocess.run(["umount", "--lazy", folder], check=True)
        shutil.rmtree(folder)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_suite_passes_against_a_given_server():
    """LABKIT_DSN: the same tests; what is about the embedded server is left out by name."""
    tests = Path(__file__).parents[1]
    found = (tests.rglob(f"test_{name}.py") for name in ("database", "postgres", "claims", "checkpoints", "crash_sql"))
    files = [path for paths in found for path in paths]
    with database.throwaway_cluster() as cluster:
        environment = {**os.environ, "LABKIT_DSN": as_url(cluster.conninfo())}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tests.parent)
        assert done.returncode == 0, done.stdout[-3000:]
        assert "passed" in done.stdout
        assert "NOT CHECKED with LABKIT_DSN" in done.stdout
