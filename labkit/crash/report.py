"""What a sweep found: which crash points break the program, why, and at which line of it."""

import linecache
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labkit.crash import picture
from labkit.world import Call


@dataclass(frozen=True)
class Line:
    """A line of the program under test."""

    file: str
    function: str
    number: int

    @property
    def text(self) -> str:
        """The line as written."""
        return linecache.getline(self.file, self.number).strip()

    def __str__(self) -> str:
        place = f"{self.function}, line {self.number}" if self.function != "<module>" else f"line {self.number}"
        return f"{place}: {self.text}" if self.text else place


@dataclass(frozen=True)
class Effect:
    """Something that the outside world could notice."""

    op: str
    target: str
    line: Line | None

    def __str__(self) -> str:
        return f"{self.op} {self.target}".strip()


@dataclass(frozen=True)
class Point:
    """A crash point: the gap before effect `k`, and what a kill there led to."""

    k: int
    survives: bool
    reason: str = ""
    """Why it does not survive."""
    line: Line | None = None
    """Where recovery failed, if it raised."""


class DidNotSurviveError(AssertionError):
    """A sweep found a crash point that breaks the program, or could not explore it all."""

    def __init__(self, what: str, where: str = "", score: str = "") -> None:
        super().__init__("\n".join(filter(None, [score, what, where])))
        self.what, self.where, self.score = what, where, score


@dataclass(frozen=True)
class Report:
    """The result of a sweep. It shows itself as text and, in a notebook, as a picture."""

    name: str
    effects: list[Effect]
    points: list[Point]
    problem: str | None = None
    """Why not every crash point was explored; None if all were."""
    problem_line: Line | None = None
    replay: Callable[[int], "Replay"] | None = field(default=None, repr=False, compare=False)

    @property
    def broken(self) -> list[Point]:
        """The crash points that break the program, first one first."""
        return [point for point in self.points if not point.survives]

    @property
    def verdict(self) -> str:
        """One line: how many crash points break it."""
        if self.problem:
            return f"{self.name}: not explored"
        count, of = len(self.broken), len(self.points)
        return f"{self.name}: {count} of {of} crash points {'breaks' if count == 1 else 'break'} it"

    def killed(self, k: int) -> str:
        """Crash point k in words."""
        last, following = (self.effects[i] if 0 <= i < len(self.effects) else None for i in (k - 1, k))
        if last is None:
            return f"Killed at the start, before {following}"
        at = f"line {last.line.number} had done " if last.line else ""
        after = f"before {following}" if following else "at the very end"
        return f"Killed after {at}{last}, {after}"

    def counterexample(self) -> DidNotSurviveError | None:
        """The first crash point that breaks the program, in words; None if none does."""
        if self.problem:
            return DidNotSurviveError(self.problem, str(self.problem_line or ""))
        if not self.broken:
            return None
        point = self.broken[0]
        effect = self.effects[max(0, point.k - 1)]
        return DidNotSurviveError(
            f"{self.killed(point.k)}: {point.reason}",
            str(effect.line) if effect.line else "",
            f"{len(self.broken)} of {len(self.points)} crash points {'breaks' if len(self.broken) == 1 else 'break'} it",
        )

    def assert_survives(self, effects: int = 1) -> None:
        """Raise DidNotSurviveError unless every crash point was explored and survives.

        A program that did fewer than `effects` things to files or tools proves nothing and does not pass.
        """
        if failed := self.counterexample():
            raise failed
        done = [effect for effect in self.effects if effect.op not in {"ACK", "RETURN"}]
        if len(done) < effects:
            raise DidNotSurviveError(
                f"{self.name} did {len(done)} things that could be lost, where at least {effects} are needed: "
                "a program that does nothing survives every crash"
            )

    def __str__(self) -> str:
        return "\n".join(filter(None, [self.verdict, self.table(), self.words()]))

    def table(self) -> str:
        """A line per crash point: what the picture shows, in text."""
        following = [*map(str, self.effects), "(the end)"]
        rows = [f"  {'·' if p.survives else 'X'} {p.k:3}  {following[p.k]}" for p in self.points]
        return "\n".join(["  killed before … (X breaks it)", *rows]) if rows else ""

    def words(self) -> str:
        """The smallest counterexample in words; empty if there is none."""
        failed = self.counterexample()
        return "\n".join(filter(None, [failed.what, failed.where])) if failed else ""

    def _ipython_display_(self) -> None:
        from IPython.display import publish_display_data  # noqa: PLC0415 - only IPython calls this

        text = f"{self.verdict}\n{self.table()}"
        publish_display_data(
            {"image/png": picture.timeline(self), "text/plain": text}, {"image/png": {"alt": self.verdict}}
        )
        if words := self.words():
            print(words)

    def to_json(self) -> dict[str, Any]:
        """The report as plain data."""
        return {
            "name": self.name,
            "effects": [str(effect) for effect in self.effects],
            "points": [{"k": p.k, "survives": p.survives, "reason": p.reason} for p in self.points],
            "problem": self.problem,
        }


@dataclass(frozen=True)
class Replay:
    """One crash point, seen through a microscope."""

    title: str
    before: dict[str, str | None]
    """The files that the killed process left; None for a directory."""
    after: dict[str, str | None]
    """The files after recovery."""
    ledger: list[Call]
    output: str
    verdict: str

    def __str__(self) -> str:
        parts = [self.title, "", "files that the killed process left", *_listing(self.before)]
        parts += ["files after the restart", *(["  the same"] if self.after == self.before else _listing(self.after))]
        if self.ledger:
            parts += ["ledger of the world", *(f"  {call}" for call in self.ledger)]
        if self.output:
            parts += ["printed", *(f"  {line}" for line in self.output.splitlines())]
        return "\n".join([*parts, "", self.verdict])

    __repr__ = __str__


def _listing(files: Mapping[str, str | None]) -> list[str]:
    shown = []
    for name, content in files.items():
        if content is not None:
            text = " ".join(content.split())
            shown.append(f"  {name}  {'(empty)' if not text else text[:70] + ('…' if len(text) > 70 else '')}")
    return shown or ["  none"]


def parse_line(lines: list[Any]) -> Line | None:
    """The innermost line of the program under test, from what a child told."""
    return Line(*lines[0]) if lines else None


def parse_point(told: Mapping[str, Any]) -> Point:
    """A Point from what the zygote told."""
    failure = told["failure"]
    if told["survives"]:
        return Point(told["k"], survives=True)
    line = parse_line(failure.get("lines", []))
    text = textwrap.shorten(failure["text"], 160, placeholder=" …")
    if failure["error"] == "NotPlainDataError":
        reason = text
    elif told["role"] == "recover":
        reason = f"on restart, recovery raised {failure['error']}: {text}" if failure["error"] else f"recovery {text}"
    elif failure["error"] == "AssertionError":
        reason = text or f"the invariant does not hold: {line.text if line else ''}"
    else:
        reason = f"the invariant raised {failure['error']}: {text}"
    return Point(told["k"], survives=False, reason=reason, line=line)
