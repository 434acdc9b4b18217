"""A report and a replay as HTML that needs no script, no kernel and no other file: each crash point unfolds.

What a program printed or named is text of a stranger: the templates escape all of it, and `_fit` takes out of it what
is not seen. Where a notebook is not trusted, JupyterLab takes the style and the SVG away: the words say the same.
"""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from labkit.crash.printable import ESCAPES, is_printable, marked
from labkit.crash.report import margin
from labkit.crash.report.findings import Findings
from labkit.crash.report.folds import Fold, folded, numbers, points_of, spans
from labkit.crash.report.scene import Scene

FOLDER = Path(__file__).parent / "templates"


def report(found: Findings, *, replayed: bool = False) -> str:
    """The report: a row for each crash point, which unfolds to what a crash there left.

    `replayed` unfolds the first that breaks the program.
    """
    following = [*map(str, found.effects), "(the end)"]
    lines = [found.effects[point.k - 1].line if point.k else None for point in found.points]
    source = [(row, row[2:3] == margin.BREAKS) for row in margin.source(found).split("\n")] if found.points else []
    rows, broken = folded(found), [*found.broken, None]
    return _render(
        "report.html", found=found, rows=rows, following=following, lines=lines, source=source,
        opened=broken[0] if replayed else None, many=any(isinstance(row, Fold) for row in rows),
    )  # fmt: skip


def replay(title: str, scene: Scene, verdict: str) -> str:
    """One outcome at one crash point."""
    return _render("replay.html", title=title, scene=scene, verdict=verdict)


@cache
def environment(folder: Path) -> Environment:
    """For templates in this folder, which may use those of a report."""
    options = {"autoescape": True, "undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    made = Environment(loader=FileSystemLoader([folder, FOLDER]), finalize=_fit, **options)  # noqa: S701 - it escapes
    made.globals |= {"numbers": numbers, "spans": spans, "points_of": points_of}
    made.globals["style"] = Markup((FOLDER / "style.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file
    made.tests["fold"] = lambda row: isinstance(row, Fold)
    return made


def _render(template: str, **values: Any) -> str:
    return environment(FOLDER).get_template(template).render(**values).strip()


def _fit(value: Any) -> Any:
    """A text without what is not seen; NUL, of which a lost block is full, has a sign of its own."""
    if isinstance(value, Markup) or is_printable(str(value)):
        return value
    return marked(ESCAPES.sub("", str(value).replace("\0", "␀")))
