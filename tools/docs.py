"""Writes docs/SWEEP.md from tests/support/idioms.py, and draws docs/architecture.png.

The picture is of the rooms of labkit, each above those that it imports.

A room is a folder of labkit, or a module beside them; crash and grading have rooms inside, and the mechanisms of the
course are one room together. An arrow that follows from others is left out. The picture carries the whole graph as
text, by which a test sees whether it is stale.
"""

import ast
import io
import json
import runpy
import textwrap
from collections.abc import Iterator
from graphlib import TopologicalSorter
from itertools import count, pairwise
from pathlib import Path
from statistics import mean
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "SWEEP.md"
PICTURE = ROOT / "docs" / "architecture.png"
MECHANISMS = (
    *("clock", "task", "store", "files", "plan", "idempotency", "backoff", "deadlines", "postgres", "claims"),
    *("tasks", "checkpoints", "saga", "agent_state", "context", "agent"),
)
PARTED = {"crash": "#dbe9f6", "grading": "#fde5cf"}
"""The folders that have rooms inside, and a colour for each."""
LINE = "#556677"
TEXT = "Description"
"""The field of the PNG that holds the graph, as JSON."""
WIDTH, BOX, HEIGHT = 1.8, 1.0, 1.3
"""Inches: a room's least width, its height, and the way from floor to floor."""
SIGNS, LINES = 28, 5
"""So many signs a line has in a room of the least width, and so many lines fit into any."""
SWEEPS = 20
"""How often the order on each floor is mended."""
Graph = dict[str, dict[str, Any]]
"""Room → its floor, its modules, and the rooms that it imports."""


def sources() -> dict[str, str]:
    """Every module of labkit by name, with its source. Not labkit itself, which imports what learners use later."""
    paths = sorted((ROOT / "labkit").rglob("*.py"))
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths]
    return {name: path.read_text("utf-8") for name, path in zip(names, paths, strict=True) if name != "labkit"}


def graph(sources: dict[str, str]) -> Graph:
    """The rooms, from the import statements wherever they stand. CycleError if rooms import in a circle."""
    rooms: Graph = {}
    for module, source in sources.items():
        if all(isinstance(node, ast.Expr) for node in ast.parse(source).body):
            continue  # a docstring alone
        room = rooms.setdefault(_room(module), {"floor": 0, "modules": [], "imports": set()})
        room["modules"].append(module.removeprefix("labkit."))
        room["imports"] |= {_room(name) for name in _imports(source, sources)}
    for name in TopologicalSorter({name: room["imports"] - {name} for name, room in rooms.items()}).static_order():
        room = rooms[name]
        room["imports"] = sorted(room["imports"] - {name})
        room["floor"] = 1 + max((rooms[below]["floor"] for below in room["imports"]), default=-1)
    return dict(sorted(rooms.items()))


def _room(module: str) -> str:
    _, top, *inner = module.split(".")
    if top in MECHANISMS:
        return "mechanisms"
    return f"{top}/{inner[0]}" if inner and top in PARTED else top


