"""How long does a student wait? From `import labkit` to a verdict.

    python bench/checking.py

`import labkit`: at most 0.2 s more than an interpreter with pydantic. `labkit --help`. `labkit check` of the solution
of exercise 1: the whole exercise in a new process (cold), then again in one that has judged before (warm), and its
first case alone. From the start of a kernel to the end of its first sweep.
"""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from figures import Way, beside, compare, interleaved
from jupyter_client.manager import start_new_kernel

from labkit.grading.judge import criteria, judge

os.environ["LABKIT_PROGRESS"] = "off"  # what is measured here is nobody's progress
SOLUTION = Path(__file__).parents[1] / "solutions" / "01_file_storage.ipynb"
LABKIT = Path(sys.executable).with_name("labkit")
SWEEP = """
from pathlib import Path
from labkit import sweep
sweep(lambda: Path("a").write_text("new"), lambda: None, lambda seen: None).broken
"""


def command(*words: object) -> Way:
    """A command, which must go well."""

    def run() -> None:
        subprocess.run([*map(str, words)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    return run


def first_sweep() -> None:
    """A kernel, and a sweep in its first cell."""
    manager, client = start_new_kernel(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        answer = client.execute_interactive(SWEEP, timeout=60, output_hook=lambda _: None)
        assert answer["content"]["status"] == "ok", answer["content"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def main() -> None:
    """Measure and tell."""
    imports = {name: command(sys.executable, "-c", f"import {name}") for name in ("labkit", "pydantic")}
    rounds = interleaved(imports, turns=2)
    more = [ours - theirs for ours, theirs in zip(rounds["labkit"], rounds["pydantic"], strict=True)]
    beside("import", rounds, "labkit", "pydantic")
    beside("import labkit, more than pydantic", {"labkit": more}, "labkit", aim=0.2)
    compare("labkit --help", {"labkit": command(LABKIT, "--help"), "python": command(sys.executable, "-c", "")})
    exercise, cases = criteria.find("01")
    judged = partial(judge.judge_notebook, exercise, SOLUTION)
    ways = {
        "cold": command(LABKIT, "check", "01", SOLUTION),
        "warm": lambda: judged(cases),
        "warm, one case": lambda: judged(cases[:1]),
    }
    rounds = interleaved(ways)
    for way in ways:
        beside(f"check of exercise 1, {way}", rounds, way)
    compare("from a kernel's start to its first sweep", {"kernel": first_sweep})


if __name__ == "__main__":
    main()
