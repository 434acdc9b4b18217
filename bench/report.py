"""What the runner writes: the table, results.json, RESULTS.md and ratios.png."""

import json
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
from figures import ROUNDS, Figure

HEAD = ("case", "what", "ours", "theirs", "ratio", "min to max", "aim", "met", "what limits it")
COMPARED = (
    *("labkit", "psycopg", "sqlalchemy", "pydantic", "dbos", "procrastinate", "pgqueuer", "tenacity", "stamina"),
    *("frontrun", "nbval", "pandas"),
)

READ = """Made by `make bench`; not to be edited. Ratio: ours / theirs, of the medians; min to max: of one round.
Of what is counted per second more is better, of everything else less."""

CAPTION = """ours / theirs, with a line from the smallest to the largest of one round; white: the aim is not met
triangle: the aim; where it points to the left, less is better, and to the right, more"""


def row(figure: Figure) -> tuple[str, ...]:
    """A figure in the table's columns."""
    if figure.missing:
        return figure.case, figure.what, "", "", "", "", "", "not measured", figure.missing
    value, spread = figure.said_value()
    met = {True: "yes", False: "NO", None: ""}[figure.met]
    sides = figure.said(figure.ours), figure.said(figure.theirs)
    return figure.case, figure.what, *sides, value, spread, figure.said_aim(), met, figure.limit


def table(figures: Sequence[Figure]) -> str:
    """For a terminal; what limits a figure is told below it where it is not met."""
    rows = [HEAD[:-1], *(row(figure)[:-1] for figure in figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(each, widths, strict=True)).rstrip() for each in rows]
    for place, figure in reversed(list(enumerate(figures, 1))):
        if figure.missing or (figure.limit and figure.met is False):
            lines.insert(place + 1, f"    {figure.missing or figure.limit}")
    return "\n".join(lines)


def markdown(figures: Sequence[Figure], about: dict) -> str:
    """The table, and a paragraph for each figure that falls short."""
    rows = [HEAD, ("---",) * len(HEAD), *map(row, figures)]
    grid = ["| " + " | ".join(cell.replace("|", "\\|") for cell in each) + " |" for each in rows]
    short = [
        f"**{figure.case}: {figure.what}.** {figure.said_value()[0]} where the aim is {figure.said_aim()}. "
        f"{figure.limit or 'What limits it has not been found.'}"
        for figure in figures
        if figure.met is False
    ]
    machine = ", ".join(f"{name} {value}" for name, value in about["machine"].items())
    versions = ", ".join(f"{name} {value}" for name, value in about["versions"].items())
    once = ["Each was done once, to see that it works: these figures mean nothing."] if ROUNDS < 5 else []
    return (
        "\n\n".join(
            [
                "# Side by side",
                READ,
                *once,
                f"{about['date']}. {machine}. {versions}.",
                "![The ratios, with their spread and their aims](ratios.png)",
                "\n".join(grid),
                *(["## What is not met", *short] if short else []),
            ]
        ).replace("\u00a0", " ")
        + "\n"
    )


def surroundings() -> dict:
    """The machine, the versions and the date."""
    found = {}
    for name in COMPARED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    machine = {
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory in GB": round(psutil.virtual_memory().total / 1e9, 1),
        "kernel": re.match(r"[\d.]*\d", platform.release())[0],
        "system": platform.system(),
        "Python": platform.python_version(),
    }
    return {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine, "versions": found}


def draw(figures: Sequence[Figure], path: Path) -> None:
    """The ratios on a scale of powers of ten, each with its spread and its aim; without colour it says the same."""
    shown = [figure for figure in figures if figure.theirs and not figure.missing and figure.spread[0] > 0][::-1]
    if not shown:
        return
    from matplotlib.figure import Figure as Picture  # noqa: PLC0415 - it takes a second

    picture = Picture(figsize=(9, 1.2 + 0.26 * len(shown)), layout="constrained")
    axes = picture.subplots()
    for place, figure in enumerate(shown):
        axes.plot(figure.spread, (place, place), color="black", linewidth=1)
        face = "white" if figure.met is False else "black"
        axes.plot(figure.value, place, "o", color="black", markerfacecolor=face, markersize=5)
        if figure.aim:
            axes.plot(figure.aim, place, ">" if figure.more else "<", color="black", markersize=7, fillstyle="none")
    axes.axvline(1, color="gray", linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    axes.set_yticks(range(len(shown)), [f"{figure.case}: {figure.what} / {figure.theirs}" for figure in shown], size=7)
    axes.xaxis.set_major_formatter("{x:g}")
    picture.supxlabel(CAPTION, size=7)
    picture.savefig(path, dpi=110)


def write(folder: Path, figures: Sequence[Figure]) -> None:
    """All three, into a folder."""
    folder.mkdir(exist_ok=True)
    about = surroundings()
    told = [{**asdict(each), **({} if each.missing else {"value": each.value, "met": each.met})} for each in figures]
    (folder / "results.json").write_text(json.dumps({**about, "figures": told}, indent=1) + "\n", "utf-8")
    (folder / "RESULTS.md").write_text(markdown(figures, about), "utf-8")
    draw(figures, folder / "ratios.png")
