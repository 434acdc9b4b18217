"""The one way to measure, and the one way to tell.

Ways are run in turn, in at least five rounds on one machine: what else it does meets all of them. What counts is the
ratio of the medians; its spread is the smallest and the largest ratio of one round. `tell` prints a figure, and adds
it as a line of JSON to the file that BENCH_FIGURES names: so the runner learns of it. BENCH_TRY=1 does everything once,
to see that it works; the figures then mean nothing.
"""

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

TRY = bool(os.environ.get("BENCH_TRY"))
ROUNDS = 1 if TRY else 5
Way = Callable[[], object]
"""What is measured. One that returns what `Took` is has measured itself."""


class Took(float):
    """Seconds that a way says it took."""

    __slots__ = ()


@dataclass(frozen=True)
class Figure:
    """What was measured of ours, and of theirs if there is something beside it."""

    what: str
    ours: str = "labkit"
    theirs: str = ""
    rounds: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """By the names of ours and theirs: what each round gave."""
    unit: str = "s"
    """Of what is measured. Of what is counted `per second` more is better, of everything else less."""
    aim: float | None = None
    """Of the ratio ours / theirs, or of ours if nothing is beside it."""
    limit: str = ""
    """What keeps it from being better."""
    missing: str = ""
    """Why it could not be measured here."""
    case: str = field(default_factory=lambda: Path(sys.argv[0]).stem)

    @property
    def value(self) -> float:
        """The ratio of the medians, or the median of ours."""
        return median(self.rounds[self.ours]) / (median(self.rounds[self.theirs]) if self.theirs else 1)

    @property
    def spread(self) -> tuple[float, float]:
        """The smallest and the largest value of one round."""
        beside = self.rounds[self.theirs] if self.theirs else [1] * len(self.rounds[self.ours])
        each = [ours / theirs for ours, theirs in zip(self.rounds[self.ours], beside, strict=True)]
        return min(each), max(each)

    @property
    def met(self) -> bool | None:
        """Whether it is as good as its aim; None without one."""
        if self.missing or self.aim is None:
            return None
        return self.value >= self.aim if self.more else self.value <= self.aim

    @property
    def more(self) -> bool:
        """Whether more is better."""
        return self.unit.endswith("per second")

    def said(self, name: str) -> str:
        """The median of one side, in words."""
        if not name or self.missing:
            return ""
        return f"{name}: {amount(median(self.rounds[name]), self.unit)}"

    def said_aim(self) -> str:
        """The aim in words, or nothing."""
        if self.aim is None:
            return ""
        bound = f"{self.aim:.3g}" if self.theirs else amount(self.aim, self.unit)
        return f"at {'least' if self.more else 'most'} {bound}"

    def said_value(self) -> tuple[str, str]:
        """The value and its spread, in words."""
        low, high = self.spread
        unit = "" if self.theirs else self.unit
        return amount(self.value, unit), f"{amount(low, unit)} to {amount(high, unit)}"


def amount(number: float, unit: str) -> str:
    """A number with three digits that count, and its unit."""
    if unit == "s" and abs(number) < 1:
        number, unit = (number * 1e3, "ms") if abs(number) >= 1e-3 else (number * 1e6, "µs")
    digits = 2 if abs(number) < 10 else 1 if abs(number) < 100 else 0
    return f"{number:,.{digits}f} {unit}".rstrip()


def tell(figure: Figure) -> None:
    """Print it, and tell the runner."""
    if figure.missing:
        print(f"{figure.what}: not measured: {figure.missing}", flush=True)
    else:
        value, spread = figure.said_value()
        aim = "" if figure.aim is None else f"; aim: {figure.said_aim()}, {'met' if figure.met else 'NOT MET'}"
        sides = ", ".join(filter(None, [figure.said(figure.ours), figure.said(figure.theirs)]))
        print(f"{figure.what}: {sides}: {value} ({spread}{aim})", flush=True)
    if path := os.environ.get("BENCH_FIGURES"):
        with open(path, "a") as file:
            file.write(json.dumps(asdict(figure)) + "\n")


def missing(what: str, why: str) -> None:
    """Tell that something cannot be measured here, and why."""
    tell(Figure(what, missing=why))


def installed(*names: str, what: str) -> bool:
    """Whether these modules are there; if not, that is told."""
    lacking = [name for name in names if importlib.util.find_spec(name) is None]
    if lacking:
        missing(what, f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} not installed")
    return not lacking


def interleaved(
    ways: Mapping[str, Way], *, rounds: int = ROUNDS, turns: int = 1, calls: int = 1, warm: bool = True
) -> dict[str, list[float]]:
    """The seconds of one call of each way, by round.

    In a round all take turns, so many times, with so many calls each; the median of the turns counts. If `warm`, each
    has been called once before.
    """
    turns, calls = (1, 1) if TRY else (turns, calls)
    if warm:
        for way in ways.values():
            way()
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        taken = [{name: seconds(way, calls) for name, way in ways.items()} for _ in range(turns)]
        for name, times in found.items():
            times.append(median(each[name] for each in taken))
    return found


def seconds(way: Way, calls: int = 1) -> Took:
    """Of one call, as measured around them or by the way itself."""
    begun = time.perf_counter()
    answers = [way() for _ in range(calls)]
    took = (time.perf_counter() - begun) / calls
    return Took(median(answers) if isinstance(answers[0], Took) else took)


def beside(what: str, rounds: Mapping[str, Sequence[float]], ours: str, theirs: str = "", **more: Any) -> None:
    """Tell of one of these ways, or of two."""
    tell(Figure(what, ours, theirs, {name: rounds[name] for name in (ours, theirs) if name}, **more))


def compare(what: str, ways: Mapping[str, Way], *, aim: float | None = None, limit: str = "", **how: int) -> None:
    """Measure the first way beside each other one, and tell."""
    ours, *others = ways
    rounds = interleaved(ways, **how)
    for theirs in others or [""]:
        beside(what, rounds, ours, theirs, aim=aim, limit=limit)


def per_second(rounds: Mapping[str, Sequence[float]], count: float = 1) -> dict[str, list[float]]:
    """Rates out of the seconds that so many things took."""
    return {name: [count / each for each in times] for name, times in rounds.items()}
