"""Gives a dead worker's job back to the queue, by a short process under its name.

DBOS recovers what an executor has left when one of the same name and version is launched. So this process takes the
dead one's slot, launches, takes nothing from the queue, and ends when nothing of that name is left. The place comes in
by standard input: it has a password.
"""

import json
import os
import subprocess
import sys
import time

import psycopg

from labkit.grading.afar import slots
from labkit.grading.afar.place import Place
from labkit.isolation.process import LIBC, PR_SET_PDEATHSIG

LEFT = """SELECT DISTINCT executor_id FROM labkit_grading_dbos.workflow_status
    WHERE status = 'PENDING' AND application_version = %s AND executor_id IS NOT NULL"""
PATIENCE = 60
"""Seconds."""
_at_it: list[subprocess.Popen[bytes]] = []


def adopt_dead(place: Place, connection: psycopg.Connection, version: str) -> None:
    """Begin to adopt what the dead of this version have left, unless we are at it."""
    _at_it[:] = [each for each in _at_it if each.poll() is None]
    if _at_it or not (dead := left_by_dead(connection, version)):
        return
    command = [sys.executable, "-P", "-m", "labkit.grading.afar.adopting", dead[0], version]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _at_it.append(process)
    process.stdin.write(json.dumps(place.how).encode())
    process.stdin.close()


def left_by_dead(connection: psycopg.Connection, version: str) -> list[str]:
    """The executors that have begun something, and hold no slot."""
    found = [name for (name,) in connection.execute(LEFT, [version])]
    living = slots.living(connection)
    return [name for name in sorted(found) if slots.lock(name) not in living]


def main(executor: str, version: str) -> None:
    """Be that executor until nothing is left of it. Nothing is done if somebody else is."""
    if LIBC:
        LIBC.prctl(PR_SET_PDEATHSIG, 9)
    place = Place(json.load(sys.stdin))
    with place.connect() as connection:
        if slots.take_named(connection, executor):
            from labkit.grading.afar import engine  # noqa: PLC0415 - it takes two seconds; most need not wait

            engine.launch(place, executor, version, lambda *_: None, work=False)
            end = time.monotonic() + PATIENCE
            left = f"{LEFT} AND executor_id = %s"
            while connection.execute(left, [version, executor]).fetchone() and time.monotonic() < end:
                time.sleep(0.1)
            os._exit(0)  # its threads have nothing to end


if __name__ == "__main__":
    main(*sys.argv[1:])
