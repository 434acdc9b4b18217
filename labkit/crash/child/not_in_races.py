"""What a worker of a race is refused by name, as `guard` does: what the race lab could not see, or would guess."""

import sys
from typing import Any

from labkit.crash.child import pids
from labkit.crash.child.files import Files

SQLITE = "keep what workers share in files or in PostgreSQL"


def refuse(files: Files, workers: int) -> None:
    """Guard this process, until it ends: by an audit hook, and by what knows process ids."""
    sys.addaudithook(lambda event, arguments: RULES[event](files, *arguments) if event in RULES else None)
    processes = pids.ACTIVE[0]
    first = pids.PIDS["worker"]
    ask = processes.is_there

    def is_there(pid: int) -> bool:
        if first <= pid < first + workers:
            files.trace.refuse(f"ask for the process {pid} of another worker", "let workers meet in files or tables")
        return ask(pid)

    processes.is_there = is_there


def _sqlite(files: Files, *_: Any) -> None:
    files.trace.refuse("use SQLite in a race", f"its locks are taken in C code, and not seen: {SQLITE}")


def _mmap(files: Files, fileno: int, *_: Any) -> None:
    if fileno in files.opened:
        files.trace.refuse("map a file into its memory in a race", "read and write it by calls")


RULES = {"sqlite3.connect": _sqlite, "mmap.__new__": _mmap}
