"""What a sweep found, as data and in words: effects, the crash points between them, what each fault there led to."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

from labkit.crash.asked import Left
from labkit.crash.lines import Line
from labkit.crash.report.scene import Scene


@dataclass(frozen=True)
class Effect:
    """Something that the outside world could notice."""

    op: str
    target: str
    line: Line | None

    def __str__(self) -> str:
        return f"{self.op} {self.target}".strip()


@dataclass(frozen=True)
class Outcome:
    """What one fault at a crash point led to."""

    model: str
    """"process killed" (real) or "power cut" (modelled)."""
    survives: bool
    reason: str = ""
    """Why it does not survive."""
    loss: str = ""
    """What the power cut took."""
    ext4: bool = True
    """Whether ext4 with its default options can lose that, too."""
    again: str = ""
    """After which effect of its own the recovery was killed as well; empty if it was not."""
    stranger: int = 0
    """The process id of an earlier life, where another process has it now (modelled); 0 if nobody has."""
    line: Line | None = None
    """Where the recovery failed."""
    scene: Scene | None = field(default=None, repr=False, compare=False)
    """What the crash left; None if there was no room for it."""


@dataclass(frozen=True)
class Point:
    """A crash point: the gap before effect `k`, and what the faults there led to."""

    k: int
    outcomes: tuple[Outcome, ...]

    def broken(self, model: str = "") -> list[Outcome]:
        """The outcomes that do not survive, of one fault model or of all."""
        return [outcome for outcome in self.outcomes if not outcome.survives and model in ("", outcome.model)]

    @property
    def survives(self) -> bool:
        """Whether every fault at this point does no harm."""
        return not self.broken()


def outcome(left: Left) -> Outcome:
    """An Outcome from what the zygote told."""
    details = {name: getattr(left, name) for name in ("model", "loss", "ext4", "again", "stranger")}
    if left.failure is None:
        return Outcome(survives=True, **details)
    line = Line.first(left.failure.lines)
    details["line"] = line if left.role == "recover" else None
    error, text = left.failure.error, textwrap.shorten(left.failure.text, 160, placeholder=" …")
    if error == "NotPlainDataError":
        reason = text
    elif left.role == "recover":
        ended = f"recovery {text}{f' ({line})' if line else ''}"
        reason = f"on restart, recovery raised {error}: {text}" if error else ended
    elif error == "AssertionError":
        reason = text or f"the invariant does not hold: {line.text if line else ''}"
    else:
        reason = f"the invariant raised {error}: {text}"
    return Outcome(survives=False, reason=reason, **details)


KILLED, POWER_CUT = "process killed", "power cut"
EXT4_SAVES = "POSIX allows it; default ext4 saves you"
Timeline = Sequence[tuple[str, bool]]
"""For each crash point, in order: the effect that follows it, and whether the program survives a crash there."""


class DidNotSurviveError(AssertionError):
    """A sweep found a crash point that breaks the program, or could not explore it all."""

    def __init__(self, what: str, where: str = "", score: str = "", timeline: Timeline = ()) -> None:
        super().__init__("\n".join(filter(None, [score, what, where])))
        self.what, self.where, self.score, self.timeline = what, where, score, timeline
        self.found: Findings | None = None
        """All that the sweep found, for who shows it."""


@dataclass(frozen=True)
class Findings:
    """The result of a sweep: which crash points break the program, under which fault, why, and at which line of it."""

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
    ignored: Sequence[str] = ()
    """Folders and addresses that the lab was told not to look at."""
    native: Sequence[str] = ()
    """SQLite's databases: what a power cut leaves of them is in no model."""

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
        outcome = point.broken()[0]
        line = self.effects[point.k - 1].line if point.k else None  # at the start, no line has done anything yet
        return DidNotSurviveError(self.words(point.k, outcome), str(line or ""), self.score(), self.timeline())

    def timeline(self) -> Timeline:
        """The crash points as plain data."""
        following = [*map(str, self.effects), "the end"]
        return [(following[point.k], point.survives) for point in self.points]

    def words(self, k: int, outcome: Outcome, moment: str = "") -> str:
        """What happened at crash point k; `moment` says where that is, if not we."""
        fault = "Killed" if outcome.model == KILLED else "Power cut"
        again = f"; the recovery was killed as well, after {outcome.again}" if outcome.again else ""
        loss = f" (modelled: {outcome.loss}{'' if outcome.ext4 else f'. {EXT4_SAVES}'})" if outcome.loss else ""
        other = f" (modelled: another process has the id {outcome.stranger} now)" if outcome.stranger else ""
        return (
            f"{fault} {moment or self.moment(k)}{again}{loss}{other}{f': {outcome.reason}' if outcome.reason else ''}"
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
