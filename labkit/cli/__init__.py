"""The `labkit` command. A subcommand is a function from parsed arguments to an exit status.

0 is done and passed, 1 criteria not met, 2 wrong use or bad input: then one line on standard error, no traceback.
130 and 141 are the shell's own: interrupted, and printing into a pipe that is closed. Nothing is said about those.
"""

import argparse
import os
import select
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from labkit.cli import db, distributed, here, judged, mcp_server, serving
from labkit.grading.gradebook import options
from labkit.repository import UsageError
from labkit.store import StoreError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; 141, as after SIGPIPE, if nobody reads what it prints any more."""
    try:
        try:
            return _run(argv)
        finally:
            print(end="", flush=True)  # or a closed pipe would only show when the interpreter ends
    except BrokenPipeError:
        with open(os.devnull, "w") as nowhere:
            for fd in _unread():
                os.dup2(nowhere.fileno(), fd)  # what is still in its buffer is written at exit
        return 141


def _run(argv: Sequence[str] | None) -> int:
    try:
        arguments = _parse(argv)
        return arguments.run(arguments)
    except (UsageError, StoreError) as error:
        complaint = str(error)
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _unread():
            raise
        complaint = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except KeyboardInterrupt:
        return 130
    print(f"labkit: {complaint}", file=sys.stderr)
    return 2


def _unread() -> list[int]:
    """Which of standard output and standard error have lost their reader: the pipe that broke may be another one."""
    poll = select.poll()
    for fd in (1, 2):
        poll.register(fd, 0)
    return [fd for fd, event in poll.poll(0) if event & (select.POLLERR | select.POLLHUP)]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{self.prog} --help`")


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(prog="labkit", description="Learn how long-lived AI agents survive being killed.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    command = commands.add_parser(
        "lab",
        help="open JupyterLab on the start page",
        epilog="Everything else goes to Jupyter. For example: labkit lab --port 8888 --no-browser",
        allow_abbrev=False,
    )
    command.add_argument("--port", type=port, metavar="N", help="this port and no other; the default is any free one")
    command.add_argument("--copy", action="store_true", help="only bring your copies in work/ up to date")
    command.set_defaults(run=here.lab)

    command = commands.add_parser(
        "update",
        help="bring what has changed in the course into your copies, around what is yours",
        epilog="For example: labkit update, after git pull",
    )
    command.set_defaults(run=here.update)

    command = commands.add_parser(
        "doctor",
        help="say what works on this machine, and what to do about the rest",
        epilog="For example: labkit doctor, or labkit doctor | grep 'NOT OK'",
    )
    command.set_defaults(run=here.doctor)

    command = commands.add_parser(
        "progress",
        help="show where you stand: chapters, predictions, exercises, criteria",
        epilog="For example: labkit progress, or labkit progress | grep persists",
    )
    command.set_defaults(run=here.progress)

    command = commands.add_parser(
        "check", help="judge one exercise, with a verdict per case", epilog="For example: labkit check 01.saves_whole"
    )
    command.add_argument("exercise", metavar="EXERCISE", help="01, 01_file_storage, or one case: 01.saves_whole")
    command.add_argument(
        "file", metavar="FILE", nargs="?", type=Path, help="a notebook; the default is your copy in work/"
    )
    command.set_defaults(run=judged.check)

    _add_grading(commands)

    command = commands.add_parser(
        "release",
        help="write what students get: no solutions, tests or tools",
        epilog="For example: labkit release ../for-students",
    )
    command.add_argument("folder", metavar="DIR", type=Path, help="an empty folder, or an earlier release")
    command.set_defaults(run=judged.release)

    command = commands.add_parser("criteria", help="exercises and cases of your own")
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True)
    action = actions.add_parser(
        "check",
        help="say what is wrong with them, before anybody is graded",
        epilog="For example: labkit criteria check my-exercises",
    )
    action.add_argument("folder", metavar="FOLDER", type=Path, help="a folder like exercises/, with a criteria.toml")
    action.set_defaults(run=judged.criteria_check)

    command = commands.add_parser(
        "serve",
        help="show what a run does, on a page, and let you cancel and confirm",
        epilog="For example: labkit serve, or labkit serve my_agent.py --run shop --goal 'Put the shop online.'",
    )
    command.add_argument(
        "file", metavar="FILE", nargs="?", type=Path, help="has a function agent(store, clock); the default is a story"
    )
    command.add_argument("--run", dest="run_id", metavar="NAME", default="disk", type=name, help="the run to show")
    command.add_argument("--goal", metavar="TEXT", default="The disk is full. Sort it out.", help="of a new run")
    command.add_argument("--port", type=port, metavar="N", help="this port and no other; the default is any free one")
    command.set_defaults(run=serving.serve)

    command = commands.add_parser("db", help="the embedded PostgreSQL, or the server in LABKIT_DSN")
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True)
    for run in (db.start, db.stop, db.status, db.url, db.reset):
        action = actions.add_parser(run.__name__, help=run.__doc__, epilog=f"For example: labkit db {run.__name__}")
        action.set_defaults(run=run)
    action.add_argument("--yes", action="store_true", help="do not ask")

    command = commands.add_parser(
        "mcp",
        help="share agent states with any MCP client, over stdio or HTTP",
        epilog=mcp_server.EXAMPLE,
    )
    mcp_server.add_to(command)
    command.set_defaults(run=mcp_server.run)

    arguments, rest = parser.parse_known_args(argv)
    if rest and arguments.run is not here.lab:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    arguments.rest = rest
    return arguments


def _add_grading(commands: "argparse._SubParsersAction[_Parser]") -> None:
    command = commands.add_parser(
        "grade",
        help="grade a class, or a part of it, and write its book",
        epilog="For example: labkit grade submissions --out graded --only 03",
    )
    options.add_to(command)
    command.set_defaults(run=judged.grade)

    command = commands.add_parser(
        "grade-worker",
        help="judge what others grade, on this machine",
        epilog="For example: labkit grade-worker --on postgresql://grader@db.example/grading",
    )
    options.add_worker_to(command)
    command.set_defaults(run=distributed.worker)

    command = commands.add_parser(
        "grade-status",
        help="say what is graded on many machines, and by whom",
        epilog="For example: labkit grade-status --on postgresql://grader@db.example/grading",
    )
    options.add_status_to(command)
    command.set_defaults(run=distributed.status)


def port(text: str) -> int:
    """A port number; argparse turns the ValueError into a complaint."""
    if (number := int(text)) not in range(1, 65536):
        raise ValueError(text)
    return number


def name(text: str) -> str:
    """The name of a run, which can stand in an address."""
    if not text or len(text) > 100 or not all(each.isalnum() or each in "-_." for each in text) or text[0] == ".":
        raise ValueError(text)
    return text
