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
"""In a path: where people and editors put them."""
NUMBER = re.compile(
    r"(?:(?<!\d)[ _(\[-]|copy|version|attempt|draft|part|submission)(\d{1,3})[)\]]?(?:\.[a-z]\w*)*$", re.IGNORECASE
)
"""The number of a copy, in the end of its name or of its folder's: none that is part of a date, or a student's."""
TIMES = "version|versión|versione|versie|wersja|versão|attempt|versuch|intento|tentativ[aeo]|poging"
VERSION = re.compile(rf"(?:{TIMES})[ _-]?(\d{{1,3}})", re.IGNORECASE)
"""A platform's folder for one time of handing in. What is in it is called as whoever saved it last liked."""
GENERIC = re.compile(
    rf"(?<![^\W\d_])(?:{TIMES}|versions|attempts|(?:re)?submissions?|drafts?|final|late|cop(?:y|ies)|new|old|try|part|work|weeks?"
    r"|hw|homework|exercises?|solutions?|one|two|three|first|second|third|last|of|my|v)(?![^\W\d_])",
    re.IGNORECASE,
)
"""Words that are no student's name."""
PACKED = re.compile(r"\.(?:zip|tar|t?gz|t?bz2|t?xz)$", re.IGNORECASE)
"""In the name of an archive."""
CONFLICT = re.compile(r"conflict", re.IGNORECASE)
"""In the name of a copy that a synchronising program has made."""
NO_TIME = 1e9 / 3
"""Seconds since 1970: an archive without times says 1970 or 1980."""
CLOSE = 3
"""Seconds: who unpacks an archive makes files one after another, and an archive knows every other second."""
LONGEST = 255
"""Characters of a name that are looked at."""


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
    def below(self) -> tuple[str, ...]:
        """The names on the way to it from the student's folder; its own if it lies in the class's."""
        return tuple(part[-LONGEST:] for part in self.file.path[1:] or self.file.path)

    @property
    def saved(self) -> bool:
        """Whether it was not put aside."""
        aside = any(each in part for each in ASIDE for part in self.file.path)
        return not aside and not OLD.search("/".join(self.below))

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of copies: that of a version's folder, its own, then that of another folder that it lies in."""
        version = next(filter(None, map(VERSION.fullmatch, self.below[-2::-1])), None)
        names = reversed(("", *self.below)[-2:])
        return int(version[1]) if version else 0, *(int(it[1]) if (it := NUMBER.search(name)) else 0 for name in names)

    @property
    def rank(self) -> tuple[object, ...]:
        """The greatest counts. Its places are those of WHY."""
        order = self.file.whose.attempt, int(self.file.when), self.numbers
        return bool(self.solved), self.is_notebook, self.saved, len(self.solved), order


WHY = ("it is solved", "it is no script", "the other was put aside", "it has the most answers", "it is the newest")


def best_of(copies: Sequence[Copy], stem: str) -> tuple[Copy, str, bool]:
    """The copy that counts, what is to be told of the choice, and whether a human must look."""
    best, *others = sorted(copies, key=lambda copy: (copy.rank, copy.file.path), reverse=True)
    said = _said(best)
    others = [each for each in others if each.solved and _said(each) != said]
    if not others:
        return best, "", False
    found = f"there are {'two' if len(others) == 1 else len(others) + 1} notebooks for {stem}"
    if doubt := next(filter(None, (_doubt(best, each, stem) for each in others)), ""):
        return best, f"{found}, and {doubt}: look at them yourself; {best.file.shown} was judged", True
    why = next((why for why, mine, other in zip(WHY, best.rank, others[0].rank, strict=True) if mine != other), WHY[-1])
    return best, f"{found}; {best.file.shown} counts: {why}", False


def _said(copy: Copy) -> list[tuple[str, object]]:
    return sorted((name, shape(text)) for name, text in copy.submission.answers.items())


def _doubt(best: Copy, other: Copy, stem: str) -> str:
    """Why it is not known that the best of the two counts; empty if it is."""
    one, two = best.file, other.file
    if other.solved - best.solved:
        return f"{two.shown} answers what the other does not"
    later = one.whose.attempt != two.whose.attempt
    if (later and one.whose.platform != "Canvas") or best.saved != other.saved:
        return ""
    if _may_be_of_two(one, two, stem):
        return "they may be of several students"
    if best.rank[:-1] != other.rank[:-1]:
        return ""
    if any(CONFLICT.search(each.path[-1]) for each in (one, two)):
        return "two devices had one each"
    close = abs(one.when - two.when) < CLOSE
    known = later or (best.numbers > other.numbers if close else _one_clock(one, two))
    return "" if known else "nothing says which is the newest"


def _one_clock(one: File, other: File) -> bool:
    """Whether the times of both are known, and of one kind: those of an archive are its maker's."""
    archives = [
        [each.path[: place + 1] for place, part in enumerate(each.path[:-1]) if PACKED.search(part)]
        for each in (one, other)
    ]
    return archives[0] == archives[1] and min(one.when, other.when) > NO_TIME


def _may_be_of_two(one: File, other: File, stem: str) -> bool:
    """Whether two paths are alike but for a name that may be a student's: a folder's, or one before the exercise's."""
    apart = [pair for pair in zip(one.path[1:-1], other.path[1:-1], strict=False) if pair[0] != pair[1]]
    if len(one.path) != len(other.path) or len(apart) > 1:
        return False
    if not apart and len(one.path) > 1 and not one.whose.platform:
        names = [each.path[-1].partition(stem)[0] for each in (one, other) if stem in each.path[-1]]
        apart = [(names[0], names[1])] if len(names) == 2 and names[0] != names[1] else []
    return any(all(map(_may_be_somebody, pair)) for pair in apart)


def _may_be_somebody(name: str) -> bool:
    """Whether letters are left of a name without the words that are nobody's."""
    return any(char.isalpha() for char in GENERIC.sub("", name[:LONGEST]))
