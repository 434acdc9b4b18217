"""`make bench`: every case has its row, whatever becomes of it. No time is asserted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
CASE = """
import time
from figures import Figure, missing, tell
{}
if __name__ == "__main__":
    {}
"""
MET = 'tell(Figure("save", "us", "raw", {"us": [2, 4, 3], "raw": [2, 2, 2]}, aim=2)); missing("list", "no engine")'
SLOW = 'tell(Figure("rate", "us", "raw", {"us": [1, 1], "raw": [4, 2]}, "per second", 0.9, "each waits for the disk"))'


def bench(folder, *arguments):
    """The runner on the cases of a folder."""
    known = {**os.environ, "PYTHONPATH": str(BENCH), "BENCH_TRY": ""}
    command = [sys.executable, BENCH, "--cases", folder, *arguments]
    return subprocess.run(command, env=known, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A folder, and what the runner did with a case that is met, one that falls short and fails, and one that hangs."""
    folder = tmp_path_factory.mktemp("cases")
    (folder / "met.py").write_text(CASE.format("", MET))
    (folder / "short.py").write_text(CASE.format("", f"{SLOW}; raise SystemExit(3)"))
    (folder / "stuck.py").write_text(CASE.format("SECONDS = 0.3", "time.sleep(60)"))
    (folder / "shared.py").write_text("raise SystemExit('this is no case')")
    return folder, bench(folder)


def test_each_figure_is_a_row_of_one_table(measured):
    """Met, not met and not measured are told apart, and what keeps a figure from its aim is below it."""
    _, done = measured
    table = [" ".join(line.split()) for line in done.stdout.partition("\ncase ")[2].splitlines()]
    assert "met save us: 3.00 s raw: 2.00 s 1.50 1.00 to 2.00 at most 2 yes" in table
    assert table[table.index("met list not measured") + 1] == "no engine"
    place = table.index("short rate us: 1.00 per second raw: 3.00 per second 0.33 0.25 to 0.50 at least 0.9 NO")
    assert table[place + 1] == "each waits for the disk"


def test_a_case_that_fails_or_hangs_is_a_row_that_says_why(measured):
    """What it told before counts, the other cases run, and the status says that not all went well."""
    folder, done = measured
    figures = json.loads((folder / "results.json").read_text())["figures"]
    said = {(each["case"], each["what"]): each["missing"] for each in figures}
    assert said["short", "the case"] == "it failed with status 3"
    assert said["stuck", "the case"] == "it was stopped after 0.3 s"
    assert said["short", "rate"] == ""
    assert done.returncode == 1


def test_the_results_hold_every_round_and_where_they_were_measured(measured):
    """Whoever doubts a ratio can work it out again."""
    results = json.loads((measured[0] / "results.json").read_text())
    first = results["figures"][0]
    assert (first["rounds"], first["value"], first["met"]) == ({"us": [2, 4, 3], "raw": [2, 2, 2]}, 1.5, True)
    assert {"processors", "memory in GB", "kernel", "Python"} <= set(results["machine"])
    assert "labkit" in results["versions"]
    assert results["date"]


def test_the_page_explains_what_is_not_met(measured):
    """And nothing else: one paragraph for each, with its limit. It names no folder of this machine."""
    folder, _ = measured
    page = (folder / "RESULTS.md").read_text()
    assert "| met | save | us: 3.00 s | raw: 2.00 s | 1.50 | 1.00 to 2.00 | at most 2 | yes |" in page
    short = page.partition("## What is not met")[2].strip()
    assert short == "**short: rate.** 0.33 where the aim is at least 0.9. each waits for the disk"
    assert str(folder) not in page
    assert (folder / "ratios.png").read_bytes().startswith(b"\x89PNG")


def test_a_name_without_a_case_is_bad_input(measured):
    """One line says which there are, and nothing is run or written."""
    done = bench(measured[0], "nothing")
    assert done.returncode == 2
    assert done.stderr == "bench: there is no case nothing. There are: met, short, stuck\n"
    assert done.stdout == ""


def test_a_part_of_a_name_is_enough(tmp_path):
    """The others are left alone."""
    for name in ("queue_one", "queue_two", "other"):
        (tmp_path / f"{name}.py").write_text(CASE.format("", MET))
    done = bench(tmp_path, "queue")
    assert done.returncode == 0
    assert [line for line in done.stdout.splitlines() if line.startswith("---")] == ["--- queue_one", "--- queue_two"]
