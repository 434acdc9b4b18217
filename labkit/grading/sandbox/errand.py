"""What is to be run of a student's notebooks, as it travels to what runs them."""

import json
import sys
from dataclasses import asdict, dataclass

from labkit.isolation.confine import Confinement

OUTCOMES = "outcomes.jsonl"
"""The file in the box that tells what became of each cell."""


@dataclass(frozen=True)
class Errand:
    """What to run."""

    box: str
    """The folder with the notebooks."""
    environment: dict[str, str]
    """What is known there."""
    confinement: Confinement | None
    """What is left there; None: it is trusted, and in a process of its own."""
    timeout: float
    """Seconds that one cell may take."""
    checks: dict[str, dict[str, list[str]]]
    """See JudgedCells."""

    def command(self) -> tuple[str, ...]:
        """What runs it."""
        return sys.executable, "-P", "-m", "labkit.grading.run_through.runner", json.dumps(asdict(self))
