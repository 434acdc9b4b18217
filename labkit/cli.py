"""The `labkit` command. A subcommand is a function from parsed arguments to an exit status.

0 is done and passed, 1 criteria not met, 2 wrong use or bad input: then one line on standard error, no traceback.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from labkit import repository
from labkit.repository import UsageError


def lab(arguments: argparse.Namespace) -> int:
    """Copy what is missing into work/ and run JupyterLab until it is stopped."""
    from labkit import start  # noqa: PLC0415 - `labkit --help` must not wait for Jupyter

    root = repository.root()
    if copies := start.prepare_work(root):
        print(f"New in work/: {', '.join(sorted({copy.stem for copy in copies}))}")
    start.open_lab(root, arguments.rest, arguments.port)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    try:
        arguments = _parse(argv)
        return arguments.run(arguments)
    except UsageError as error:
        complaint = str(error)
    except OSError as error:
        complaint = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except KeyboardInterrupt:
        return 130
    print(f"labkit: {complaint}", file=sys.stderr)
    return 2


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{self.prog} --help`")


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(prog="labkit", description="Learn how long-lived AI agents survive being killed.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    command = commands.add_parser(
        "lab",
        help="open JupyterLab on the start page",
        epilog="Everything else goes to Jupyter, for example --no-browser.",
        allow_abbrev=False,
    )
    command.add_argument("--port", type=port, metavar="N", help="this port and no other; the default is any free one")
    command.set_defaults(run=lab)

    arguments, rest = parser.parse_known_args(argv)
    if rest and arguments.run is not lab:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    arguments.rest = rest
    return arguments


def port(text: str) -> int:
    """A port number; argparse turns the ValueError into a complaint."""
    if (number := int(text)) not in range(1, 65536):
        raise ValueError(text)
    return number
