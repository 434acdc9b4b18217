"""What crosses the sandbox's wall when notebooks are run: the errand goes in, an outcome for each cell comes out."""

import json
import sys
from dataclasses import asdict, dataclass

from pydantic import BaseModel

from labkit.isolation.confine import Confinement

OUTCOMES = "outcomes.jsonl"
"""The file in the box to which the plugin appends an Outcome, as a line of JSON, for each cell."""


@dataclass(frozen=True)
class CheckCell:
    """What the judge found for a cell that calls `check`: it is not run, but passes or fails as judged."""

    name: str
    """Of the exercise or case that it checks."""
    status: str
    """A Status; for several cases, of the first that is not met."""
    what: str = ""


@dataclass(frozen=True)
class Errand:
    """The notebooks to run, and how. It travels pickled to a fork server, or as JSON on a command line."""

    box: str
    """The folder with the notebooks: the only one that may be written, beside /tmp and /dev/shm of its own."""
    environment: dict[str, str]
    """Environment variables to set there."""
    confinement: Confinement | None
    """The rlimits and Landlock rules to take on; None if the code is trusted."""
    timeout: float
    """Seconds that one cell may take."""
    checks: dict[str, dict[str, CheckCell]]
    """Notebook stem → cell id → what the judge found."""

    def command(self) -> tuple[str, ...]:
        """The command that runs it in a process of its own."""
        return sys.executable, "-P", "-m", "labkit.grading.run_through.runner", json.dumps(asdict(self))


class Outcome(BaseModel):
    """What became of a cell, as the sandbox tells it."""

    notebook: str
    cell: int
    """Counted from 1 among the code cells."""
    name: str
    outcome: str
    """As pytest has it."""
    reason: str
    judged: bool
    """Whether it is a check cell, which was not run."""
