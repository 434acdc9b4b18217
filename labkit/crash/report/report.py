"""What a sweep found: which crash points break the program, under which fault, why, and at which line of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from labkit.crash.report import margin, picture
from labkit.crash.report.findings import KILLED, POWER_CUT, Effect, Outcome, Point
from labkit.crash.report.lines import Line
from labkit.crash.report.replay import Replay
from labkit.crash.report.steps import Steps

EXT4_SAVES = "POSIX allows it; default ext4 saves you"


Timeline = Sequence[tuple[str, bool]]
"""For each crash point, in order: the effect that follows it, and whether the program survives a crash there."""


class DidNotSurviveError(AssertionError):
    """A sweep found a crash point that breaks the program, or could not explore it all."""

    def __init__(self, what: str, where: str = "", score: str = "", timeline: Timeline = ()) -> None:
        super().__init__("\n".join(filter(None, [score, what, where])))
        self.what, self.where, self.score, self.timeline = what, where, score, timeline


class Again(NamedTuple):
    """How to run a swept program again, up to a crash point."""

    replay: Callable[[int, str], Replay]
    step: Callable[[int], Steps]


@dataclass(frozen=True)
class Report:
    """The result of a sweep. It shows itself as text and, in a notebook, as a picture."""

    name: str
    effects: list[Effect]
    points: list[Point]
    power: bool = False
    """Whether the power was cut as well."""
    problem: str | None = None
    """Why not every crash point was explored; None if all were."""
    problem_line: Line | None = None
    processes: int = 0
    """How many processes the sweep ran."""
    spawned: bool = False
    """Whether each was a fresh interpreter, because fork is not known to be safe here."""
    again: Again | None = field(default=None, repr=False, compare=False)

    def replay(self, k: int, model: str = "") -> Replay:
        """Do crash point k again, and show the first outcome that breaks the program, else the first.

        `model` chooses "process killed" or "power cut". ValueError if there is no such crash point or outcome.
        """
        self._check(k)
        return self.again.replay(k, model)

    def step(self, k: int) -> Steps:
        """Run up to crash point k again, and show every line and what it changed. ValueError if there is none."""
        self._check(k)
        return self.again.step(k)

    def play(self) -> None:
        """Show a slider over the crash points, in a notebook."""
        from labkit.crash.report import player  # noqa: PLC0415 - widgets are for notebooks

        player.play(self)

    def _check(self, k: int) -> None:
        if not 0 <= k < len(self.points):
            raise ValueError(f"there is no crash point {k}: choose 0 to {len(self.points) - 1}")

    @property
    def models(self) -> list[str]:
        """The fault models explored."""
        return [KILLED, POWER_CUT] if self.power else [KILLED]

    @property
    def broken(self) -> list[Point]:
        """The crash points that break the program, first one first."""
        return [point for point in self.points if not point.survives]

    def score(self, model: str = "") -> str:
        """How many crash points break the program, under one fault model or either."""
        count = sum(bool(point.broken(model)) for point in self.points)
        return f"{count} of {len(self.points)} crash points {'breaks' if count == 1 else 'break'} it"

    @property
    def verdict(self) -> str:
        """How many crash points break it: one line, or a line per fault model and one for either."""
        if self.problem:
            return f"{self.name}: not explored"
        if not self.power:
            return f"{self.name}: {self.score()}"
        lines = {**{model: self.score(model) for model in self.models}, "either": self.score()}
        return "\n".join([f"{self.name}", *(f"  {model}: {score}" for model, score in lines.items())])

    def moment(self, k: int) -> str:
        """Crash point k in words, to stand behind "killed" or "power cut"."""
        last, following = (self.effects[i] if 0 <= i < len(self.effects) else None for i in (k - 1, k))
        if last is None:
            return f"at the start, before {following}"
        line = f"line {last.line.number} had done " if last.line else ""
        return f"after {line}{last}, {f'before {following}' if following else 'at the very end'}"

    def counterexample(self) -> DidNotSurviveError | None:
        """The first crash point that breaks the program, in words; None if none does."""
        if self.problem:
            return DidNotSurviveError(self.problem, str(self.problem_line or ""))
        if not self.broken:
            return None
        point = self.broken[0]
        outcome, effect = point.broken()[0], self.effects[max(0, point.k - 1)]
        return DidNotSurviveError(self.words(point.k, outcome), str(effect.line or ""), self.score(), self.timeline())

    def timeline(self) -> Timeline:
        """The crash points as plain data."""
        following = [*map(str, self.effects), "the end"]
        return [(following[point.k], point.survives) for point in self.points]

    def words(self, k: int, outcome: Outcome) -> str:
        """What happened at crash point k."""
        fault = "Killed" if outcome.model == KILLED else "Power cut"
        again = f"; the recovery was killed as well, after {outcome.again}" if outcome.again else ""
        loss = f" (modelled: {outcome.loss}{'' if outcome.ext4 else f'. {EXT4_SAVES}'})" if outcome.loss else ""
        return f"{fault} {self.moment(k)}{again}{loss}{f': {outcome.reason}' if outcome.reason else ''}"

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

    def table(self) -> str:
        """A line per crash point: what the picture shows, in text."""
        following = [*map(str, self.effects), "(the end)"]
        head = "  killed" if not self.power else "  killed  power cut"
        rows = []
        for point in self.points:
            marks = "         ".join("X" if point.broken(model) else "·" for model in self.models)
            rows.append(f"  {marks} {point.k:3}  {following[point.k]}")
        return "\n".join([f"{head} before … (X breaks it)", *rows]) if rows else ""

    def source(self) -> str:
        """The program with a mark in the margin: X where a crash after that line breaks it."""
        return margin.source(self)

    def explanation(self) -> str:
        """The smallest counterexample in words, and the source; empty if nothing breaks."""
        failed = self.counterexample()
        if failed is None:
            return ""
        return "\n".join(filter(None, [failed.what, failed.where, "" if self.problem else self.source()]))

    def __str__(self) -> str:
        spawned = "Each process was a fresh interpreter: fork is not known to be safe here." if self.spawned else ""
        return "\n".join(filter(None, [self.verdict, self.table(), self.explanation(), spawned]))

    def _ipython_display_(self) -> None:
        from IPython.display import publish_display_data  # noqa: PLC0415 - only IPython calls this

        text = f"{self.verdict}\n{self.table()}"
        publish_display_data(
            {"image/png": picture.timeline(self), "text/plain": text}, {"image/png": {"alt": self.verdict}}
        )
        if explanation := self.explanation():
            print(explanation)

    def to_json(self) -> dict[str, Any]:
        """The report as plain data."""
        return {
            "name": self.name,
            "effects": [str(effect) for effect in self.effects],
            "points": [
                {"k": p.k, "survives": p.survives, "outcomes": [vars(o) for o in p.outcomes]} for p in self.points
            ],
            "problem": self.problem,
        }
