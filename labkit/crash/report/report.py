"""The result of a sweep as a learner has it: it shows itself, and can run any crash point once more."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from labkit.crash import asked
from labkit.crash.client import CLIENT
from labkit.crash.jobs import Limits, Programs
from labkit.crash.news import parse
from labkit.crash.report import margin, picture
from labkit.crash.report.findings import KILLED, Findings, Outcome, outcome
from labkit.crash.report.replay import Replay
from labkit.crash.report.steps import Steps
from labkit.world import Call


@dataclass(frozen=True)
class Report(Findings):
    """The result of a sweep. It shows itself as text and, in a notebook, as a picture."""

    programs: Programs | None = field(default=None, repr=False, compare=False)
    """What was swept, to be run again."""
    limits: Limits = field(default_factory=Limits, repr=False, compare=False)

    def replay(self, k: int, model: str = "") -> Replay:
        """Do crash point k again, and show the first outcome that breaks the program, else the first.

        `model` chooses "process killed" or "power cut". ValueError if there is no such crash point or outcome.
        """
        self._check(k)
        point = CLIENT.ask(asked.Replay(self.programs, k), asked.PointLeft, self.limits)
        outcomes = [left for left in point.outcomes if model in ("", left.model)]
        if not outcomes:
            raise ValueError(f"there is no outcome of {model!r} at crash point {k}")
        left = min(outcomes, key=lambda left: left.failure is None)
        seen = outcome(left)
        title = f"crash point {k}. {self.words(k, replace(seen, reason=''))}"
        verdict = "survives" if seen.survives else f"breaks: {seen.reason}"
        ledger = [Call(**call) for call in left.ledger]
        return Replay(title, left.before, left.after, ledger, point.output + left.output, verdict)

    def step(self, k: int) -> Steps:
        """Run up to crash point k again, and show every line and what it changed. ValueError if there is none."""
        self._check(k)
        stepped = CLIENT.ask(asked.Step(self.programs, k), asked.Stepped, self.limits)
        title = f"crash point {k}. {self.words(k, Outcome(KILLED, survives=True))}"
        return Steps(title, parse(stepped.news), stepped.files)

    def play(self) -> None:
        """Show a slider over the crash points, in a notebook."""
        from labkit.crash.report import player  # noqa: PLC0415 - widgets are for notebooks

        player.play(self, self.replay)

    def _check(self, k: int) -> None:
        if not 0 <= k < len(self.points):
            raise ValueError(f"there is no crash point {k}: choose 0 to {len(self.points) - 1}")

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

    def unexplored(self) -> str:
        """What the verdict says nothing about; empty if there is no such thing."""
        writing = f"Not explored: what a power cut takes from {', '.join(self.native)}, which SQLite writes"
        ignored = f"Ignored, as asked: {', '.join(self.ignored)}"
        return "\n".join([*[writing] * bool(self.power and self.native), *[ignored] * bool(self.ignored)])

    def __str__(self) -> str:
        spawned = "Each process was a fresh interpreter: fork is not known to be safe here." if self.spawned else ""
        return "\n".join(filter(None, [self.verdict, self.table(), self.explanation(), self.unexplored(), spawned]))

    def _ipython_display_(self) -> None:
        from IPython.display import publish_display_data  # noqa: PLC0415 - only IPython calls this

        from labkit.crash.report import page  # noqa: PLC0415 - templates are for notebooks

        text = f"{self.verdict}\n{self.table()}"
        publish_display_data(
            {"text/html": page.report(self), "image/png": picture.timeline(self), "text/plain": text},
            {"image/png": {"alt": self.verdict}},
        )
        for text in filter(None, [self.explanation(), self.unexplored()]):
            print(text)

    def to_json(self) -> dict[str, Any]:
        """The report as plain data."""
        return {
            "name": self.name,
            "effects": [str(effect) for effect in self.effects],
            "points": [
                {"k": point.k, "survives": point.survives, "outcomes": [_plain(outcome) for outcome in point.outcomes]}
                for point in self.points
            ],
            "problem": self.problem,
        }


def _plain(outcome: Outcome) -> dict[str, Any]:
    return {name: value for name, value in asdict(replace(outcome, scene=None)).items() if name != "scene"}