def _imports(source: str, sources: dict[str, str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [(f"{node.module}.{alias.name}", node.module) for alias in node.names]
        else:
            continue
        yield from (name if name in sources else base for name, base in names if {name, base} & sources.keys())


def arrows(rooms: Graph) -> list[tuple[str, str]]:
    """Who imports whom, without what follows: a room that is reached through another one, too."""
    reached: dict[str, set[str]] = {}
    for name in sorted(rooms, key=lambda name: rooms[name]["floor"]):
        reached[name] = set(rooms[name]["imports"]).union(*(reached[below] for below in rooms[name]["imports"]))
    return [
        (name, below)
        for name, room in rooms.items()
        for below in room["imports"]
        if not any(below in reached[other] for other in room["imports"])
    ]


def roads(rooms: Graph) -> list[list[str]]:
    """Each arrow from floor to floor: its room, a place to pass by on each floor between, and the other room."""
    found = []
    for start, end in arrows(rooms):
        between = range(rooms[start]["floor"] - 1, rooms[end]["floor"], -1)
        found.append([start, *(f"{start} → {end} {floor}" for floor in between), end])
    return found


def places(rooms: Graph, ways: list[list[str]]) -> dict[str, tuple[float, float]]:
    """Where each room and each place of a road lies: on its floor, near those that it is joined to."""
    floors: dict[int, list[str]] = {}
    beside: dict[str, list[str]] = {}
    for way in ways:
        for above, below in pairwise(way):
            beside.setdefault(above, []).append(below)
            beside.setdefault(below, []).append(above)
    for name in sorted({*rooms, *beside}):
        floors.setdefault(rooms[name]["floor"] if name in rooms else int(name.rpartition(" ")[2]), []).append(name)
    found: dict[str, tuple[float, float]] = {}
    for _ in range(SWEEPS):
        for floor, names in sorted(floors.items()):
            near = {name: [found[other][0] for other in beside.get(name, ()) if other in found] for name in names}
            names.sort(key=lambda name: round(mean(near[name]), 6) if near[name] else 0.0)
            found |= _in_a_row(names, rooms, floor * HEIGHT)
    return found


def _in_a_row(names: list[str], rooms: Graph, y: float) -> dict[str, tuple[float, float]]:
    widths = [_width(name, rooms[name]["modules"]) + 0.2 if name in rooms else 0.3 for name in names]
    left = -sum(widths) / 2
    return {name: (left + sum(widths[:i]) + widths[i] / 2, y) for i, name in enumerate(names)}


def draw(rooms: Graph) -> bytes:
    """The picture, as PNG: the same bytes each time."""
    ways = roads(rooms)
    at = places(rooms, ways)
    wide, high = max(abs(x) for x, _ in at.values()) + WIDTH, max(y for _, y in at.values()) + HEIGHT
    with rc_context({"font.family": "DejaVu Sans Mono", "font.size": 7}):
        figure = Figure(figsize=(2 * wide, high))
        axes = figure.add_axes((0, 0, 1, 1), xlim=(-wide, wide), ylim=(-HEIGHT / 2, high - HEIGHT / 2))
        axes.set_axis_off()
        for way in ways:
            _draw_road(axes, [at[name] for name in way])
        for name, room in rooms.items():
            _draw_room(axes, name, room["modules"], *at[name])
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=80, metadata={"Software": None, TEXT: json.dumps(rooms)})
    return picture.getvalue()


def _draw_road(axes: Axes, points: list[tuple[float, float]]) -> None:
    """Down from a room, straight past the floors between, to the top of another room."""
    (x, y), *between, (end, bottom) = points
    corners = [(x, y - BOX / 2), *((at, level + side) for at, level in between for side in (BOX / 2, -BOX / 2))]
    axes.plot(*zip(*corners, strict=True), color=LINE, linewidth=0.8, zorder=1)
    arrow = {"arrowstyle": "-|>", "color": LINE, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (end, bottom + BOX / 2), corners[-1], arrowprops=arrow, zorder=1)


def _inside(name: str, modules: list[str]) -> str:
    """The names of what is in a room, in a row."""
    whole = name.replace("/", ".")
    return " ".join(sorted({each.removeprefix(f"{whole}.").partition(".")[0] for each in modules if each != whole}))


def _width(name: str, modules: list[str]) -> float:
    """The least width that holds all names in LINES lines."""
    text = _inside(name, modules)
    parts = next(n for n in count(4) if len(textwrap.wrap(text, SIGNS * n // 4)) <= LINES)
    return WIDTH * parts / 4


def _draw_room(axes: Axes, name: str, modules: list[str], x: float, y: float) -> None:
    colour = PARTED.get(name.partition("/")[0], "#eeeeee")
    width, text = _width(name, modules), _inside(name, modules)
    box = Rectangle((x - width / 2, y - BOX / 2), width, BOX, facecolor=colour, edgecolor=LINE, linewidth=0.8)
    axes.add_patch(box).set_zorder(2)
    axes.text(x, y + (BOX / 2 - 0.16 if text else 0), name, size=9, weight="bold", ha="center", va="center", zorder=3)
    folded = textwrap.fill(text, int(SIGNS * width / WIDTH))
    axes.text(x, y + BOX / 2 - 0.28, folded, ha="center", va="top", zorder=3)


def main() -> None:
    """Do both."""
    PAGE.write_text(runpy.run_path(str(ROOT / "tests" / "support" / "idioms.py"))["page"](), "utf-8")
    PICTURE.write_bytes(draw(graph(sources())))


if __name__ == "__main__":
    main()
