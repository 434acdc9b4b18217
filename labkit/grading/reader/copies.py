"""Which of several copies of an exercise counts: by what is in them, and by when they were made, if that is known.

A solved copy comes before an unsolved one, a saved one before what was put aside, and of two solved ones the one with
more answers, then the newest. Where that is not known, a human must look.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from labkit.crash.printable import printable
from labkit.grading.notebook.language import shape
from labkit.grading.notebook.submission import Submission
from labkit.grading.reader.whose import Whose

ASIDE = "ipynb_checkpoints", "kept-by-update"
"""Where Jupyter and `labkit update` put earlier versions."""
OLD = re.compile(
    r"(?:^|/)(?:old|older|backups?|bak|previous)/|-checkpoint|(?:~|\.(?:bak|orig|old|tmp|swp))$", re.IGNORECASE
)
"""In a path below the student's folder: where people and editors put them."""
NUMBER = re.compile(r"(\d+)(?=\)?(?:\.\w+)*$)")
"""The number of a copy, in the end of its name."""
ROUND = re.compile(r"version|attempt|submission|draft|final|late|try|copy|^[^a-z]*$|^v ?\d+$", re.IGNORECASE)
"""In a folder's name: it is one student's at some time, and no other student's."""
CONFLICT = re.compile(r"conflict", re.IGNORECASE)
"""In the name of a copy that a synchronising program has made."""


@dataclass(frozen=True)
class File:
    """A file that was handed in."""

    path: tuple[str, ...]
    """From the class's folder down, through archives, too."""
    whose: Whose
    data: bytes = b""
    when: float = 0.0
    problem: str = ""
    """Why it was not read."""
    packed: bool = False
    """Whether it was in an archive."""

    @property
    def shown(self) -> str:
        """Its path, as it can be shown."""
        return printable("/".join(self.path))


@dataclass(frozen=True)
class Copy:
    """A file that answers an exercise."""

    file: File
    submission: Submission
    solved: frozenset[str]
    """The answers that are not those of the unsolved cells."""
    is_notebook: bool

    @property
    def rank(self) -> tuple[object, ...]:
        """The greatest counts."""
        path = self.file.path
        saved = not any(aside in part for aside in ASIDE for part in path) and not OLD.search("/".join(path[1:]))
        numbers = [int(number[1][-9:]) for part in reversed(path[1:]) if (number := NUMBER.search(part))]
        order = self.file.whose.attempt, int(self.file.when), (numbers or [0])[0]
        return bool(self.solved), self.is_notebook, saved, len(self.solved), order


def best_of(copies: Sequence[Copy], stem: str) -> tuple[Copy, str, bool]:
    """The copy that counts, what is to be told of the choice, and whether a human must look."""
    best = max(copies, key=lambda copy: (copy.rank, copy.file.path))
    others = [each for each in copies if each.solved and _said(each) != _said(best)]
    if not others:
        return best, "", False
    number = "two" if len(others) == 1 else len(others) + 1
    most = any(len(each.solved) < len(best.solved) for each in others)
    doubt = next(filter(None, (_doubt(best, each, stem) for each in others)), "")
    why = f"{doubt}, look at them yourself" if doubt else "it has the most answers" if most else "it is the newest"
    return best, f"there are {number} notebooks for {stem}; {best.file.shown} counts: {why}", bool(doubt)


def _said(copy: Copy) -> list[tuple[str, object]]:
    return sorted((name, shape(text)) for name, text in copy.submission.answers.items())


def _doubt(best: Copy, other: Copy, stem: str) -> str:
    """Why it is not known that the best of the two counts; empty if it is."""
    if other.solved - best.solved:
        return f"{other.file.shown} answers what this one does not"
    if _may_be_of_two(best.file.path, other.file.path, stem):
        return "they may be of several students"
    same = best.rank[:-1] == other.rank[:-1]
    if same and (best.rank == other.rank or best.file.packed != other.file.packed):
        return "nothing says which is the newest"
    if same and any(CONFLICT.search(each.file.path[-1]) for each in (best, other)):
        return "two devices had one each"
    return ""


def _may_be_of_two(one: Sequence[str], other: Sequence[str], stem: str) -> bool:
    """Whether two paths are alike but for a name that may be a student's: a folder's, or one before the exercise's."""
    apart = [pair for pair in zip(one[1:-1], other[1:-1], strict=False) if pair[0] != pair[1]]
    if len(one) == len(other) and len(apart) == 1:
        return not any(ROUND.search(name) or OLD.search(f"{name}/") for name in apart[0])
    inside = len(one) > 1 and one[:-1] == other[:-1]
    before = [name.partition(stem)[0].strip(" _-.") for name in (one[-1], other[-1]) if stem in name]
    return inside and len(before) == 2 and all(before) and before[0] != before[1]
