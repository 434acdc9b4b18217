"""Runs notebooks under nbval inside the sandbox: pytest and the kernel together, confined before anything is loaded.

python -P -m labkit.grading.runner '<Errand as JSON>'
"""

import json
import os
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from labkit.crash.confine import Confinement, confine

OUTCOMES = "outcomes.jsonl"
PROCESSES, MEMORY = 256, 4 * 2**30
"""A kernel has a dozen threads, each of which counts, and reserves more than it uses."""


@dataclass(frozen=True)
class Errand:
    """What to run."""

    box: str
    """The folder with the notebooks."""
    confinement: Confinement | None
    """What it is left with; None: it is trusted."""
    timeout: float
    """Seconds that one cell may take."""
    checks: dict[str, dict[str, list[str]]]
    """See JudgedCells."""

    def command(self) -> tuple[str, ...]:
        """What runs it."""
        return sys.executable, "-P", "-m", "labkit.grading.runner", json.dumps(asdict(self))


def main(errand: Errand) -> int:
    """Run them; pytest's exit status."""
    box = Path(errand.box)
    os.chdir(box)
    if errand.confinement:
        confine(replace(errand.confinement, processes=PROCESSES, memory=MEMORY), box)
    import pytest  # noqa: PLC0415 - loaded by what is confined, as all the rest

    from labkit.grading.plugin import JudgedCells  # noqa: PLC0415 - as above

    settings = box / "pytest.ini"
    settings.write_text("[pytest]\n")  # or pytest looks for one in every folder above
    options = [
        "--nbval-lax",
        "--nbval-current-env",
        f"--nbval-cell-timeout={errand.timeout}",
        "--noconftest",
        "--quiet",
    ]
    options += [f"--config-file={settings}", f"--rootdir={box}", "-p", "no:cacheprovider", "--tb=no"]
    options += ["--disable-plugin-autoload", "-p", "nbval.plugin"]
    plugin = JudgedCells(errand.checks, box / OUTCOMES)
    return int(pytest.main([*options, *(f"{stem}.ipynb" for stem in errand.checks)], [plugin]))


if __name__ == "__main__":
    sys.exit(main(TypeAdapter(Errand).validate_json(sys.argv[1])))
