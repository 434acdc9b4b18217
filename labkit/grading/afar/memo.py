"""What a book remembers of a grading that goes on elsewhere: its id, and what the machines there enforce.

<out>/.state/elsewhere.json     replaced whole; <out>/.state/elsewhere.lock is held by whoever grades into the book
"""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from filelock import FileLock

from labkit.files import write_atomically
from labkit.grading.sandbox.guarantees import Guarantee


@dataclass
class Memo:
    """That of one book."""

    path: Path
    grading: str
    enforced: list[list[Guarantee]]
    """The kinds of machines on which something was judged."""

    @classmethod
    @contextmanager
    def of(cls, out: Path, *, fresh: bool = False) -> Iterator[Self]:
        """That of the book in `out`, for us alone. `fresh`: another grading than the last one."""
        folder = out / ".state"
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "elsewhere.lock"):
            memo = cls._read(folder / "elsewhere.json")
            if fresh:
                memo.renew()
            yield memo

    @classmethod
    def _read(cls, path: Path) -> Self:
        try:
            kept = json.loads(path.read_bytes())
            enforced = [[Guarantee(**each) for each in kind] for kind in kept["enforced"]]
            return cls(path, str(kept["grading"]), enforced)
        except (OSError, ValueError, KeyError, TypeError):
            memo = cls(path, "", [])
            memo.renew()
            return memo

    def renew(self) -> None:
        """Be another grading."""
        self.grading = secrets.token_hex(8)
        self._write()

    def add(self, enforced: list[Guarantee]) -> None:
        """Remember what one more kind of machine enforces."""
        if enforced not in self.enforced:
            self.enforced.append(enforced)
            self._write()

    def _write(self) -> None:
        enforced = [[each.model_dump() for each in kind] for kind in self.enforced]
        write_atomically(self.path, json.dumps({"grading": self.grading, "enforced": enforced}).encode())
