"""What a book remembers of a grading that goes on elsewhere, so that a coordinator that was killed goes on.

<out>/.state/elsewhere.json     replaced whole; <out>/.state/elsewhere.lock is held by whoever grades into the book
"""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout
from pydantic import BaseModel, PrivateAttr, ValidationError

from labkit.files import write_atomically
from labkit.grading.sandbox.guarantees import Guarantee
from labkit.repository import UsageError


class Checkpoint(BaseModel):
    """That of one book."""

    grading: str
    """Its id."""
    enforced: list[list[Guarantee]] = []
    """By the kinds of machines on which something was judged that is in the book."""
    twice: list[str] = []
    """Whose submission was begun twice, until that is told."""
    _path: Path = PrivateAttr()

    @classmethod
    @contextmanager
    def of(cls, out: Path) -> Iterator[Self]:
        """That of the book in `out`, for us alone. UsageError if somebody else has it."""
        folder = out / ".state"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            alone = FileLock(folder / "elsewhere.lock").acquire(timeout=0)
        except Timeout:
            raise UsageError(f"another `labkit grade --on` is at work on the book in {out}") from None
        with alone:
            path = folder / "elsewhere.json"
            try:
                found = cls.model_validate_json(path.read_bytes())
            except (OSError, ValidationError):  # the book's journal has what was graded
                found = cls(grading=_new())
            found._path = path
            found._write()
            yield found

    def renew(self, *, fresh: bool) -> None:
        """Be another grading. `fresh`: of all that is in the book."""
        self.grading = _new()
        if fresh:
            self.enforced, self.twice = [], []
        self._write()

    def add(self, enforced: list[Guarantee], twice: str | None) -> None:
        """Remember what the machine enforces that has judged one more, and whose it was if it was begun twice."""
        kinds = [enforced] if enforced and enforced not in self.enforced else []
        names = [twice] if twice is not None and twice not in self.twice else []
        if kinds or names:
            self.enforced, self.twice = self.enforced + kinds, self.twice + names
            self._write()

    def told(self) -> None:
        """It is told whose was begun twice."""
        self.twice = []
        self._write()

    def _write(self) -> None:
        write_atomically(self._path, self.model_dump_json().encode())


def _new() -> str:
    return secrets.token_hex(8)


def weakest(kinds: Iterable[Iterable[Guarantee]]) -> list[Guarantee]:
    """What is kept on all machines: as on one, if they are alike; else each way in which some enforce it."""
    ways: dict[str, list[str]] = {}
    for guarantee in (each for kind in kinds for each in kind):
        found = ways.setdefault(guarantee.what, [])
        found += [] if guarantee.by in found else [guarantee.by]
    return [Guarantee(what=what, by=_together(sorted(found))) for what, found in ways.items()]


def _together(ways: list[str]) -> str:
    if len(ways) == 1:
        return ways[0]
    return "; on other machines by ".join(way or "NOTHING" for way in ways)
