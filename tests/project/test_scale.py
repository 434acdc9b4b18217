"""What is written of a large class is what the simulation says."""

import subprocess
import sys

from labkit.repository import root


def test_the_page_about_scale_says_what_the_simulation_says():
    """Each line of it, with its figures: it is seeded, and prints the same at every run."""
    command = [sys.executable, root() / "bench" / "scale.py"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    page = [line.strip() for line in (root() / "docs" / "SCALE.md").read_text("utf-8").splitlines()]
    assert [line for line in map(str.strip, said.splitlines()) if line not in page and "What each" not in line] == []
