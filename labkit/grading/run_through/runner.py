"""Runs notebooks under nbval inside the sandbox: pytest and the kernels together, confined before they run anything.

python -P -m labkit.grading.run_through.runner '<Errand as JSON>'
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from labkit.grading.run_through.errand import OUTCOMES, Errand
from labkit.grading.run_through.kernels import fork_kernels
from labkit.grading.run_through.nbval_plugin import JudgedCells
from labkit.isolation.confine import confine

PROCESSES, MEMORY = 256, 4 * 2**30
"""A kernel has a dozen threads, each of which counts, and reserves more than it uses."""


def run(errand: Errand) -> None:
    """Run them, and leave with pytest's exit status."""
    box = Path(errand.box)
    os.chdir(box)
    os.environ.update(errand.environment)
    if errand.confinement:
        confine(replace(errand.confinement, processes=PROCESSES, memory=MEMORY), box)
        fork_kernels()
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
    sys.exit(pytest.main([*options, *(f"{stem}.ipynb" for stem in errand.checks)], [plugin]))


if __name__ == "__main__":
    run(TypeAdapter(Errand).validate_json(sys.argv[1]))
