"""`labkit db`: the embedded server, or what can be said of another one."""

import argparse
import sys
from typing import Any

from labkit.repository import UsageError


def start(arguments: argparse.Namespace) -> int:
    """Start the embedded server, or see whether the one in LABKIT_DSN answers."""
    from labkit import database  # noqa: PLC0415 - `labkit --help` must not wait for the driver

    database.server().start()
    return status(arguments)


def status(arguments: argparse.Namespace) -> int:  # noqa: ARG001 - all commands take them
    """Say whether the server runs, and which one it is; 1 if it does not."""
    from labkit import database  # noqa: PLC0415 - as above

    server = database.server()
    print(server.status())
    return int(not server.running)


def stop(arguments: argparse.Namespace) -> int:
    """Stop the embedded server; what it keeps stays."""
    _embedded("stop").stop()
    status(arguments)
    return 0


def url(arguments: argparse.Namespace) -> int:  # noqa: ARG001 - all commands take them
    """Print the address of the notebooks' database, with its password."""
    from labkit import database  # noqa: PLC0415 - as above

    print(database.url())
    return 0


def reset(arguments: argparse.Namespace) -> int:
    """Drop the embedded server with all its databases, after asking."""
    cluster = _embedded("reset")
    if not arguments.yes:
        print(f"This drops every database of the lab, in {cluster.folder}. Type yes to go on: ", end="", flush=True)
        if sys.stdin.readline().strip().lower() != "yes":
            raise UsageError("nothing was dropped; `labkit db reset --yes` does not ask")
    cluster.remove()
    print("Dropped. `labkit db start` makes a new one.")
    return 0


def _embedded(command: str) -> Any:
    from labkit import database  # noqa: PLC0415 - as above

    server = database.server()
    if not isinstance(server, database.Cluster):
        raise UsageError(
            f"`labkit db {command}` is for the embedded server; LABKIT_DSN names another, which is not ours"
        )
    return server
