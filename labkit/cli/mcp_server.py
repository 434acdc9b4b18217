"""`labkit mcp`: shared states for any MCP client."""

import argparse
import getpass
from contextlib import suppress
from pathlib import Path
from typing import Any

from labkit.repository import UsageError

EXAMPLE = """\
For example: labkit mcp --folder ~/states --as ada: an editor or an assistant starts that itself, and speaks with it
over stdio. For several agents at once, each with its token: labkit mcp --tokens ~/tokens --issue ada/agent-b, and then
labkit mcp --folder ~/states --tokens ~/tokens --http 8765
"""
ADDRESS = "postgresql://user:password@host/database"
DRIVERS = ("postgresql", "postgresql+psycopg")


def add_to(command: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = command.add_argument
    add("--folder", metavar="DIR", type=Path, help="states in files, in this folder, which is made if need be")
    add("--dsn", metavar="URL", help=f"states in this PostgreSQL: {ADDRESS}")
    add("--as", metavar="OWNER", dest="owner", help="over stdio: whose states; default: the name of your account")
    add("--http", metavar="PORT", type=port, help="over HTTP at this port of this machine; 0: any that is free")
    add("--tokens", metavar="FILE", type=Path, help="with --http: who may come, and whose states they see")
    add("--issue", metavar="OWNER/AGENT", help="print a new token for this agent, add its digest to FILE, and end")


def run(arguments: argparse.Namespace) -> int:
    """Serve until the client or the user ends it."""
    if arguments.issue is not None:
        return _issue(arguments)
    if (arguments.folder is None) == (arguments.dsn is None):
        raise UsageError("say where the states are: --folder DIR, or --dsn URL; one of the two")
    if arguments.http is None:
        return _over_stdio(arguments)
    return _over_http(arguments)


def _over_stdio(arguments: argparse.Namespace) -> int:
    from labkit.mcp_state import serving, states  # noqa: PLC0415 - `labkit --help` must not wait for it

    if arguments.tokens:
        raise UsageError("--tokens is for HTTP: over stdio, say whose states with --as OWNER, or add --http PORT")
    owner = arguments.owner or getpass.getuser()
    if not states.NAME.fullmatch(owner):
        raise UsageError(f"{owner!r} cannot own states: --as OWNER, 1 to 64 of a-z, 0-9, - and _")
    with suppress(BrokenPipeError):  # a client that has gone
        serving.serve_stdio(_store(arguments), owner)
    return 0


def _over_http(arguments: argparse.Namespace) -> int:
    from labkit.mcp_state import serving  # noqa: PLC0415 - as above

    if arguments.owner or not arguments.tokens:
        raise UsageError("over HTTP a token says who comes: --tokens FILE, made by --issue OWNER/AGENT, and no --as")
    serving.serve_http(_store(arguments), arguments.tokens, arguments.http)
    return 0


def _issue(arguments: argparse.Namespace) -> int:
    from labkit.mcp_state import tokens  # noqa: PLC0415 - as above

    if not arguments.tokens:
        raise UsageError("say in which file the digest is kept: --tokens FILE")
    owner, _, agent = arguments.issue.partition("/")
    try:
        print(tokens.issue(arguments.tokens, owner, agent))
    except ValueError as error:
        raise UsageError(f"--issue OWNER/AGENT, as in ada/agent-b: {error}") from None
    return 0


def _store(arguments: argparse.Namespace) -> Any:
    if arguments.folder:
        from labkit.files import FileStateStore  # noqa: PLC0415 - as above

        return FileStateStore(arguments.folder.expanduser())
    return _in_postgres(arguments.dsn)


def _in_postgres(dsn: str) -> Any:
    """The store in a database. What is no address is never repeated, as there may be a password in it."""
    from sqlalchemy import make_url  # noqa: PLC0415 - as above
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415 - as above

    from labkit.postgres import PostgresStateStore, connect  # noqa: PLC0415 - as above

    try:
        if make_url(dsn).drivername not in DRIVERS:
            raise UsageError(f"--dsn is an address of PostgreSQL alone, by psycopg: {ADDRESS}")
        return PostgresStateStore(connect(dsn))
    except (ArgumentError, ValueError):  # a port that is no number, a host's name that cannot be one
        raise UsageError(f"--dsn is no address: it looks like {ADDRESS}") from None


def port(text: str) -> int:
    """A port number, or 0; argparse turns the ValueError into a complaint."""
    if (number := int(text)) not in range(65536):
        raise ValueError(text)
    return number
