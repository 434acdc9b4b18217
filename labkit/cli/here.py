"""`labkit lab` and `labkit doctor`: the lab on this machine."""

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


def doctor(arguments: argparse.Namespace) -> int:  # noqa: ARG001 - all commands take them
    """Say of each part of the lab whether it works on this machine; 1 unless all do."""
    from labkit.doctor import examine  # noqa: PLC0415 - `labkit --help` must not wait for it

    broken = 0
    for finding in examine():
        print(finding, flush=True)
        broken += bool(finding.todo)
    return int(broken > 0)
