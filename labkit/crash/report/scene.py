"""What one crash left and what the restart made of it, cut to what a page has room for. What is cut is said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labkit.crash.report.walltimes import WallTimes
from labkit.world import Call

ROOM = 6_000
"""Characters of a scene."""
LONGEST = 400
"""Characters of a file, of a call, and of what was printed."""
FOLDER = "(folder)"


@dataclass(frozen=True)
class File:
    """A file, or a table of the database; None where there is no such file."""

    name: str
    before: str | None
    after: str | None
    state: str
    """same, changed, new or removed."""

    @property
    def parts(self) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
        """What the crash left and what is there after the restart: the same, what differs, and the same again."""
        one, other = self.before or "", self.after or ""
        start = alike(one, other)
        end = min(alike(one[::-1], other[::-1]), min(len(one), len(other)) - start)
        return tuple((text[:start], text[start : len(text) - end], text[len(text) - end :]) for text in (one, other))


@dataclass(frozen=True)
class Scene:
    """What a crash left: files before and after the restart, the world's ledger, what was printed."""

    files: tuple[File, ...]
    ledger: tuple[str, ...]
    output: str
    cut: str = ""
    """What there was no room for, in words."""

    @property
    def size(self) -> int:
        """Its characters."""
        texts = [text or "" for file in self.files for text in (file.name, file.before, file.after)]
        return sum(map(len, [*texts, *self.ledger, self.output]))


def scene(
    before: Mapping[str, str | None],
    after: Mapping[str, str | None],
    ledger: Sequence[Call],
    output: str,
) -> Scene:
    """The scene, of ROOM characters at most: files that differ come first."""
    times = WallTimes()
    before, after = ({name: text and times.put(text) for name, text in tree.items()} for tree in (before, after))
    found = sorted((_file(name, before, after) for name in {**before, **after}), key=lambda f: (f.state == "same",))
    calls = [_clip(times.put(str(call)), 0) for call in ledger]
    files, told = [], []
    output = _clip(times.put(output), 0)
    room = ROOM - len(output)
    for file in found:
        room -= len(file.name) + len(file.before or "") + len(file.after or "")
        if room >= 0:
            files.append(file)
    for call in calls:
        room -= len(call)
        if room >= 0:
            told.append(call)
    more = {"file": len(found) - len(files), "call": len(calls) - len(told)}
    cut = " and ".join(f"{count:,} {what}{'s' * (count > 1)}" for what, count in more.items() if count)
    return Scene(tuple(files), tuple(told), output, cut)


def _file(name: str, before: Mapping[str, str | None], after: Mapping[str, str | None]) -> File:
    one, other = (FOLDER if name in tree and tree[name] is None else tree.get(name) for tree in (before, after))
    state = "same" if one == other else "new" if one is None else "removed" if other is None else "changed"
    start = max(0, alike(one, other) - LONGEST // 4) if state == "changed" else 0
    return File(name, *(text if text is None else _clip(text, start) for text in (one, other)), state)


def _clip(text: str, start: int) -> str:
    if len(text) <= LONGEST:
        return text
    rest = len(text) - start - LONGEST
    head, tail = f"({start:,} characters) … " if start else "", f" … ({rest:,} characters more)" if rest > 0 else ""
    return f"{head}{text[start : start + LONGEST]}{tail}"


def alike(one: str, other: str) -> int:
    """How many characters two texts have in common, from the start."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low
