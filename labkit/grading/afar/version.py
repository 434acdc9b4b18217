"""What asker and worker must have alike, or the same answer could be judged in two ways: labkit, the course, Python."""

import hashlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version as installed
from pathlib import Path

from labkit.grading.sandbox import guarantees
from labkit.repository import root

COURSE = ("exercises/criteria.toml", "exercises/*.ipynb", "exercises/criteria/*.py")


@dataclass(frozen=True)
class Version:
    """Of one side."""

    digest: str
    """Of all of it: what is compared."""
    told: str
    """What people are told of it."""


@cache
def here() -> Version:
    """Ours. It is read once: what is changed under a process that runs has no part in it."""
    labkit = _digest(guarantees.package(), guarantees.package().rglob("*.py"))
    course = _digest(root(), (path for pattern in COURSE for path in root().glob(pattern)))
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    told = f"labkit {installed('labkit')} ({labkit[:8]}), course {course[:8]}, Python {python}"
    return Version(hashlib.sha256(told.encode() + labkit.encode() + course.encode()).hexdigest()[:16], told)


def _digest(folder: Path, paths: Iterable[Path]) -> str:
    whole = hashlib.sha256()
    for path in sorted(paths):
        name, text = str(path.relative_to(folder)).encode(), path.read_bytes()
        whole.update(len(name).to_bytes(8) + name + len(text).to_bytes(8) + text)
    return whole.hexdigest()
