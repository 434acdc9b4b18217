"""How fast does the embedded server start? As a ratio to its own programs, used by hand.

    python bench/database.py

Cold: a cluster is made and started, against initdb and pg_ctl with the same options, side by side: the limit is 1.2.
Warm: a stopped cluster is started; the aim is 0.3 s.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from timeit import timeit

from figures import Took, beside, interleaved

from labkit.database import Cluster, programs


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


def raw() -> Took:
    """Seconds of a cluster that is made and started by hand."""
    with empty_folder() as folder:
        took = timeit(lambda: by_hand(folder), number=1)
        run(programs.find() / "pg_ctl", "-D", folder / "data", "-m", "fast", "stop")
    return Took(took)


def cold() -> Took:
    """Seconds of one that labkit makes and starts."""
    with empty_folder() as folder:
        return started(Cluster(folder / "postgres", folder))


def started(cluster: Cluster) -> Took:
    """Seconds until it has started; then it is stopped."""
    took = timeit(cluster.start, number=1)
    cluster.stop()
    return Took(took)


def main() -> None:
    """Measure and tell."""
    with ExitStack() as stack:
        folder = stack.enter_context(empty_folder())
        stopped = Cluster(folder / "postgres", folder)
        ways = {"cold": cold, "initdb and pg_ctl": raw, "warm": lambda: started(stopped)}
        rounds = interleaved(ways, turns=2)
    beside("make and start a server", rounds, "cold", "initdb and pg_ctl", aim=1.2)
    beside("start a stopped server", rounds, "warm", aim=0.3)


if __name__ == "__main__":
    main()
