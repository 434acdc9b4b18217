"""`labkit lab`, `labkit update`, `labkit doctor` and `labkit progress`: the lab on this machine, and its student."""

import argparse
import sys

from labkit import repository


def lab(arguments: argparse.Namespace) -> int:
    """Bring the copies in work/ up to date and run JupyterLab until it is stopped."""
    from labkit.copies import prepare_work  # noqa: PLC0415 - `labkit --help` must not wait for it

    root = repository.root()
    for what, copies in prepare_work(root)._asdict().items():
        if copies:
            names = ", ".join(sorted({copy.stem for copy in copies}))
            print(f"{what.capitalize()} in {repository.work().name}/: {names}", flush=True)
    if arguments.copy:
        return 0
    from labkit import doctor, start  # noqa: PLC0415 - as above, for Jupyter

    for finding in (look() for look in doctor.QUICK):
        if finding.todo:
            print(finding, file=sys.stderr, flush=True)
    start.open_lab(root, arguments.rest, arguments.port)
    return 0


def update(arguments: argparse.Namespace) -> int:  # noqa: ARG001 - all commands take them
    """Bring what has changed in the course into the student's copies, around what is theirs."""
    from labkit.update import update as updating  # noqa: PLC0415 - as above

    lines = 0
    for line in updating(repository.root()):
        lines += 1
        print(line, flush=True)
    print("In JupyterLab, reload what is open." if lines else "Nothing has changed in the course.")
    return 0


def doctor(arguments: argparse.Namespace) -> int:  # noqa: ARG001 - all commands take them
    """Say of each part of the lab whether it works on this machine; 1 unless all do."""
    from labkit.doctor import examine  # noqa: PLC0415 - `labkit --help` must not wait for it

    broken = 0
    for finding in examine():
        print(finding, flush=True)
        broken += bool(finding.todo)
    return int(broken > 0)


def progress(arguments: argparse.Namespace) -> int:  # noqa: ARG001 - all commands take them
    """Show where the student stands; 2 if what is kept cannot be read."""
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above

    from labkit.course.standing import map_of  # noqa: PLC0415 - as above
    from labkit.learner import state  # noqa: PLC0415 - as above

    standing, console = map_of(state.read()), Console()
    if not console.is_terminal:
        print(standing)
        return 0
    for head, *rows in (standing.chapters, standing.criteria):
        table = Table(*head)
        for row in rows:
            table.add_row(*row)
        console.print(table)
    print(*standing.last, sep="\n")
    return 0
