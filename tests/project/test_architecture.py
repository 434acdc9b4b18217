"""docs/ARCHITECTURE.md speaks of the code as it is: its picture is of today's rooms, and what it names is there."""

import ast
import json
import os
import re
import runpy
import subprocess
import sys
import textwrap
from graphlib import CycleError

import pytest
from PIL import Image

from labkit.repository import root

TOOL = root() / "tools" / "docs.py"
DOCS = runpy.run_path(str(TOOL))
ARCHITECTURE = (root() / "docs" / "ARCHITECTURE.md").read_text("utf-8")


def defined(body, prefix=""):
    """What a module or a class defines: functions, classes, methods as Class.method, constants and fields."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield prefix + node.name
            yield from defined(node.body if isinstance(node, ast.ClassDef) else (), f"{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (
                prefix + each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)
            )


def code():
    """What each file of labkit defines, by its path there."""
    paths = {path.relative_to(root() / "labkit").as_posix(): path for path in (root() / "labkit").rglob("*.py")}
    return {name: set(defined(ast.parse(path.read_text("utf-8")).body)) for name, path in paths.items()}


def missing(text):
    """What a text names in backticks as a folder, a file, or something in a file, and is not there."""
    known, prose = code(), re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return [token for token in re.findall(r"`([^`\n]+)`", prose) if not there(token, known)]


def there(token, known):
    """Whether what is named exists; commands, and what is Python's own, always do."""
    file, _, name = token.partition(":")
    if re.fullmatch(r"[\w/]+\.py(:[\w.]+)?", token):
        return any(not name or name in names for path, names in known.items() if f"/{path}".endswith(f"/{file}"))
    if re.fullmatch(r"[\w/]+/", token):
        return any((root() / top / token).is_dir() for top in ("", "labkit"))
    if re.fullmatch(r"[A-Za-z][\w.]*", token) and token.partition(".")[0] not in sys.stdlib_module_names:
        whole = set().union(*known.values())
        stems = {part for path in known for part in path.removesuffix(".py").split("/")}
        return token in {*whole, *stems, *(name.rpartition(".")[2] for name in whole)}
    return True


def test_the_picture_is_of_the_rooms_as_they_are():
    """The graph that the committed picture carries is the one that the imports make today."""
    with Image.open(DOCS["PICTURE"]) as picture:
        drawn = json.loads(picture.text[DOCS["TEXT"]])

    assert drawn == DOCS["graph"](DOCS["sources"]()), "run `make docs`"


def test_drawn_again_the_picture_is_the_same():
    """The same rooms give the same bytes, in another process with another order of sets, too."""
    code = f"import runpy, sys; d = runpy.run_path({str(TOOL)!r}); rooms = d['graph'](d['sources']())"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; sys.stdout.buffer.write(d['draw'](rooms))"],
        env={**os.environ, "PYTHONHASHSEED": "1"}, capture_output=True, check=True, timeout=60,
    )  # fmt: skip

    assert DOCS["draw"](DOCS["graph"](DOCS["sources"]())) == done.stdout


@pytest.mark.parametrize("modules", [0, 1, 20, 40, 200])
def test_a_room_is_wide_enough_for_its_names(modules):
    """However many there are, they stand in as many lines as a room has."""
    names = ["crash.child", *(f"crash.child.module_{n}" for n in range(modules))]
    width, text = DOCS["_width"]("crash/child", names), DOCS["_inside"]("crash/child", names)
    assert len(text.split()) == modules
    assert len(textwrap.wrap(text, int(DOCS["SIGNS"] * width / DOCS["WIDTH"]))) <= DOCS["LINES"]


def test_an_arrow_that_follows_from_others_is_left_out():
    """Each room stands above all that it imports, and is joined to those alone that it reaches by no other."""
    rooms = DOCS["graph"](
        {
            "labkit.cli": "import labkit.world, labkit.llm",
            "labkit.llm": "from labkit import world",
            "labkit.world": "x = 1",
        }
    )

    assert {name: room["floor"] for name, room in rooms.items()} == {"cli": 2, "llm": 1, "world": 0}
    assert DOCS["arrows"](rooms) == [("cli", "llm"), ("llm", "world")]


def test_rooms_that_import_in_a_circle_are_not_drawn():
    """A circle has no floors: it is an error, and no picture hides it."""
    with pytest.raises(CycleError):
        DOCS["graph"]({"labkit.world": "def f():\n import labkit.llm", "labkit.llm": "import labkit.world"})


def test_what_the_text_names_is_there():
    """Each file, folder and function that is named in backticks exists, and stands in the file that is said."""
    assert missing(ARCHITECTURE) == []


@pytest.mark.parametrize("token", ["crash/nowhere.py", "crash/client.py:nobody", "crash/nowhere/", "Explorer.nothing"])
def test_the_gate_notices(token):
    """Whatever is named wrongly is told: a gate that cannot fail proves nothing."""
    assert missing(f"See `{token}`, and `crash/client.py:Client.ask`.") == [token]


def test_the_text_stays_short():
    """It can be read in one sitting: 200 lines at most."""
    assert len(ARCHITECTURE.splitlines()) <= 200
