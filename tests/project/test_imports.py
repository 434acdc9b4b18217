"""Who may import whom: the table of the design, and a quick `import labkit`."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import labkit

FOLDER = Path(labkit.__file__).parent
ROWS = [
    *(
        "clock",
        "task",
        "store",
        "files",
        "memory",
        "sqlite",
        "idempotency",
        "backoff",
        "deadlines",
        "postgres",
        "claims",
        "tasks",
        "events",
        "checkpoints",
    ),
    *(
        "saga",
        "agent",
        "agent_tools",
        "agent_state",
        "progress",
        "context",
        "plan",
        "address_guard",
        "webhooks",
        "mcp_state",
        "world",
        "llm",
        "database",
        "brokers",
        "web",
        "isolation",
        "crash",
        "engines",
    ),
    *("repository", "learner", "grading", "course", "gauntlet"),
    *("copies", "merging", "update", "doctor", "start", "release", "cli"),
]
"""The table of the design, and `repository`, which only those who work on the repository may import."""
ONLY = {
    "isolation": set(),
    "crash": {"clock", "world", "llm", "database", "isolation"},
}  # the world's process serves the model and keeps the database
"""Who may import less than all rows above."""
LAST = {"copies", "merging", "update", "doctor", "start", "release", "cli"}
ONLY_FOR = {"repository": {"learner", "grading", "course", "gauntlet", *LAST}}
"""Who may be imported by fewer than all rows below."""
SLOW = {"IPython", "cloudpickle", "ipywidgets", "matplotlib", "nbformat", "numpy", "openai", "pydantic", "sqlalchemy"}


def sources():
    """Every module of labkit by name, with its source."""
    paths = {path.relative_to(FOLDER.parent).with_suffix(""): path for path in FOLDER.rglob("*.py")}
    return {".".join(path.parts).removesuffix(".__init__"): file.read_text("utf-8") for path, file in paths.items()}


def imports(name, source, modules, *, running=False):
    """The modules of labkit that a module imports, wherever in it; if `running`, not those only for type checkers."""
    package = name if any(module.startswith(f"{name}.") for module in modules) else name.rpartition(".")[0]
    tree = ast.parse(source)
    if running:
        tree = _WithoutTypes().visit(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "labkit")
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            if base.split(".")[0] == "labkit":
                full = [f"{base}.{alias.name}" for alias in node.names]
                yield from (each if each in modules else base for each in full)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"import_module", "__import__"}:
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and str(argument.value).split(".")[0] == "labkit":
                    yield argument.value


class _WithoutTypes(ast.NodeTransformer):
    def visit_If(self, node):
        self.generic_visit(node)
        return node.orelse if ast.unparse(node.test).endswith("TYPE_CHECKING") else node


def complaints(modules):
    """What in these modules, each with its source, is against the table."""
    for name, source in modules.items():
        if name == "labkit":
            continue  # it names what learners use and imports it later: see below
        row = name.split(".")[1]
        if row not in ROWS:
            yield f"{name} is not in the table of the design"
            continue
        above = ONLY.get(row, set(ROWS[: ROWS.index(row)]))
        for imported in imports(name, source, modules):
            other = imported.partition(".")[2].partition(".")[0]
            if not other:
                yield f"{name} imports labkit itself, which hides what it needs"
            elif other != row and (other not in above or row not in ONLY_FOR.get(other, {row})):
                yield f"{name} imports {imported}, which is not above it"


def test_every_module_imports_only_from_rows_above_its_own():
    """The code that students are shown knows nothing of the test bench, and imports point one way."""
    assert list(complaints(sources())) == []


@pytest.mark.parametrize(
    ("name", "source", "complaint"),
    [
        ("labkit.extra", "", "labkit.extra is not in the table of the design"),
        ("labkit.extra.part", "import os", "labkit.extra.part is not in the table of the design"),
        ("labkit.clock", "from labkit.task import Task", "labkit.clock imports labkit.task, which is not above it"),
        ("labkit.clock", "import labkit.task as t", "labkit.clock imports labkit.task, which is not above it"),
        ("labkit.clock", "from labkit import task", "labkit.clock imports labkit.task, which is not above it"),
        ("labkit.clock", "from . import task", "labkit.clock imports labkit.task, which is not above it"),
        ("labkit.clock", "from .task import Task", "labkit.clock imports labkit.task, which is not above it"),
        ("labkit.clock", "def f():\n import labkit.task", "labkit.clock imports labkit.task, which is not above it"),
        (
            "labkit.clock",
            "if TYPE_CHECKING:\n import labkit.task",
            "labkit.clock imports labkit.task, which is not above it",
        ),
        ("labkit.clock", "import_module('labkit.task')", "labkit.clock imports labkit.task, which is not above it"),
        ("labkit.agent", "from labkit import Task", "labkit.agent imports labkit itself, which hides what it needs"),
        ("labkit.agent", "import labkit", "labkit.agent imports labkit itself, which hides what it needs"),
        ("labkit.agent", "from labkit.world import tool", "labkit.agent imports labkit.world, which is not above it"),
        ("labkit.files", "from labkit.crash import sweep", "labkit.files imports labkit.crash, which is not above it"),
        (
            "labkit.saga",
            "import labkit.grading.judge.judge",
            "labkit.saga imports labkit.grading.judge.judge, which is not above it",
        ),
        ("labkit.world", "import labkit.cli", "labkit.world imports labkit.cli, which is not above it"),
        (
            "labkit.crash.child.main",
            "import labkit.files",
            "labkit.crash.child.main imports labkit.files, which is not above it",
        ),
        (
            "labkit.crash.child.main",
            "from ...task import Task",
            "labkit.crash.child.main imports labkit.task, which is not above it",
        ),
        (
            "labkit.database",
            "import labkit.repository",
            "labkit.database imports labkit.repository, which is not above it",
        ),
    ],
)
def test_the_gate_notices(name, source, complaint):
    """However an import is written, the gate sees it: a gate that cannot fail proves nothing."""
    modules = {**sources(), name: source}
    assert complaint in list(complaints(modules))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        (
            "labkit.crash.child.main",
            "from labkit import world\nfrom labkit.crash.jobs import Stop\nfrom . import trace",
        ),
        ("labkit.crash", "from .trace import Stop"),
        (
            "labkit.grading.judge.judge",
            "import labkit.repository, labkit.crash, labkit.files\nfrom .answers import Cell",
        ),
        ("labkit.clock", "import labkitten\nfrom os import path\nfrom labkitten.task import Task"),
    ],
)
def test_the_gate_lets_pass_what_is_right(name, source):
    """Rows above, the own package, and everything that is not labkit's."""
    assert list(complaints({**sources(), name: source})) == []


