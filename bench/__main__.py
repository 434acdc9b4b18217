"""Every claim of speed, in one table.

    make bench                     all cases; make bench ONLY=sweep: those with this in their name
    python bench [ONLY]            the same, in this environment

A case is a script of this folder that can be run by itself; each runs in a process of its own, for so many seconds at
most as its line `SECONDS = …` says. Written: results.json, RESULTS.md, and ratios.png; of a part of the cases into
the folder `part`. Status 1 if a case failed or was stopped, 2 if there is no case of that name.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import report
from figures import TRY, Figure

SECONDS = 300.0
"""For a case that says nothing about it."""
PATIENCE = 5.0
"""Seconds to tidy up, for a case that is stopped."""
HERE = Path(__file__).parent
CASE = re.compile(r'^from figures import .*^if __name__ == "__main__":', re.MULTILINE | re.DOTALL)
LONGER = re.compile(r"^SECONDS = ([\d.]+)$", re.MULTILINE)


def cases(folder: Path) -> dict[str, Path]:
    """The scripts that measure and tell of it, by name."""
    scripts = (path for path in sorted(folder.glob("*.py")) if path.name != "__main__.py")
    return {path.stem: path for path in scripts if CASE.search(path.read_text("utf-8"))}


def run(case: str, script: Path) -> tuple[list[Figure], bool]:
    """The figures of a case, and whether it went well; one that did not has a figure more, which says why."""
    said = LONGER.search(script.read_text("utf-8"))
    limit = float(said[1]) if said else SECONDS
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "figures"
        told.touch()
        known = {**os.environ, "BENCH_FIGURES": str(told)}
        process = subprocess.Popen([sys.executable, script], env=known, start_new_session=True)
        try:
            status = process.wait(limit)
            trouble = f"it failed with status {status}" if status else ""
        except subprocess.TimeoutExpired:
            trouble = f"it was stopped after {limit:g} s"
            end(process)
        except KeyboardInterrupt:  # it is in a session of its own, which the terminal does not interrupt
            end(process)
            raise
        found = [Figure(**json.loads(line)) for line in told.read_text("utf-8").splitlines()]
    if not trouble and not found:
        trouble = "it told nothing"
    return [*found, *([Figure("the case", missing=trouble, case=case)] if trouble else [])], not trouble


def end(process: subprocess.Popen) -> None:
    """End it and what it started in its session: first so that it can tidy up, then so that it cannot refuse."""
    with suppress(ProcessLookupError):  # as soon as nothing of it is left
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)


def main(argv: Sequence[str] | None = None) -> int:
    """Run, print, write."""
    parser = argparse.ArgumentParser(prog="bench", description="Every claim of speed, in one table.")
    parser.add_argument("only", nargs="?", default="", help="run the cases with this in their name")
    parser.add_argument("--cases", type=Path, default=HERE, metavar="FOLDER", help="other scripts than those here")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where to write; without it, beside the scripts")
    given = parser.parse_args(argv)
    known = cases(given.cases)
    chosen = [given.only] if given.only in known else [name for name in known if given.only in name]
    if not chosen:
        print(f"bench: there is no case {given.only}. There are: {', '.join(known)}", file=sys.stderr)
        return 2
    figures, well = [], True
    for name in chosen:
        print(f"--- {name}", flush=True)
        found, went_well = run(name, known[name])
        figures += found
        well = well and went_well
    print("\n" + report.table(figures))
    folder = given.out or (given.cases / "part" if given.only or TRY else given.cases)
    report.write(folder, figures)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
