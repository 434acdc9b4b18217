"""Where a student's code runs when a class is graded: what it is kept from, by what, and what it has left."""

import os
import sys
from functools import cache
from pathlib import Path

from pydantic import BaseModel

from labkit.crash.preload import BUT
from labkit.isolation.calls import refuses
from labkit.isolation.confine import supports
from labkit.isolation.namespaces import allowed

NOT_FOR_ANSWERS = {"course", "gauntlet", "grading", "cli.py"}
"""Parts of labkit."""
FIRST_USER = 1_900_000_000
"""Numbers above this belong to nobody on any system that we know of."""


class Guarantee(BaseModel):
    """Something that a student's code is kept from."""

    what: str
    by: str = ""
    """What enforces it; empty if nothing does."""

    def __str__(self) -> str:
        return f"{self.what}: {f'enforced by {self.by}' if self.by else 'NOT ENFORCED on this machine'}"


@cache
def guarantees() -> tuple[Guarantee, ...]:
    """What this machine can keep a student's code from."""
    kernel, linux = supports(), sys.platform == "linux"
    landlock = "Landlock" if apart() else "Landlock; NOT what files there are, their modes and times"
    files = [*(["a mount namespace"] if apart() else []), *([landlock] if kernel["files"] else [])]
    calls = "seccomp" if refuses() else ""
    tcp = "Landlock, for TCP; NOT for other sockets" if kernel["tcp"] else ""
    ended = "a subreaper that ends what is left running; what others run can be SEEN" if linux else ""
    return (
        Guarantee(what="files", by=" and ".join(files)),
        Guarantee(what="network", by="a network namespace" if apart() else tcp),
        Guarantee(what="processes", by="a process namespace" if apart() else ended),
        Guarantee(what="memory", by="limits per process, and a watch over all of them" if linux else ""),
        Guarantee(what="signals", by="Landlock" if kernel["signals"] else ""),
        Guarantee(what="processors", by=f"{calls}, and a lower priority" if calls else ""),
        Guarantee(what="keyrings and IPC", by=calls),
        Guarantee(what="user", by="a user of its own" if linux and os.geteuid() == 0 and (apart() or _open()) else ""),
    )


def missing() -> list[str]:
    """Guarantees without which `labkit grade` refuses, and which nothing on this machine enforces."""
    can_wait = {"signals", "processors", "keyrings and IPC"}
    if sys.platform != "linux" or os.geteuid() != 0:
        can_wait.add("user")
    return [each.what for each in guarantees() if each.what not in can_wait and not each.by]


def _open() -> bool:
    """Whether Python lies where any user can reach it."""
    return all(parent.stat().st_mode & 1 for folder in readable() for parent in Path(folder).parents)


def apart() -> bool:
    """Whether a Python starts in namespaces of its own here."""
    return allowed(readable())


def readable() -> tuple[str, ...]:
    """Python, what is installed in it, and labkit itself; nothing else of the repository."""
    return sys.prefix, sys.base_prefix, str(package())


def readable_to_answers() -> tuple[str, ...]:
    """The same without the judge, and without what can stand in for an answer: a right one needs neither."""
    ours = [path for path in sorted(package().iterdir()) if path.name not in NOT_FOR_ANSWERS]
    carried = [package().parent / f"{name.replace('.', '/')}.py" for name in sorted(BUT)]
    inits = {folder / "__init__.py" for path in carried for folder in path.relative_to(package()).parents}
    folders = [package() / name for name in sorted(inits, key=str) if name != Path("__init__.py")]
    return sys.prefix, sys.base_prefix, *map(str, (*ours, *folders, *carried))


def package() -> Path:
    """The folder of labkit."""
    return Path(__file__).resolve().parents[2]


def environment() -> dict[str, str]:
    """The environment of the fork servers for students' code: nothing of ours is handed on."""
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return {"PATH": path, "LANG": "C.UTF-8", "LABKIT_PROGRESS": "off"}
