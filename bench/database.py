"""How fast does the embedded server start? As a ratio to its own programs, used by hand.

    python bench/database.py

Cold: a cluster is made and started, against initdb and pg_ctl with the same options, side by side. What counts is the
ratio of the medians; the limit is 1.2. Warm: a stopped cluster is started; the aim is 0.3 s.
"""

import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from timeit import timeit

from labkit.database import Cluster, programs

ROUNDS = 9


@contextmanager
def empty_folder() -> Iterator[Path]:
    """A folder that the server's user may write into."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o711)
    programs.give_to_server(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def by_hand(folder: Path) -> None:
    """Initdb, two settings, pg_ctl start."""
    data, password, here = folder / "data", folder / "given", programs.find()
    password.write_text("secret")
    run(
        here / "initdb",
        "-D",
        data,
        "-U",
        "postgres",
        f"--pwfile={password}",
        "-A",
        "scram-sha-256",
        "-E",
        "UTF8",
        "--no-locale",
    )
    (data / "postgresql.auto.conf").write_text(f"listen_addresses = ''\nunix_socket_directories = '{folder}'\n")
    run(here / "pg_ctl", "-D", data, "-l", folder / "log", "-w", "start")


def run(*command: str | Path) -> None:
    """One of the server's programs, as the server's user."""
    subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, **programs.server_user())


def main() -> None:
    """Measure and print."""
    raw, cold, warm = [], [], []
    for _ in range(ROUNDS):
        with empty_folder() as folder:
            raw.append(timeit(lambda folder=folder: by_hand(folder), number=1))
            run(programs.find() / "pg_ctl", "-D", folder / "data", "-m", "fast", "stop")
        with empty_folder() as folder:
            cluster = Cluster(folder / "postgres", folder)
            cold.append(timeit(cluster.start, number=1))
            cluster.stop()
            warm.append(timeit(cluster.start, number=1))
            cluster.stop()
    ratio = statistics.median(cold) / statistics.median(raw)
    print(f"cold {statistics.median(cold):.2f} s, by hand {statistics.median(raw):.2f} s: ratio {ratio:.2f}")
    print(f"warm {statistics.median(warm):.2f} s")


if __name__ == "__main__":
    main()