def circle(modules):
    """A circle of imports among these modules, each with its source; empty if there is none."""
    graph = {name: {*imports(name, source, modules, running=True)} - {name} for name, source in modules.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return " imports ".join(reversed(error.args[1]))
    return ""


def test_no_import_goes_round_in_a_circle():
    """Inside a package, too, imports point one way."""
    assert circle({name: source for name, source in sources().items() if name != "labkit"}) == ""
    assert circle({"labkit.a": "import labkit.b", "labkit.b": "def f():\n from labkit import a"}) != ""


def loaded_by(code):
    """The modules that a fresh interpreter has loaded after `code`, but not before it."""
    code = f"import sys; before = set(sys.modules)\n{code}\nprint(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=FOLDER.parent)
    return set(done.stdout.split())


def test_importing_labkit_is_quick():
    """`import labkit` loads nothing heavy, and none of labkit's own modules; what is used is loaded when it is used."""
    loaded = loaded_by("import labkit")
    assert {name.partition(".")[0] for name in loaded} & SLOW == set()
    assert {name for name in loaded if name.startswith("labkit")} == {"labkit"}
    assert "labkit.clock" in loaded_by("from labkit import FakeClock")
    assert {name.partition(".")[0] for name in loaded_by("from labkit import FakeClock")} & SLOW == set()


def test_a_child_under_test_is_not_burdened_with_the_lab():
    """The modules that students deploy load neither the crash lab nor a notebook's libraries."""
    code = "import labkit.agent, labkit.plan, labkit.files, labkit.world"
    loaded = {name.partition(".")[0] for name in loaded_by(code)}
    assert loaded & (SLOW - {"pydantic"}) == set()


def test_learners_names_are_sorted_and_all_there():
    """Every name in `__all__` can be imported, and there is one place to look it up."""
    assert labkit.__all__ == sorted(set(labkit.__all__))
    for name in labkit.__all__:
        assert getattr(labkit, name).__doc__, f"labkit.{name} does not say what it promises"
    assert set(labkit.__all__) <= set(dir(labkit))


def test_a_name_that_is_not_there_is_an_attribute_error():
    """A misspelled name is said to be one, as for any module."""
    assert not hasattr(labkit, "sweeep")
    with pytest.raises(ImportError, match="sweeep"):
        exec("from labkit import sweeep", {})  # noqa: S102 - the statement is what is tested
