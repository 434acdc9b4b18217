"""Where the lab lies: the repository that this labkit was installed from."""

import os
from pathlib import Path


class UsageError(Exception):
    """Bad input or a place we cannot work in. Its text is one line that says what to do; the exit status is 2."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]  # a notebook shows this line, too, and nothing else


WORK = "work"
"""The folder in the repository, and in Jupyter's addresses, of the student's own copies."""


def root() -> Path:
    """The folder of the repository. UsageError if labkit was installed without it."""
    folder = Path(__file__).resolve().parents[1]
    if not (folder / "exercises" / "criteria.toml").exists():
        raise UsageError("labkit cannot find its exercises: install it from a clone of the repository, with `make lab`")
    return folder


def work() -> Path:
    """The folder of the student's own copies. LABKIT_WORK names another one, for users who share a repository."""
    given = os.environ.get("LABKIT_WORK")
    return Path(given).expanduser().absolute() if given else root() / WORK
