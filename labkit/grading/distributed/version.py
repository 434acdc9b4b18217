"""What coordinator and worker must have alike, or the same answer could be judged in two ways."""

import hashlib
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, requires
from importlib.metadata import version as installed
from pathlib import Path

from labkit.grading.sandbox import guarantees
from labkit.repository import root

COURSE = ("exercises/criteria.toml", "exercises/*.ipynb", "exercises/criteria/*.py")
OF_NO_ACCOUNT = re.compile(r"sys_platform|extra == .(test|bench)")
"""Requirements that may differ: those of another platform, of tests and of measurements."""


@dataclass(frozen=True)
class Version:
    """Of one side."""

    digest: str
    """Of all of it: what is compared."""
    told: str
    """What people are told of it."""


@cache
def here() -> Version:
    """Ours: labkit, the course, the libraries, Python. Read once, whatever changes later."""
    labkit = _digest(guarantees.package(), guarantees.package().rglob("*.py"))
    course = _digest(root(), (path for pattern in COURSE for path in root().glob(pattern)))
    libraries = hashlib.sha256(_libraries().encode()).hexdigest()
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    told = (
        f"labkit {installed('labkit')} ({labkit[:8]}), course {course[:8]}, libraries {libraries[:8]}, Python {python}"
    )
    return Version(hashlib.sha256(f"{told}{labkit}{course}{libraries}".encode()).hexdigest()[:16], told)


def _libraries() -> str:
    """What labkit asks for on any machine, and not for its own tests, as it is installed here."""
    found, asked = [], [each for each in requires("labkit") or [] if not OF_NO_ACCOUNT.search(each)]
    for name in sorted({re.match(r"[\w.-]+", each)[0] for each in asked}):
        try:
            found.append(f"{name} {installed(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join(found)


def _digest(folder: Path, paths: Iterable[Path]) -> str:
    whole = hashlib.sha256()
    for path in sorted(paths):
        name, text = str(path.relative_to(folder)).encode(), path.read_bytes()
        whole.update(len(name).to_bytes(8) + name + len(text).to_bytes(8) + text)
    return whole.hexdigest()
